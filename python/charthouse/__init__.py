"""Charthouse: a SQL-first warehouse for MIMIC-IV and a benchmark of foundation models on it."""

__version__ = "0.1.0"
