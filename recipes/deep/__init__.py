"""The recipe of the model `deep`."""
