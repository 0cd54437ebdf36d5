"""Built-in backbones of cfft."""
