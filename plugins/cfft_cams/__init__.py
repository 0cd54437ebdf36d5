"""Built-in cams of cfft."""
