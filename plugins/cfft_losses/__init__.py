"""Built-in losses of cfft."""
