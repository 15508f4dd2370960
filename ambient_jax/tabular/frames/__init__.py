"""DataFrames: column kinds, dtypes, missing cells, and exchange with other formats."""
