"""Embeddings to predictions: arms, their features, and the job that fits and scores them."""
