"""Encoders: each turns what a stay holds of one modality into one vector.

An encoder is a row of seeds/registries/encoders.csv and a class in a module of the same name in
this package (docs/how-to/add-an-encoder.md). `registry` finds them, `jobs.embed` runs them.
"""
