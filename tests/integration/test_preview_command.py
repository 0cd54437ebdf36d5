"""`cfft preview`: a sheet of several strategies, with and without a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from cfft.config.combinations import combinations
from cfft.config.run_config import RunConfig
from cfft.evaluation.preview import Combination, draw_preview
from cfft.plugin.registry import Registry

Command = Callable[..., Any]


def chosen(config: RunConfig) -> tuple[str, ...]:
    """Spell map, mask and fill of a configuration."""
    found = Combination.of(config)
    threshold = getattr(found.mask.strategy, "threshold", None)
    mask = found.mask.name if threshold is None else f"{found.mask.name} {threshold}"
    return found.cam.name, mask, found.fill.name


def test_strategies_are_combined_and_thresholds_given_to_masks_that_have_one(
    registry: Registry,
) -> None:
    names = {"mask": ["object", "random"], "fill": ["single", "multi"]}

    found = combinations(registry, {"rate": "0.25"}, names, thresholds=["0.2", "0.4"])

    assert [chosen(config) for config in found] == [
        ("relevance", "object 0.2", "single"),
        ("relevance", "object 0.2", "multi"),
        ("relevance", "object 0.4", "single"),
        ("relevance", "object 0.4", "multi"),
        ("relevance", "random", "single"),
        ("relevance", "random", "multi"),
    ]
    assert Combination.of(found[-1]).mask.strategy.rate == 0.25


def test_without_strategies_those_of_the_recipe_are_drawn(registry: Registry) -> None:
    (found,) = combinations(registry, {"recipe": "no-masking"}, {})

    assert chosen(found) == ("relevance", "none", "none")


def test_a_run_without_counterfactuals_is_drawn_with_the_defaults(registry: Registry) -> None:
    (found,) = combinations(registry, {"recipe": "vanilla"}, {})

    assert chosen(found) == ("relevance", "object 0.3", "single")


def test_further_views_of_a_recipe_are_drawn_unless_something_takes_turns(
    registry: Registry,
) -> None:
    (both,) = combinations(registry, {"recipe": "object-context"}, {})
    named = combinations(registry, {"recipe": "object-context"}, {"fill": ["none", "multi"]})

    views = [(each.view, each.mask.name, each.fill.name) for each in Combination.all_of(both)]
    assert views == [("", "object", "single"), ("context", "context", "single")]
    assert [len(Combination.all_of(each)) for each in named] == [1, 1]


def test_a_named_mask_has_the_fill_that_a_run_would_have(registry: Registry) -> None:
    (found,) = combinations(registry, {}, {"mask": ["context"]})

    assert chosen(found) == ("relevance", "context 0.5", "single")


def image(path: str) -> NDArray[np.uint8]:
    with Image.open(path) as opened:
        return np.asarray(opened)


@pytest.fixture
def words(world: Path, clip: tuple[Path, Path]) -> list[str]:
    """Name images and model."""
    return [
        *("--suite", "domains", "--data", str(world), "--id", "sunny", "--workers", "0"),
        *("--model", str(clip[0]), "--pretrained", str(clip[1]), "--prompts", "class-name"),
    ]


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_sheet_is_drawn_before_any_training_and_never_over_another(
    cfft_command: Command, words: list[str]
) -> None:
    first = cfft_command("preview", *words, "--pictures", "2", "--from", "dark")
    second = cfft_command("preview", *words, "--pictures", "3", "--fill", "none")

    small, large = image("preview.png").shape, image("preview-2.png").shape
    assert (first.code, first.out) == (0, "wrote preview.png\n"), first.err
    assert (second.code, second.out) == (0, "wrote preview-2.png\n"), second.err
    assert (small[0] * 3, small[1]) == (large[0] * 2, large[1])


def test_a_name_that_is_taken_while_a_sheet_is_drawn_is_not_used(
    cfft_command: Command, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def drawn(*given: Any) -> Any:
        Path("preview.png").write_text("another's")
        return draw_preview(*given)

    monkeypatch.setattr("cfft.evaluation.preview.draw_preview", drawn)

    ended = cfft_command("preview", *words, "--pictures", "2", "--from", "dark")

    assert (ended.code, ended.out) == (0, "wrote preview-2.png\n"), ended.err
    assert Path("preview.png").read_text() == "another's"


def test_every_view_has_its_columns_and_two_that_are_alike_have_them_once(
    cfft_command: Command, words: list[str]
) -> None:
    single = cfft_command("preview", *words, "--pictures", "2", "--recipe", "object-single")
    views = cfft_command("preview", *words, "--pictures", "2", "--recipe", "object-context")
    alike = cfft_command("preview", *words, "--pictures", "2", "--recipe", "best")

    assert (single.code, views.code, alike.code) == (0, 0, 0), views.err + alike.err
    widths = [image(path).shape[1] for path in ("preview.png", "preview-2.png", "preview-3.png")]
    assert [width * 4 // widths[0] for width in widths] == [4, 6, 2]
    assert "context: mask context" in views.err


def test_a_run_is_drawn_with_its_weights_and_settings(
    cfft_command: Command, words: list[str]
) -> None:
    trained = cfft_command(
        *("run", *words, "--fill", "none", "--threshold", "0.5", "--epochs", "0"),
        *("--batch-size", "8", "--out", "RUN"),
    )

    of_run = cfft_command("preview", "RUN", "--pictures", "2", "--out", "run.png")
    of_best = cfft_command(
        *("preview", "RUN/checkpoints/best", "--pictures", "2", "--out", "new/best.png"),
        *(*words[:8], "--fill", "none", "--thresholds", "0.5"),
    )

    assert (trained.code, of_run.code, of_best.code) == (0, 0, 0), of_run.err + of_best.err
    assert np.array_equal(image("run.png"), image("new/best.png"))


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (["--out", "mine.png"], "--out mine.png exists: give another path"),
        (["--out", "sheet.jpg"], "give a file that ends in .png, .pdf, .svg"),
        (["--mask", "objct"], "unknown mask 'objct'; did you mean 'object'?"),
        (["--thresholds", "0.2,x"], "mask.object.threshold: got 'x', allowed: a number"),
        (
            ["--mask", "random", "--thresholds", "0.2,0.4"],
            "mask 'random' has no threshold to vary: choose from context, object (--mask)",
        ),
        (["--pictures", "none"], "--pictures: got 'none', allowed: a whole number >= 1"),
        (["--from", "moon"], "unknown set 'moon'; allowed: dark, sunny, test, train"),
        (["--epochs", "3"], "unknown option --epochs"),
        (["nowhere"], "nowhere: no weights here; give a run directory"),
    ],
)
def test_what_cannot_be_drawn_ends_with_one_line(
    cfft_command: Command, words: list[str], change: list[str], line: str
) -> None:
    Path("mine.png").touch()

    ended = cfft_command("preview", *words, *change)

    assert ended.code == 2
    assert line in ended.err
    assert [path.name for path in Path().iterdir()] == ["mine.png"]


def test_images_of_other_classes_are_refused(
    cfft_command: Command, words: list[str], world: Path
) -> None:
    cfft_command("run", *words, "--epochs", "0", "--batch-size", "8", "--out", "RUN")
    (Path("others") / "one").mkdir(parents=True)
    (Path("others") / "one" / "cat").symlink_to(world / "sunny" / "red")
    (Path("others") / "one" / "dog").symlink_to(world / "sunny" / "blue")

    ended = cfft_command("preview", "RUN", "--suite", "domains", "--data", "others", "--id", "one")

    assert ended.code == 2
    assert "model 'RUN' knows 3 classes ('blue', 'green', 'red'), but suite 'domains'" in ended.err
