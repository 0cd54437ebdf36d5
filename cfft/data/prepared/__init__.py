"""Images stored at a model's input size, which are read in place of their files.

`shards` is the form on disk, `store` finds what is there for a set; cfft.data.preparing adds to it.
"""
