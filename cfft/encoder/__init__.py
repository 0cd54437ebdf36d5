"""Vision transformers of open_clip and timm: blocks, encoder, relevance."""
