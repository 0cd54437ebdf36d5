"""Labelled images: find, check, split and load them."""
