"""The strict reader of raw files, csv and Parquet by the same rules: charthouse.data.raw.reader."""
