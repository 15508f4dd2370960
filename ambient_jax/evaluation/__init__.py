"""Figures with standard errors: each evaluator yields `(name, value)`."""
