"""The suite `hf`: data sets of the Hugging Face hub or in its formats."""
