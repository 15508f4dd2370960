"""The estimator's interface: checks its parameters, converts its input and output."""
