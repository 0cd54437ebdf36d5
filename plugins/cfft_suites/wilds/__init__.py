"""The suite `wilds`: data sets of the WILDS package."""
