"""Plugins tried out: questions to a defense, an attack, a data set or a model, with remedies."""
