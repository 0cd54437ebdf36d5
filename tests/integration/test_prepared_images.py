"""However images reach a run, decoded, kept or prepared: the same weights and the same table."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from cfft.config.run_config import RunConfig
from cfft.data import file_states
from cfft.data.images import ImageFiles
from cfft.model import checkpoint
from cfft.plugin.registry import Registry
from cfft.runtime.progress import Plan, Silent
from cfft.training.prepared_images import prepare_images
from cfft.training.run import run

Command = Callable[..., Any]


class Hearing(Silent):
    """Remember the plan."""

    def __init__(self) -> None:
        self.facts: dict[str, str] = {}
        self.warnings: tuple[str, ...] = ()

    def planned(self, plan: Plan) -> None:
        self.facts.update({name: value for _, name, value in plan.facts})
        self.warnings = plan.warnings


@pytest.fixture
def read_files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """Return the image files that are read from here on; prepared ones lie in a new folder."""
    monkeypatch.setenv("CFFT_PREPARED", str(tmp_path / "prepared"))
    monkeypatch.setattr(file_states, "_UNSETTLED", 0)
    names: list[str] = []
    read = ImageFiles.read

    def noting(images: ImageFiles, index: int) -> Any:
        names.append(images.paths[index])
        return read(images, index)

    monkeypatch.setattr(ImageFiles, "read", noting)
    return names


def trained(config: RunConfig, registry: Registry, out: Path) -> tuple[Hearing, dict[str, Any]]:
    """Return what the run says, its last weights and what it measured."""
    hearing = Hearing()
    results = run(config, registry, out, reporter=hearing)
    weights = checkpoint.load_model(out / "checkpoints" / "last").weights
    return hearing, {**weights, **{name: each.top1 for name, each in results.sets.items()}}


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(
        torch.equal(torch.as_tensor(one[key]), torch.as_tensor(other[key])) for key in one
    )


def test_runs_end_alike_with_decoded_kept_and_prepared_images(
    configure: Callable[..., RunConfig], registry: Registry, tmp_path: Path, read_files: list[str]
) -> None:
    _, decoded = trained(configure(keep_decoded="none"), registry, tmp_path / "decoded")
    each_time = len(read_files)
    read_files.clear()

    hearing, kept = trained(configure(keep_decoded="auto"), registry, tmp_path / "kept")

    assert same(decoded, kept)
    assert "sunny-train, sunny-val, sunny, dark" in hearing.facts["kept in memory"]
    # the second epoch, its validation, and what is measured before and after
    assert len(read_files) + 21 + 3 + 18 <= each_time

    prepare_images(configure(), Silent())
    read_files.clear()
    hearing, prepared = trained(configure(), registry, tmp_path / "prepared-run")

    assert same(decoded, prepared)
    assert "kept in memory" not in hearing.facts
    assert hearing.facts["prepared"] == "dark: 12 of 12 images"  # the last of several
    assert 2 * len(read_files) < each_time  # samples that are looked at before and after


def test_prepare_tells_what_there_is_and_evaluation_reads_it(
    cfft_command: Command,
    world: Path,
    clip: tuple[Path, Path],
    tmp_path: Path,
    read_files: list[str],
) -> None:
    model = ("--model", str(clip[0]), "--pretrained", str(clip[1]), "--workers", "0", "--json")
    suite = ("--id", "sunny", *model)
    measured = ("eval", "zero-shot", "--suite", "domains", "--data", str(world), *suite)
    before = cfft_command(*measured, "--prompts", "class-name", "--out", str(tmp_path / "before"))
    read_files.clear()

    ended = cfft_command("data", "prepare", "domains", str(world), *suite)
    made = {each["name"]: each for each in json.loads(ended.out)["sets"]}
    read_files.clear()
    after = cfft_command(*measured, "--prompts", "class-name", "--out", str(tmp_path / "after"))

    assert (made["dark"]["images"], made["dark"]["stored"], made["dark"]["new"]) == (12, 12, 12)
    assert read_files == []
    sets = [json.loads(each.out)["models"][0]["sets"] for each in (before, after)]
    assert sets[0] == sets[1]
