"""What everything rests on: the warehouse, the cohort, runs, seeds, errors."""
