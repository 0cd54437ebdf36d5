"""The verdict: changes with their intervals, worked by hand, and what is said of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import attrs
import numpy as np
import pytest
import torch

from cfft.report.as_json import as_json
from cfft.report.changes import Change, change, standings
from cfft.report.outcomes import read_outcome
from cfft.report.sources.records import AVERAGE, Material, ReportedModel
from cfft.report.summary import Summary, summarise
from cfft.report.tables.accuracies import results
from cfft.report.verdict import Verdict, verdict
from cfft.scoring.predictions import Predictions
from cfft.scoring.results import Role, SetResult

Made = Callable[..., ReportedModel]
ROLES: dict[str, Role] = {"photo": "id", "drawing": "ood", "sketch": "ood"}
IMAGES = 100


@pytest.fixture
def made(tmp_path: Path) -> Made:
    """Return `made(label, photo, drawing, sketch)`: so many of 100 images are right, the first."""

    def model(
        label: str,
        *right: int,
        group: str | None = None,
        start: bool = False,
        seed: int = 0,
        stored: bool = True,
        alpha: float | None = None,
        images: str = "image",
    ) -> ReportedModel:
        hits = dict(zip(ROLES, right, strict=False))
        paths = {name: tmp_path / label / f"{name}.npz" for name in hits}
        for name, count in hits.items():
            (tmp_path / label).mkdir(exist_ok=True)
            save(paths[name], count, f"{images} of {name}")
        return ReportedModel(
            label=label,
            source=label,
            kind="zero-shot" if start else "run",
            group=group or label,
            seed=seed,
            alpha=alpha,
            sets={
                name: SetResult(ROLES[name], count / IMAGES, IMAGES, 2)
                for name, count in hits.items()
            },
            files=paths if stored else {},
        )

    return model


def save(path: Path, right: int, name: str) -> None:
    """Write predictions for images of class 0 of which the first `right` are taken for it."""
    chosen = [0] * right + [1] * (IMAGES - right)
    logits = torch.nn.functional.one_hot(torch.tensor(chosen), 2).float()
    names = tuple(f"{name} {number}" for number in range(IMAGES))
    Predictions(logits, torch.zeros(IMAGES, dtype=torch.long), names, (0, 1)).save(path)


def summary(*models: ReportedModel) -> Summary:
    return summarise(Material(models))


def said(*models: ReportedModel) -> Verdict:
    return verdict(summary(*models))


def test_probabilities_are_those_of_the_true_and_of_the_chosen_label(tmp_path: Path) -> None:
    logits = torch.tensor([[0.0, 0.0, np.log(2.0)], [np.log(6.0), 0.0, 0.0]])
    stands_for = torch.tensor([0, 1, 1])
    of_two = Predictions(logits, torch.tensor([0, 1]), ("a", "b"), (0, 1, 2), stands_for=stands_for)
    of_two.save(tmp_path / "a.npz")

    found = read_outcome(tmp_path / "a.npz", "a", "subset")

    assert found.chosen.tolist() == [1, 0]
    assert found.true_share.tolist() == pytest.approx([1 / 4, 2 / 8])
    assert found.chosen_share.tolist() == pytest.approx([3 / 4, 6 / 8])


def test_a_change_is_a_mean_over_sets_with_an_interval_over_the_same_images(made: Made) -> None:
    before, after = made("start", 50, 60, 40, start=True), made("a", 80, 60, 60)

    found = change(summary(before, after), [before], [after], AVERAGE)

    assert found is not None
    assert (found.before, found.after) == (pytest.approx(0.5), pytest.approx(0.6))
    # 20 of 100 sketches became right: their share has a standard deviation of 0.04, half of it
    # counts, as drawings stay as they are image by image
    assert found.ci95 == (pytest.approx(0.06, abs=0.006), pytest.approx(0.14, abs=0.006))
    assert found.is_gain


def test_the_same_predictions_differ_by_nothing_however_images_are_drawn(made: Made) -> None:
    before, after = made("start", 50, 60, 40, start=True), made("a", 80, 60, 40)

    found = change(summary(before, after), [before], [after], AVERAGE)

    assert found == Change(0.5, 0.5, (0.0, 0.0))
    assert found.is_open


def test_seeds_are_averaged_before_their_interval_is_taken(made: Made) -> None:
    start = made("start", 50, start=True)
    seeds = [made("a0", 60, seed=0), made("a1", 40, seed=1)]

    found = change(summary(start, *seeds), [start, start], seeds, "photo")

    # half of what the 20 images between the seeds do either way: 0.5 x 20 % of images by +-1
    assert found is not None
    assert found.difference == pytest.approx(0)
    assert found.ci95 == (pytest.approx(-0.044, abs=0.008), pytest.approx(0.044, abs=0.008))


def test_other_images_are_not_paired(made: Made) -> None:
    before, after = made("start", 50, start=True), made("a", 80, images="other")

    assert change(summary(before, after), [before], [after], "photo") == Change(0.5, 0.8)


def test_accuracies_that_predictions_do_not_give_have_no_interval(made: Made) -> None:
    before, after = made("start", 50, start=True), made("a", 80)
    save(after.files["photo"], 79, "image of photo")

    assert change(summary(before, after), [before], [after], "photo") == Change(0.5, 0.8)


def test_one_run_is_told_by_what_it_gained_and_lost(made: Made) -> None:
    found = said(made("start", 50, 60, 60, start=True), made("vanilla", 80, 40, 40))

    (sentence,) = found.sentences
    assert sentence.startswith("vanilla gained 30.0 points in distribution (photo), to 80.0 % (95")
    assert "lost 20.0 points on the OOD average, to 40.0 % (95 % interval -2" in sentence
    assert found.notes == ("Intervals are for the choice of images, not for that of seeds.",)


def test_a_change_within_its_interval_is_neither_gain_nor_loss(made: Made) -> None:
    found = said(made("start", 50, start=True), made("a", 51))

    assert "a moved by +1.0 points in distribution (photo), to 51.0 %, within its" in str(found)
    assert "gained" not in str(found.sentences)


def test_without_predictions_the_verdict_says_that_it_has_no_interval(made: Made) -> None:
    found = said(made("start", 50, start=True, stored=False), made("a", 80, stored=False))

    assert found.sentences == (
        "a rose by 30.0 points in distribution (photo), to 80.0 %, compared with the model before "
        "fine-tuning; no interval, as no predictions of the same images are stored.",
    )
    assert found.notes == ()


def test_of_many_the_best_is_named_with_those_that_cannot_be_told_from_it(made: Made) -> None:
    found = said(
        made("start", 50, 60, 60, start=True),
        made("low", 90, 40, 40),
        made("best", 80, 71, 71),
        made("near", 80, 70, 71),
    )

    assert [each.name for each in found.standings] == ["best", "near", "low"]
    assert found.sentences[0].startswith("Of 3 configurations best is best on the OOD average: it")
    assert found.sentences[1].startswith("near cannot be told from it there: the paired")
    assert "In distribution (photo) low is best, +10.0 points" in found.sentences[2]
    assert found.level == ("near",)
    assert "chosen by the images that it is measured on" in found.notes[-1]


def test_a_clear_lead_names_the_next_one(made: Made) -> None:
    found = said(made("a", 90, 70, 70), made("b", 80, 40, 40))

    assert found.sentences[1].startswith("The next one, b, is 30.0 points lower (95 % interval -3")
    assert found.sentences[2] == "It is also the best in distribution (photo)."


def test_models_without_a_start_are_told_by_their_accuracies(made: Made) -> None:
    found = said(made("a", 80, 60, 60))

    assert found.sentences == (
        "a has 80.0 % in distribution (photo) and 60.0 % on the OOD average; no model before "
        "fine-tuning is here to compare it with.",
    )


@pytest.mark.parametrize(
    ("alphas", "names"),
    [((0.0, 0.5, 1.0), ["a, alpha 0.5", "a, alpha 1"]), ((0.5, 1.0, None), ["a, alpha 0.5", "a"])],
)
def test_the_ends_of_a_weight_ensemble_are_no_configurations(
    made: Made, alphas: Sequence[float | None], names: list[str]
) -> None:
    models = [made(f"a {alpha}", 80, group="a", alpha=alpha) for alpha in alphas]

    assert [each.name for each in standings(summary(*models))] == names


def test_each_run_is_compared_with_the_start_whose_accuracies_it_states(made: Made) -> None:
    starts = [made("one", 50, group="s", start=True), made("two", 60, group="t", start=True)]
    runs = [made("a", 70), made("b", 70)]
    known = [attrs.evolve(r, before={"photo": b}) for r, b in zip(runs, (0.6, 0.5), strict=True)]

    found = standings(summary(*starts, *known))

    assert [each.id and round(each.id.difference, 6) for each in found] == [0.1, 0.2]


def test_the_ood_average_of_runs_alone_has_its_interval(made: Made) -> None:
    model = made("a", 80, 60, 40)
    whole = summary(model)

    found = whole.interval(model, AVERAGE)

    # two sets of 100 images with a standard deviation of 0.049 each, and half of each counts
    assert found == (pytest.approx(0.432, abs=0.008), pytest.approx(0.568, abs=0.008))
    assert results(whole).spelt()[0][2].startswith("50.0 (43.")
    assert as_json(whole)["models"][0]["ood_ci95"] == list(found or ())


def test_the_data_have_the_verdict(made: Made) -> None:
    whole = summary(made("start", 50, start=True), made("a", 80))

    found = as_json(whole)["verdict"]

    (standing,) = found["changes"]
    assert standing["id"]["difference"] == pytest.approx(0.3)
    assert standing["ood_average"] is None
    assert found["sentences"] == list(verdict(whole).sentences)
