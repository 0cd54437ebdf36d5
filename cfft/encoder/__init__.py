"""Vision transformers of open_clip and timm: towers, blocks, encoder, relevance.

The forward pass on the libraries' own parameters, with captured attention and dropped tokens. The
only room that knows their transformer blocks; it knows no training and no files.
"""
