"""From raw files to marts: dbt, its builds, the gate for raw files."""
