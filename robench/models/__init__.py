"""Built-in models; registered through entry points, as a third party's are."""
