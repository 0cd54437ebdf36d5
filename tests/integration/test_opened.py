"""A stored model for given images: its classes are matched with theirs by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from cfft.config.resolve import RunConfig
from cfft.errors import DataError
from cfft.evaluation.models.load import opened_model
from cfft.model.rebuild import Rebuilt
from cfft.plugin.registry import Registry
from cfft.runtime.devices import make_accelerator
from cfft.runtime.progress import Silent

Open = Callable[..., Rebuilt]


@pytest.fixture
def opened(runs: Path, configure: Callable[..., RunConfig], registry: Registry) -> Open:
    """Return `opened(*classes)`: a run's model for images of these classes."""
    path, accelerator = runs / "seed0", make_accelerator("fp32")
    return lambda *classes: opened_model(
        path, configure(), classes, registry, accelerator, Silent()
    )


def test_outputs_follow_the_classes_of_the_images(opened: Open) -> None:
    images = torch.rand(2, 3, 16, 24, generator=torch.Generator().manual_seed(0))

    same, other = opened("blue", "green", "red"), opened("red", "blue")

    assert other.description.classes == ("red", "blue")
    torch.testing.assert_close(
        other.classifier(images).logits, same.classifier(images).logits[:, [2, 0]]
    )


def test_classes_that_a_model_does_not_know_are_named(opened: Open) -> None:
    with pytest.raises(DataError, match=r"knows 3 classes .*1 of them unknown to it: 'cat'"):
        opened("blue", "cat")
