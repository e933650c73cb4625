"""Built-in datasets; registered through entry points, as a third party's are."""
