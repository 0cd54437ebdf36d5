"""Comparison of the images on disk with what a suite expects."""
