"""Tables: a DataFrame to tokens and back, and a scikit-learn imputer."""
