"""Write a stored model for other programs, checked against itself, with a model card."""
