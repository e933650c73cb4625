"""The built-in zoos."""
