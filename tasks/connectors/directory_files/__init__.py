"""A directory exported as CSV or Parquet files."""
