"""One training step: clean pass, map, mask, fill, second passes, terms. This is the method.

Strategies come in as plain callables and tensors. It may not know where they, the model or the
images come from: no configuration, no files, no registry, no process group.
"""
