"""Kinds of strategy, their one declaration, hooks, and the registry of what is installed.

From a strategy's declaration come options, TOML keys, listings, checks and pages. The only room
that knows pluggy; it may not name a strategy.
"""
