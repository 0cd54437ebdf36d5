"""The suite `webdataset`: tar files as WebDataset writes them."""
