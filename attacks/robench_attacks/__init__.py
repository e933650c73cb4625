"""Built-in attacks; registered through entry points, as a third party's are."""
