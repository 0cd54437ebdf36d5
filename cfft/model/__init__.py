"""A model beyond its forward pass: heads, prompts, weight files, checkpoints, merging."""
