"""State in an object store: a mirror folder on each host, kept in step with it."""
