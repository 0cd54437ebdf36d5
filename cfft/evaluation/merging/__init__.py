"""Merge stored models by their weights, measured on validation images where that is asked for."""
