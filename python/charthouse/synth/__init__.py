"""A synthetic MIMIC: schema-true, as messy as the real thing, with planted truths.

Nothing here is, or is derived from, a real patient. `write_synthetic_mimic` writes folders that
look exactly like PhysioNet's MIMIC-IV, MIMIC-IV-Note and MIMIC-CXR, and beside them
`SYNTHETIC.json`, the truths that tests can check.
"""
