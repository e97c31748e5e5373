"""Predictions to results: metrics, comparisons, fairness, contributions, curves."""
