"""Predictions to figures: metrics, comparisons, fairness, contributions, curves."""
