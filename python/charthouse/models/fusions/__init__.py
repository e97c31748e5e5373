"""One module a fusion (a row of seeds/registries/fusions.csv): how modalities become one score."""
