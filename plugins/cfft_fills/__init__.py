"""Built-in fills of cfft."""
