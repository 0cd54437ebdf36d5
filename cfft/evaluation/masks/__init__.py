"""How well masks cover objects: the figures, what is measured, and for which models and sets."""
