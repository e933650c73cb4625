"""Built-in defenses; registered through entry points, as a third party's are."""
