"""What all other packages build on: the warehouse, the cohort, runs, seeds, errors."""
