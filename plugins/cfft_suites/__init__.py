"""Built-in suites of cfft."""
