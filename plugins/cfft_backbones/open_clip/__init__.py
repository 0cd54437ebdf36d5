"""The open_clip backbone, with the model that cfft ships."""
