"""Stored models over images: accuracies side by side, mask quality, labels, sheets.

From what a user names to evaluation.json: `models` finds and loads them, `images` opens the sets
and tells of leakage from training sets, `compare` puts models side by side, `files` writes,
`masks` measures masks, `merging` makes one model of several by their weights, `exporting` writes
one for other programs. It trains nothing.
"""
