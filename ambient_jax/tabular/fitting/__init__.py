"""Fits the network of a table: recipe, held-out rows, early stopping, checkpoint."""
