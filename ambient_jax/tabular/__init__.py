"""Tables: converts a DataFrame to tokens and back, and imputes like scikit-learn."""
