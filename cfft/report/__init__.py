"""One page about several models: what they were measured at, side by side, and how they came."""
