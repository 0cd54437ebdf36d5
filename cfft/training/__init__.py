"""One run, from a configuration to results.json; `sweep` is many runs."""
