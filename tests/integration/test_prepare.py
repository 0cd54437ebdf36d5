"""What is refused before training starts."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path

import attrs
import pytest

import cfft
from cfft import SuiteSets
from cfft.config.layers import Layer
from cfft.errors import ConfigError, DataError
from cfft.plugin.registry import Registry
from cfft.runtime.progress import Advance, Silent
from cfft.training.run import run


class Listening(Silent):
    def __init__(self) -> None:
        self.tasks: list[str] = []

    def task(self, name: str, total: int) -> AbstractContextManager[Advance]:
        self.tasks.append(name)
        return super().task(name, total)


def test_random_weights_are_refused_unless_they_are_asked_for(
    configure, layer: Layer, registry: Registry, tmp_path: Path
) -> None:
    del layer.settings["model"]["pretrained"]
    with pytest.raises(ConfigError, match="give --pretrained TAG"):
        run(configure(), registry, tmp_path / "run", dry_run=True)


def test_random_weights_may_be_asked_for(
    configure, layer: Layer, registry: Registry, tmp_path: Path
) -> None:
    layer.settings["model"]["pretrained"] = "random"
    assert run(configure(), registry, tmp_path / "run", dry_run=True)["steps"]["total"] > 0


def test_a_mistake_in_the_prompts_is_found_before_images_are_decoded(
    configure, layer: Layer, registry: Registry, tmp_path: Path
) -> None:
    layer.settings["model"]["prompts"] = "nolist"
    watcher = Listening()
    with pytest.raises(ConfigError, match="nolist"):
        run(configure(), registry, tmp_path / "run", reporter=watcher)
    assert watcher.tasks == []


def test_labels_that_mean_nothing_are_found_before_the_model_is_loaded(
    configure, layer: Layer, registry: Registry, tmp_path: Path
) -> None:
    @cfft.suite("shifted")
    class Shifted:
        """Give the sets of another suite, with labels from 1."""

        def open(self, seed: int) -> SuiteSets:
            sets = usual.suite.strategy.open(seed)
            whole = sets.train.whole
            labels = tuple(label + 1 for label in whole.labels)
            return attrs.evolve(sets, test=attrs.evolve(whole, labels=labels))

    layer.settings["model"]["pretrained"] = str(tmp_path / "nowhere.safetensors")
    usual = configure()
    shifted = attrs.evolve(usual.suite, strategy=Shifted())

    with pytest.raises(DataError, match=r"suite 'shifted': set .* labels that are none of"):
        run(attrs.evolve(usual, suite=shifted), registry, tmp_path / "run")


def test_a_map_that_cannot_be_made_leaves_no_directory(
    configure, layer: Layer, registry: Registry, tmp_path: Path
) -> None:
    layer.values["cam", "relevance"] = {"start_layer": 7}
    with pytest.raises(ConfigError, match="start_layer 7 does not exist"):
        run(configure(), registry, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_file_as_run_directory_is_called_a_file(
    configure, registry: Registry, tmp_path: Path
) -> None:
    (tmp_path / "run").write_text("mine")
    with pytest.raises(ConfigError, match="is a file"):
        run(configure(), registry, tmp_path / "run")


def test_a_run_directory_inside_a_file_is_refused(
    configure, registry: Registry, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ConfigError, match="file is a file"):
        run(configure(), registry, tmp_path / "file" / "run")
