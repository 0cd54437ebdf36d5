"""The suite `domains`: one folder per domain, one per class in it."""
