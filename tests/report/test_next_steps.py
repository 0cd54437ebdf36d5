"""Rules that say what to do next, one by one and in their order."""

from __future__ import annotations

from typing import Any

import pytest

from cfft.report.changes import Change
from cfft.report.next_steps import Situation, next_steps

GAIN, LOSS = (0.02, 0.08), (-0.08, -0.02)
OPEN = (-0.02, 0.03)
DISTILLED = {"loss": [{"use": "feature-mse", "weight": 2.0}]}


def moved(ci95: tuple[float, float] | None) -> Change:
    return Change(0.5, 0.55, ci95)


def steps(**facts: Any) -> list[str]:
    known: dict[str, Any] = {"id": moved(GAIN), "ood": moved(GAIN), "seeds": (0, 1, 2)}
    return next_steps(Situation(name="a", id_set="photo", **(known | facts)))


def test_gains_over_several_seeds_ask_for_nothing() -> None:
    assert steps() == []


def test_ood_accuracy_lost_without_a_loss_that_keeps_it_asks_for_such_a_recipe() -> None:
    (step,) = steps(ood=moved(LOSS), config={"loss": []})

    assert "cfft run --recipe no-masking or --recipe best" in step


def test_ood_accuracy_lost_in_spite_of_losses_asks_for_twice_their_weights() -> None:
    losses = [*DISTILLED["loss"], {"use": "feature-mse", "label": "again", "weight": 0.75}]

    (step,) = steps(ood=moved(LOSS), config={"loss": losses})

    assert "--set loss.feature-mse.weight=4 --set loss.again.weight=1.5" in step


@pytest.mark.parametrize("ci95", [LOSS, OPEN])
def test_nothing_gained_in_distribution_asks_for_more_training(ci95: tuple[float, float]) -> None:
    (step,) = steps(id=moved(ci95), config={"training": {"epochs": 3, "lr": 1e-5}})

    assert step == (
        "Nothing was gained on photo: train longer (--epochs 6), or with a larger learning rate "
        "(--lr 2e-05)."
    )


@pytest.mark.parametrize(("seed", "others"), [(0, "1 and --seed 2"), (1, "0 and --seed 2")])
def test_one_seed_asks_for_two_others(seed: int, others: str) -> None:
    (step,) = steps(seeds=(seed,))

    assert f"repeat it with --seed {others} to see" in step


def test_an_ood_change_within_its_interval_asks_for_more_images() -> None:
    (step,) = steps(ood=moved(OPEN))

    assert step.startswith("The change on the OOD average is within its interval: measure on more")


def test_configurations_level_with_the_best_are_named() -> None:
    (step,) = steps(level=("b", "c"))

    assert step.startswith("b, c cannot be told from a: measure on more OOD images")


@pytest.mark.parametrize(
    ("start", "classes", "count"),
    [(0.19, 10, 1), (0.2, 10, 0), (0.002, 1000, 1), (0.003, 1000, 0), (0.4, 3, 1), (0.5, 3, 0)],
)
def test_a_start_about_as_good_as_guessing_asks_for_other_prompts(
    start: float, classes: int, count: int
) -> None:
    found = steps(start=start, classes=classes)

    assert len(found) == count
    assert all(f"near chance on photo ({100 * start:.1f} % with {classes}" in s for s in found)


def test_at_most_two_steps_are_given_the_gravest_first() -> None:
    first, second = steps(
        ood=moved(LOSS), id=moved(OPEN), seeds=(0,), start=0.1, classes=10, config=DISTILLED
    )

    assert first.startswith("Before fine-tuning the model is near chance")
    assert second.startswith("OOD accuracy was lost")


def test_without_intervals_nothing_is_called_lost() -> None:
    assert steps(id=moved(None), ood=moved(None)) == []
