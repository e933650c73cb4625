"""Classifiers that robench did not train: brought in, checked, attacked, reported beside others."""
