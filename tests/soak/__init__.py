"""Faults while digits are trained, evaluated and reported: nothing is lost, no number is wrong.

`python -m soak` with tests/ on the path, or `make soak`.
"""
