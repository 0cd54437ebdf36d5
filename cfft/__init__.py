"""Counterfactual fine-tuning of vision transformers, robust under distribution shift.

    results = cfft.run(suite="folder", data="images", model="ViT-B-32", pretrained="openai")
    model = cfft.load("runs/a")                # model.predict(images)
    cfft.evaluate(["zero-shot", "runs/a"])     # models side by side
    model = cfft.starting_model(model="ViT-B-32", pretrained="openai", classes=["cat", "dog"])
    step = cfft.training_step(model)           # the method in your own loop
    cfft.save(model, "mine")

Their doc-strings say more (`help(cfft.run)`). Plug-ins declare strategies with `cfft.mask`,
`cfft.loss` and the like. Every name is imported on first use; `__init__.pyi` lists them by reader.
"""

from typing import Any

import lazy_loader

_attribute, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("cfft")
    return _attribute(name)
