"""One module a fusion: how an arm's modalities become one score. seeds/fusions.csv names them."""
