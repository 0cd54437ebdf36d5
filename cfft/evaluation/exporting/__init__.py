"""Write a stored model for other programs, checked against itself, with a card that describes it."""
