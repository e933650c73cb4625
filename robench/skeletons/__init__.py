"""Packages of plugins to start from: templates as data, filled in and written."""
