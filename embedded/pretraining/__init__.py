"""How cfft-mini was pre-trained: `python -m embedded.pretraining --out DIR` repeats it."""
