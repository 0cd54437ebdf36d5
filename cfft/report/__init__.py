"""One HTML page about several models, with its tables and figures as files.

Made from files on disk alone: results.json, evaluation.json, predictions, published accuracies.
It computes nothing from images, shows some that changed, and loads no model.
"""
