"""Options of the command line, derived from the declarations of strategies."""
