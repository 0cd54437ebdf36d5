"""Coverage of objects by masks: segmentations, figures, and a study of models and sets."""
