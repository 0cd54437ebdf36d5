"""How cfft-mini was pre-trained: `python -m benchmarks.embedded.pretraining --out DIR` repeats it."""
