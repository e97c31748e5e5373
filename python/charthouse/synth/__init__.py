"""A synthetic MIMIC: valid in schema, as messy as the real data, with planted effects to find."""
