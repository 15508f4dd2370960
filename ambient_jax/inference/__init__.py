"""Runs a network over rows on the host: what users, evaluation and tables share."""
