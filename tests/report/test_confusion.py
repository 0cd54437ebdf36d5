"""Confusion matrices: over seeds, of few classes and of many."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
import torch

from cfft.errors import DataError
from cfft.report.confusion import Confusion, Pair, confusions
from cfft.report.figures.heatmaps import heat_maps
from cfft.report.sources.collect import collect
from cfft.report.sources.records import ReportedModel
from cfft.report.summary import Group, summarise
from cfft.report.tables.mistakes import most_frequent, of_one
from cfft.scoring.predictions import Predictions
from cfft.scoring.results import SetResult
from cfft.scoring.scores import LabelSpace

Write = Callable[..., Path]


def found_in(*runs: Path) -> list[Confusion]:
    material = collect(list(map(str, runs)), [])
    return confusions(summarise(material).groups, material.classes)


def saved(path: Path, labels: list[int], chosen: list[int], classes: int) -> Path:
    """Write predictions of as many images as there are labels."""
    logits = torch.nn.functional.one_hot(torch.tensor(chosen), classes).float()
    names = tuple(map(str, range(len(labels))))
    Predictions(logits, torch.tensor(labels), names, tuple(range(classes))).save(path)
    return path


def group(*paths: Path, alpha: float | None = None) -> Group:
    sets = {"drawing": SetResult("ood", 0.5)}
    models = [
        ReportedModel(
            label=f"a{seed}",
            source=f"run {seed}",
            kind="run",
            group="a",
            sets=sets,
            seed=seed,
            alpha=alpha,
            files=files,
        )
        for seed, files in enumerate({"drawing": path} for path in paths)
    ]
    return Group("a", tuple(models))


def test_confusion_counts_what_was_taken_for_what(write_run: Write) -> None:
    first = found_in(write_run("a", (0.8, 0.7, 0.6)))[0]

    assert (first.group, first.set, first.classes) == ("vanilla", "drawing", ("cat", "dog", "eel"))
    assert first.counts.toarray().tolist() == [[1, 1, 0], [0, 1, 0], [2, 0, 0]]
    assert first.pairs() == [Pair("eel", "cat", 2, 1.0), Pair("cat", "dog", 1, 0.5)]


def test_seeds_of_a_configuration_are_one_confusion_of_means(tmp_path: Path) -> None:
    first = saved(tmp_path / "0.npz", [0, 0, 1, 1], [0, 1, 1, 0], classes=2)
    second = saved(tmp_path / "1.npz", [0, 0, 1, 1], [1, 1, 1, 1], classes=2)

    (found,) = confusions([group(first, second)], {})

    assert (found.models, found.images, found.mistaken) == (2, 4, 2)
    assert found.pairs() == [Pair("0", "1", 1.5, 0.75), Pair("1", "0", 0.5, 0.25)]


@pytest.mark.parametrize(("space", "mistaken"), [("subset", 0), ("full", 2)])
def test_mistakes_are_those_of_the_label_space_that_top1_was_judged_in(
    tmp_path: Path, space: LabelSpace, mistaken: int
) -> None:
    logits = torch.tensor([[2.0, 1.0, 3.0], [1.0, 2.0, 3.0]])  # a class that the set lacks wins
    of_two = Predictions(logits, torch.tensor([0, 1]), ("a", "b"), (0, 1))
    of_two.save(tmp_path / "0.npz")
    (model,) = group(tmp_path / "0.npz").models
    judged = attrs.evolve(model, label_space=space)

    (found,) = confusions([Group("a", (judged,))], {})

    assert (found.images, found.mistaken) == (2, mistaken)


def test_weight_ensembles_have_no_confusion(tmp_path: Path) -> None:
    path = saved(tmp_path / "0.npz", [0, 1], [0, 0], classes=2)

    assert confusions([group(path, alpha=0.5)], {}) == []


def test_seeds_of_other_classes_are_not_mixed(tmp_path: Path) -> None:
    path = saved(tmp_path / "0.npz", [0, 1], [0, 0], classes=2)
    names = {"run 0": ("cat", "dog"), "run 1": ("dog", "cat")}

    with pytest.raises(DataError, match="run 1 has other classes than run 0, though both are 'a'"):
        confusions([group(path, path)], names)


def test_predictions_of_more_classes_than_there_are_names_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "0.npz", [0, 1], [0, 1], classes=2)

    with pytest.raises(DataError, match="has class 1, of 1 classes"):
        confusions([group(path)], {"run 0": ("cat",)})


def test_a_few_classes_have_a_heat_map_whose_diagonal_orders_the_axes(write_run: Write) -> None:
    figure = heat_maps(found_in(write_run("a", (0.8, 0.7, 0.6))))

    assert [row[:2] for row in figure.panels[0].data["cells"].rows[:3]] == [
        ("cat", "cat"),
        ("dog", "dog"),
        ("eel", "eel"),
    ]


@pytest.fixture
def of_many(tmp_path: Path) -> Confusion:
    """Return what is found where each of 1,000 classes is taken for the next one."""
    labels = list(range(1000))
    path = saved(tmp_path / "0.npz", labels, [*labels[1:], 0], classes=1000)
    return confusions([group(path)], {})[0]


def test_many_classes_have_no_heat_map_and_thirty_pairs(of_many: Confusion) -> None:
    assert heat_maps([of_many]).panels == ()
    assert len(of_many.pairs()) == 30


def test_a_page_says_what_it_leaves_out_of_many_classes(of_many: Confusion) -> None:
    assert of_one(of_many).notes == (
        "Of 1,000 images, 1,000 were taken for another class; the 30 pairs above are 3 % of "
        "these mistakes.",
        "No heat map: 1,000 classes occur here, and one of more than 40 cannot be read.",
    )


def test_mistakes_that_are_all_shown_are_not_called_a_part(write_run: Write) -> None:
    first = found_in(write_run("a", (0.8, 0.7, 0.6)))[0]

    assert of_one(first).notes == ("Of 5 images, 3 were taken for another class.",)


def test_the_table_of_all_confusions_names_configuration_and_set(write_run: Write) -> None:
    table = most_frequent(found_in(write_run("a", (0.8, 0.7, 0.6))))

    assert table.spelt()[0] == ["vanilla", "drawing", "eel", "cat", "2", "100.0"]
