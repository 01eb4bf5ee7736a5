"""The recipes of the models that the package ships; run from a checkout."""
