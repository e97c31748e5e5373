"""Encoders, learners, fusions, and what they share."""
