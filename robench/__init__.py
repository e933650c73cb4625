"""Adversarial-training defenses compared at matched benign accuracy."""
