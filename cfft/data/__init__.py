"""Labelled pictures: find, check, split and load them."""
