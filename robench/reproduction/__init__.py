"""The paper's tables and figures, each from a recipe: what is trained, attacked and shown."""
