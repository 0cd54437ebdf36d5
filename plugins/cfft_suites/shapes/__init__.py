"""The embedded world `shapes`: drawn images with exact masks, from one causal graph.

A confounder ties a class to a background family; the object layer and the background are drawn
apart from each other and put together last.
"""
