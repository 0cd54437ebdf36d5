"""Models that can stand side by side, and what is said where they cannot."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from cfft.errors import ConfigError
from cfft.report.sources.collect import collect
from cfft.report.sources.records import Material
from cfft.scoring.predictions import Predictions

Write = Callable[..., Path]
SUITE = {"use": "folder", "data": "/here", "split": [70.0, 30.0], "cache": "none"}


def labels(material: Material) -> list[str]:
    return [model.label for model in material.models]


def test_models_that_share_no_set_cannot_be_compared(write_run: Write, write_lines: Write) -> None:
    run, other = write_run("a", (0.8, 0.7, 0.6)), write_lines({"name": "b", "x": 0.9})

    with pytest.raises(ConfigError, match=r"b \(.*\) shares no set with any other model: it has x"):
        collect([str(run)], [other])


def test_a_set_cannot_be_id_for_one_model_and_ood_for_another(
    write_run: Write, write_lines: Write
) -> None:
    run, other = write_run("a", (0.8, 0.7, 0.6)), write_lines({"name": "b", "sketch": 0.9})

    with pytest.raises(ConfigError, match="set 'sketch' is OOD for a, before and ID for b"):
        collect([str(run)], [other])


@pytest.fixture
def narrow(write_run: Write) -> Path:
    """A run whose sketches show two of three classes."""
    run = write_run("narrow", (0.8, 0.7, 0.6))
    results = json.loads((run / "results.json").read_text())
    for entry in (results["sets"]["sketch"], results["before"]["sets"]["sketch"]):
        entry["classes"] = 2
    (run / "results.json").write_text(json.dumps(results))
    return run


def test_judgements_in_different_label_spaces_are_not_mixed(
    narrow: Path, write_evaluation: Write
) -> None:
    full = write_evaluation("e", label_space="full")

    with pytest.raises(
        ConfigError,
        match=r"narrow was judged .* \(label space subset\), .*e among all classes \(full\): "
        r"report them separately, or .* --from-predictions .*e --label-space subset",
    ):
        collect([str(narrow), str(full)], [])


def test_label_spaces_are_the_same_where_every_set_has_all_classes(
    write_run: Write, write_evaluation: Write
) -> None:
    run, full = write_run("a", (0.8, 0.7, 0.6)), write_evaluation("e", label_space="full")

    assert len(collect([str(run), str(full)], []).models) == 5


def test_imports_do_not_say_their_label_space(write_evaluation: Write, write_lines: Write) -> None:
    full = write_evaluation("e", label_space="full")
    imported = write_lines({"name": "a", "photo": 0.8})

    assert len(collect([str(full)], [imported]).models) == 4


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        (["zebra", "dog", "eel"], "a and .*e have different classes .class 0 is 'cat' and 'zebra'"),
        (["cat", "dog"], "have different classes .3 and 2.: report them separately"),
    ],
)
def test_sets_of_one_name_and_other_classes_are_not_put_side_by_side(
    write_run: Write, write_evaluation: Write, classes: list[str], words: str
) -> None:
    paths = [write_run("a", (0.8, 0.7, 0.6)), write_evaluation("e", classes=classes)]

    with pytest.raises(ConfigError, match=words):
        collect(list(map(str, paths)), [])


def test_classes_may_be_spelt_with_their_accents_apart(
    write_evaluation: Write,
) -> None:
    one = write_evaluation("one", classes=["caf\u00e9", "dog", "eel"])
    other = write_evaluation("other", classes=["cafe\u0301", "dog", "eel"])

    assert len(collect([str(one), str(other)], []).classes) > 1


def test_sets_of_another_suite_are_not_put_side_by_side(write_run: Write) -> None:
    run = write_run("a", (0.8, 0.7, 0.6), suite=SUITE)
    other = write_run("b", (0.8, 0.7, 0.6), suite={**SUITE, "use": "other"})

    with pytest.raises(
        ConfigError, match=r"a and .*b have different suites .* \(suite\.use: .* -> "
    ):
        collect([str(run), str(other)], [])


@pytest.fixture
def split(write_run: Write) -> Callable[[int], list[str]]:
    """Return `split(seed)`: two runs whose suites divide images in two ways."""

    def write(seed: int) -> list[str]:
        run = write_run("a", (0.8, 0.7, 0.6), suite=SUITE)
        other = write_run("b", (0.8, 0.7, 0.6), seed, suite={**SUITE, "split": [60.0, 40.0]})
        path = other / "predictions" / "drawing.npz"
        found = Predictions.load(path)
        names = tuple(f"other/{name}" for name in found.names)
        attrs.evolve(found, names=names).save(path)
        return [str(run), str(other)]

    return write


def test_other_settings_that_lead_to_other_images_are_refused(
    split: Callable[[int], list[str]],
) -> None:
    with pytest.raises(ConfigError, match=r"different suites and images \(suite\.split: "):
        collect(split(0), [])


def test_other_settings_of_runs_with_other_seeds_are_remarked_on(
    split: Callable[[int], list[str]],
) -> None:
    (note,) = collect(split(1), []).notes

    assert (
        "b have different settings (suite.split: [70.0, 30.0] -> [60.0, 40.0]): their ima" in note
    )


@pytest.mark.parametrize("change", [{"data": "/there"}, {"cache": "/tmp"}, {"new": 1}])
def test_where_images_lie_makes_no_other_suite(write_run: Write, change: dict[str, Any]) -> None:
    run = write_run("a", (0.8, 0.7, 0.6), suite=SUITE)
    other = write_run("b", (0.9, 0.7, 0.6), suite={**SUITE, **change})

    assert labels(collect([str(run), str(other)], [])) == ["a, before", "a", "b"]


def test_what_a_suite_trains_on_makes_no_other_images(write_run: Write) -> None:
    sizes = {"few": {"use": "s", "train": 10}, "many": {"use": "s", "train": 20}}
    runs = [write_run(name, (0.8, 0.7, 0.6), suite=suite) for name, suite in sizes.items()]
    kept = [run / "predictions" for run in runs]
    for folder in kept:
        (folder / "photo.npz").write_bytes((folder / "sketch.npz").read_bytes())

    assert labels(collect(list(map(str, runs)), [])) == ["few, before", "few", "many"]


def test_sets_of_one_name_and_more_images_are_remarked_on(
    write_run: Write, write_lines: Write, write_evaluation: Write
) -> None:
    run = write_run("a", (0.8, 0.7, 0.6))
    photo = {"role": "id", "top1": 0.9, "n": 999}
    more = write_evaluation("e", models=[{"model": "b", "group": "b", "sets": {"photo": photo}}])
    unknown = write_lines({"name": "c", "photo": 0.5})

    found = collect([str(run), str(more)], [unknown])

    assert found.notes == (
        "Accuracies on photo were measured on different images: "
        f"10 images in {run}; 999 images in {more}.",
    )
