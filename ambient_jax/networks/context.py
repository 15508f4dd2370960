"""Layout of what a network of tables is given beside the tokens; imports no JAX."""

CONTEXT_PER_COLUMN = 3
"""Features of a column in the context: normal score, standard score, 1 if known."""
