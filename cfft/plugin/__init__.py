"""Kinds of strategy, their declaration, hooks, and the registry of what is installed."""
