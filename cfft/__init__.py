"""Counterfactual fine-tuning: the public API, imported on first use.

`__init__.pyi` beside this file lists every public name and where it lives.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
