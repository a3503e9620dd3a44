"""The lake: responses as plain Parquet files, a file a day, and what DuckDB answers over them."""
