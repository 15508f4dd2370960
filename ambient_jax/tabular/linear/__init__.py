"""Factor analysis of a table, from which the networks of small tables start."""
