"""Recipes: TOML files with the settings of known training routines."""
