"""From raw files to marts: dbt and its builds, the reader of raw files, the doctor."""
