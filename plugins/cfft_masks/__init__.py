"""Built-in masks of cfft."""
