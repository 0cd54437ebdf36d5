"""One training step: clean pass, map, mask, fill, second passes, terms."""
