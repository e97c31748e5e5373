"""Logistic regression over the paper's grid: all folds and the final fit as one batch."""
