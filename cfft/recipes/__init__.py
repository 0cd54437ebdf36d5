"""Recipes: TOML files with the settings of known training routines and sweeps.

Data, no code: here alone may the core name strategies.
"""
