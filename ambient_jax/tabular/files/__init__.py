"""CSV and Parquet files: reads tables and writes them back in the same format."""
