"""The gate for raw files, csv and Parquet by one set of rules: charthouse.data.raw.reader."""
