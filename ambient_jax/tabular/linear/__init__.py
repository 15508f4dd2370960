"""Linear models of a table: factor analysis and extrapolation of the tails."""
