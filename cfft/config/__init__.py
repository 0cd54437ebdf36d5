"""The configuration of a run: defaults < recipe < file < command line.

Reads the layers, resolves them against the installed strategies, reports all problems together, and
compares two configurations. It opens no image and loads no weights.
"""
