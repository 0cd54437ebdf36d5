"""A model beyond its forward pass: heads, prompts, weight files, checkpoints, merging.

Whatever is stored of a model is read and written here, with the facts that its weights must be used
with. It builds no encoder itself; backbones do.
"""
