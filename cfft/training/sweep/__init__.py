"""Many runs that belong together: rows of a table, their seeds, parameters chosen on validation."""
