"""Built-in teachers of cfft."""
