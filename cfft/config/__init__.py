"""The configuration of a run: layers, their resolution, comparison of two configurations."""
