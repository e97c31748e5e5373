"""`charthouse embed`: reads the marts, runs an encoder, appends to embeddings.<encoder>."""
