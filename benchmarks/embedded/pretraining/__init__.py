"""How cfft-mini came about: `python -m benchmarks.embedded.pretraining --out DIR`."""
