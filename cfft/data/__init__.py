"""Labelled images and suites: find, check, split and load them.

`suite` declares what a suite gives, `verification` compares the images on disk with what is
expected, `prepared` stores them at a model's input size. It knows no model and no strategy but the
suite that it is given.
"""
