"""Images that became wrong or right: which, in what order, and where they are found."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from cfft.report.changed import Changed, changed_images
from cfft.report.figures.changed import Gallery, galleries
from cfft.report.sources.collect import collect
from cfft.report.sources.images import StoredImages
from cfft.report.sources.records import Material, ReportedModel
from cfft.report.summary import summarise
from cfft.report.tables.changed import changed_counts
from cfft.report.verdict import verdict
from cfft.report.write import write_report
from cfft.scoring.predictions import Predictions
from cfft.scoring.results import SetResult

Write = Callable[..., Path]
NAMES = ("cat/0.png", "cat/1.png", "dog/0.png", "dog/1.png")
LABELS = torch.tensor([0, 0, 1, 1])
BEFORE = [[0.0, 1.0], [3.0, 0.0], [0.0, 1.0], [0.0, 2.0]]  # wrong, right, right, right
AFTER = [[1.0, 0.0], [0.0, 1.0], [2.0, 0.0], [0.0, 2.0]]  # right, wrong, wrong, right


def save(path: Path, logits: list[list[float]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Predictions(torch.tensor(logits), LABELS, NAMES, (0, 1)).save(path)
    return path


def models(root: Path) -> Material:
    """Return a model before and one after, on a set of two cats and two dogs."""
    made = [
        ReportedModel(
            label=label,
            source="runs/a",
            kind=kind,
            group=label,
            seed=0,
            sets={"photo": SetResult("id", 0.5), "drawing": SetResult("ood", top1, 4, 2)},
            files={"drawing": save(root / f"{label}.npz", logits)},
        )
        for label, kind, top1, logits in (
            ("start", "zero-shot", 0.75, BEFORE),
            ("a", "run", 0.5, AFTER),
        )
    ]
    return Material(tuple(made), classes={"runs/a": ("cat", "dog")})


def found_in(material: Material) -> list[Changed]:
    summary = summarise(material)
    return changed_images(summary, verdict(summary))


def gallery(material: Material, suite: dict[str, Any], *, wanted: bool = True) -> Gallery:
    known = Material(material.models, material.classes, {"runs/a": suite})
    (only,) = galleries(found_in(known), StoredImages(known, wanted))
    return only


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Write a suite of cats and dogs whose OOD set holds the images of NAMES, each of its grey."""
    root = tmp_path / "data"
    for part in ("train", "val", "test", "ood/drawing"):
        for grey, name in enumerate(NAMES):
            file = root / part / name
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (600, 300), (60 * grey, 60 * grey, 60 * grey)).save(file)
    return root


def test_those_whose_true_class_changed_its_probability_most_come_first(tmp_path: Path) -> None:
    (found,) = found_in(models(tmp_path))

    assert (found.images, found.wrong, found.right) == (4, 2, 1)
    # cat/1.png falls from 95 to 27 %, dog/0.png from 73 to 12 %
    assert [each.name for each in found.became_wrong] == ["cat/1.png", "dog/0.png"]
    assert [each.name for each in found.became_right] == ["cat/0.png"]
    image = found.became_wrong[0]
    assert (image.true, image.before.chosen, image.after.chosen) == ("cat", "cat", "dog")
    assert image.before.true_share == pytest.approx(0.9526, abs=1e-4)
    assert image.after.share == pytest.approx(0.7311, abs=1e-4)


def test_no_more_images_are_shown_than_there_is_room_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cfft.report.changed.MOST_IMAGES", 1)

    (found,) = found_in(models(tmp_path))

    assert (found.wrong, len(found.became_wrong)) == (2, 1)


def test_without_a_start_the_others_are_compared_with_the_best(tmp_path: Path) -> None:
    made = models(tmp_path)
    renamed: Sequence[ReportedModel] = [
        *(m for m in made.models if not m.is_start),
        ReportedModel(
            **{
                **{name: getattr(made.models[0], name) for name in ("source", "seed", "files")},
                "sets": made.models[0].sets,
                "label": "b",
                "group": "b",
                "kind": "run",
            }
        ),
    ]

    (found,) = found_in(Material(tuple(renamed), classes=made.classes))

    assert (found.before.label, found.after.label) == ("a", "b")
    assert (found.configuration, found.wrong, found.right) == ("from a to b", 1, 2)


def test_the_table_counts_them(tmp_path: Path) -> None:
    assert changed_counts(found_in(models(tmp_path))).spelt() == [
        ["start", "a", "drawing", "4", "2", "1", "-25.0"]
    ]


def test_the_images_come_from_the_suite_of_the_run(tmp_path: Path, folder: Path) -> None:
    found = gallery(models(tmp_path), {"use": "folder", "data": str(folder)})

    assert found.missing == ""
    first = found.became_wrong[0]
    assert first.address.startswith("data:image/webp;base64,")
    assert first.size == (256, 128)
    assert first.words == (
        "cat/1.png, cat: before cat 95 %, after dog 73 %; cat 95 % before, 27 % after"
    )


def test_images_that_are_gone_leave_their_names_and_the_reason(
    tmp_path: Path, folder: Path
) -> None:
    (folder / "ood" / "drawing" / "cat" / "1.png").unlink()

    found = gallery(models(tmp_path), {"use": "folder", "data": str(folder)})

    assert found.missing == "the set has no image 'cat/1.png' any more"
    assert [(each.said.name, each.address) for each in found.became_wrong] == [
        ("cat/1.png", ""),
        ("dog/0.png", ""),
    ]


@pytest.mark.parametrize(
    ("suite", "reason"),
    [
        ({}, "nothing says which suite they are from"),
        ({"use": "no-such"}, "unknown suite 'no-such'"),
        ({"use": "folder", "data": "nowhere"}, "nowhere"),
    ],
)
def test_a_suite_that_cannot_be_opened_is_no_error(
    tmp_path: Path, suite: dict[str, Any], reason: str
) -> None:
    assert reason in gallery(models(tmp_path), suite).missing


def test_nobody_who_wants_no_images_has_a_suite_opened(tmp_path: Path, folder: Path) -> None:
    found = gallery(models(tmp_path), {"use": "folder", "data": str(folder)}, wanted=False)

    assert found.missing == "--no-images was given"


def test_the_page_shows_what_became_wrong_between_the_models_of_a_run(write_run: Write) -> None:
    run = write_run("a", (0.8, 0.7, 0.6))
    before = torch.nn.functional.one_hot(torch.tensor([0, 0, 1, 2, 2]), 3).float()
    names = tuple(f"{number}.png" for number in range(5))
    (run / "predictions" / "before").mkdir()
    Predictions(before, torch.tensor([0, 0, 1, 2, 2]), names, (0, 1, 2)).save(
        run / "predictions" / "before" / "sketch.npz"
    )

    write_report(summarise(collect([str(run)], [])), run.parent / "out")

    page = (run.parent / "out" / "report.html").read_text("utf-8")
    assert "1 of 5 images became wrong" in page
    assert "4.png, eel: before eel 58 %, after dog 58 %" in page
    assert "Names alone, as the images are not there: nothing says which suite" in page
