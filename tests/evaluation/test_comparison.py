"""Averages, intervals, paired differences and groups of seeds, by hand where that is possible."""

from __future__ import annotations

import numpy as np
import pytest

from cfft.evaluation.compare.baseline import baseline_line
from cfft.evaluation.compare.comparison import compare
from cfft.evaluation.compare.groups import group_names, in_groups
from cfft.evaluation.compare.measured import MeasuredModel, MeasuredSet
from cfft.evaluation.files.evaluation import Gap, Identity
from cfft.runtime.json_files import as_json
from cfft.scoring.intervals import REPLICATES, interval95, resampled_top1
from cfft.scoring.results import Role, SetResult
from cfft.scoring.robustness import AccuracyLine
from cfft.scoring.spread import Spread


def measured(
    role: Role,
    correct: list[int],
    images: str = "same",
    original: list[int] | None = None,
    originals: str = "",
) -> MeasuredSet:
    outcome = np.array(correct, dtype=bool)
    top1 = float(outcome.mean())
    numbers = np.arange(len(outcome)) if original is None else np.array(original)
    counts = {"n": len(outcome), "originals": len(set(numbers.tolist()))}
    score = SetResult(role, top1, classes=2, ci95=(0.0, 1.0), **counts)
    return MeasuredSet(score, outcome, images, numbers, originals or images)


def model(label: str, group: str = "", seed: int | None = None, **sets: MeasuredSet):
    return MeasuredModel(Identity(label, label, "run", group or label, seed), sets)


def test_a_model_gets_the_same_replicates_in_any_company() -> None:
    one, other = np.array([True, False, True]), np.array([False, False, True])

    alone = resampled_top1([one], np.arange(3), "art")
    beside = resampled_top1([other, one], np.arange(3), "art")

    assert alone.shape == (1, REPLICATES)
    np.testing.assert_array_equal(alone[0], beside[1])


def test_the_interval_of_many_images_is_that_of_the_normal_distribution() -> None:
    correct = np.arange(1000) % 5 > 0

    low, high = interval95(resampled_top1([correct], np.arange(1000), "art")[0])

    half = 1.96 * np.sqrt(0.8 * 0.2 / 1000)
    assert (low, high) == (pytest.approx(0.8 - half, abs=4e-3), pytest.approx(0.8 + half, abs=4e-3))


def test_versions_of_an_image_are_drawn_together() -> None:
    correct, versions = np.arange(100) % 5 > 0, np.tile(np.arange(100), 5)

    alone = resampled_top1([correct], np.arange(100), "art")
    five_times = resampled_top1([np.tile(correct, 5)], versions, "art")

    np.testing.assert_allclose(five_times, alone)


def average_interval(sets: dict[str, MeasuredSet]) -> tuple[float, float]:
    (found,) = compare([model("m", **sets)], None, {}).models
    return found.ood_ci95


def test_sets_that_show_the_same_images_make_the_average_no_surer() -> None:
    right = [int(place % 5 > 0) for place in range(100)]
    one = {"fog": measured("ood", right, "fog", originals="test")}
    both = one | {"snow": measured("ood", right, "snow", originals="test")}
    apart = one | {"snow": measured("ood", right, "snow")}

    alone, same, other = (average_interval(sets) for sets in (one, both, apart))

    assert same == pytest.approx(alone)
    assert other[1] - other[0] == pytest.approx((alone[1] - alone[0]) / 2**0.5, rel=0.1)


def test_paired_differences_of_sets_that_show_the_same_images_are_drawn_together() -> None:
    def pair(**others: str) -> dict[str, object]:
        named = {"fog": "test"} | others
        a, b = (
            model(label, **{n: measured("ood", right, n, originals=o) for n, o in named.items()})
            for label, right in (("a", [1, 0, 0, 0]), ("b", [1, 1, 0, 0]))
        )
        (found,) = compare([a, b], "a", {}).differences
        return found.ood_average

    assert pair(snow="test") == pair()


def test_the_number_of_originals_stands_beside_that_of_images() -> None:
    twice = measured("ood", [1, 0, 1, 0], original=[0, 1, 0, 1])

    (found,) = compare([model("m", fog=twice)], None, {}).models

    assert (found.sets["fog"].n, found.sets["fog"].originals) == (4, 2)


def test_the_ood_average_counts_every_set_once() -> None:
    sets = {"a": measured("ood", [1] * 100), "b": measured("ood", [0])}

    (found,) = compare([model("m", t=measured("id", [1]), **sets)], None, {}).models

    assert (found.ood_average, found.ood_ci95) == (0.5, (0.5, 0.5))


def test_two_models_that_are_right_on_the_same_images_differ_by_exactly_nothing() -> None:
    models = [model(name, art=measured("ood", [1, 0, 1, 0])) for name in ("a", "b")]

    (found,) = compare(models, "a", {}).differences

    assert (found.a, found.b) == ("b", "a")
    assert found.ood_average == Gap(0.0, (0.0, 0.0))
    assert found.sets == {"art": found.ood_average}


def test_a_difference_is_a_model_minus_the_baseline() -> None:
    models = [model("a", art=measured("ood", [1, 1])), model("b", art=measured("ood", [0, 0]))]

    (found,) = compare(models, "b", {}).differences

    assert (found.a, found.ood_average.difference) == ("a", 1.0)


def test_sets_with_other_images_are_not_compared() -> None:
    models = [
        model("a", photo=measured("id", [1], "split 0"), art=measured("ood", [1])),
        model("b", photo=measured("id", [1], "split 1"), art=measured("ood", [0])),
    ]

    (found,) = compare(models, "a", {}).differences

    assert found.sets.keys() == {"art"}
    assert found.ood_average.difference == -1.0


def test_without_an_ood_set_in_common_there_is_no_average_difference() -> None:
    models = [model("a", art=measured("ood", [1])), model("b", sketch=measured("ood", [1]))]

    (found,) = compare(models, "a", {}).differences

    assert (found.ood_average, found.sets) == (None, {})


def test_averages_over_different_sets_do_not_stand_side_by_side() -> None:
    models = [
        model("a", "g", 0, art=measured("ood", [1])),
        model("b", "g", 1, art=measured("ood", [1]), sketch=measured("ood", [0])),
    ]

    results = compare(models, "a", {})

    fewer, all_sets = results.models
    assert (fewer.ood_average, fewer.ood_ci95) == (None, None)
    assert all_sets.ood_average == 0.5
    assert results.differences[0].ood_average is None
    assert results.groups[0].ood_average == Spread(0.5, None, 1)


def test_seeds_of_one_group_become_mean_and_standard_deviation() -> None:
    models = [
        model("a0", "object", 0, art=measured("ood", [1, 1])),
        model("a1", "object", 1, art=measured("ood", [1, 0])),
        model("b", "context", 0, art=measured("ood", [0, 0])),
    ]

    several, single = compare(models, None, {}).groups

    assert (several.group, several.models) == ("object", ("a0", "a1"))
    assert several.sets["art"] == Spread(0.75, pytest.approx(0.5**0.5 / 2), 2)
    assert single.ood_average == Spread(0.0, None, 1)


def config(seed: int = 0, mask: str = "object", lr: float = 1e-4) -> dict[str, object]:
    return {
        "seed": seed,
        "cfft": {"version": str(seed)},
        "training": {"lr": lr, "workers": seed},
        "mask": {"use": mask, "threshold": 0.3},
        "fill": {"use": "single"},
        "loss": [{"use": "mse", "weight": 6.0}],
    }


def test_runs_that_differ_in_their_seed_alone_share_a_group() -> None:
    assert group_names([config(0), config(1), config(mask="context")]) == [
        "object + single",
        "object + single",
        "context + single",
    ]


def test_groups_of_one_method_are_told_apart_by_what_differs() -> None:
    found = group_names([config(lr=1e-4), config(lr=1e-5)])

    assert found == ["object + single, lr 0.0001", "object + single, lr 1e-05"]


def test_groups_that_differ_in_much_are_told_apart_by_as_little_as_it_takes() -> None:
    base = {"a": 1, "b": 1, "c": 1, "d": 1, "e": 1}
    other = {"a": 2, "b": 2, "c": 1, "d": 2, "e": 2}
    third = {"a": 2, "b": 2, "c": 2, "d": 3, "e": 3}

    found = group_names([{"training": each} for each in (base, other, third)])

    assert found == [
        "vanilla, a 1, c 1 and 3 more settings",
        "vanilla, a 2, c 1 and 3 more settings",
        "vanilla, a 2, c 2 and 3 more settings",
    ]


def test_a_run_without_masks_is_named_after_its_losses() -> None:
    plain = {"seed": 0, "loss": []}
    distilled = {"seed": 0, "loss": [{"use": "kd", "label": "mine"}]}

    assert group_names([plain, distilled]) == ["vanilla", "mine"]


def test_a_task_that_is_not_the_usual_one_is_named_first() -> None:
    usual = {"loss": [], "task": {"use": "cross-entropy"}}
    alone = {"loss": [], "task": {"use": "contrastive"}}
    distilled = {"loss": [{"use": "kd"}], "task": {"use": "contrastive"}}

    assert group_names([usual, alone, distilled]) == ["vanilla", "contrastive", "contrastive + kd"]


def member(source: str, seed: int | None = 0, alpha: float | None = None, **said: str) -> Identity:
    return Identity("own", source, "run", said.pop("group", "g"), seed, alpha, **said)


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ([member("a", 0), member("b", 1)], ["g", "g"]),
        ([member("a", 0), member("b", 1), member("c", 1)], ["g", "g", "g (c)"]),
        ([member("a", 0), member("a", 1), member("b", 1), member("b", 2)],
         ["g", "g", "g (b)", "g (b)"]),
        ([member("a", 0), member("a", 0, 0.5), member("b", 0), member("b", 0, 0.7)],
         ["g", "g", "g (b)", "g (b)"]),
        ([member("a", None), member("a", None)], ["g", "own"]),
    ],
)  # fmt: skip
def test_a_group_counts_every_seed_once(members: list[Identity], expected: list[str]) -> None:
    assert [model.group for model in in_groups(members)] == expected


def test_configurations_that_two_evaluations_call_alike_are_not_one_group() -> None:
    members = [member("a", 0, configuration="slow"), member("b", 1, configuration="fast")]

    assert [model.group for model in in_groups(members)] == ["g", "g (b)"]


def test_a_configuration_that_two_evaluations_call_differently_is_one_group() -> None:
    members = [
        member("a", 0, group="object, lr 1", configuration="slow"),
        member("b", 1, group="object", configuration="slow"),
    ]

    assert [model.group for model in in_groups(members)] == ["object, lr 1", "object, lr 1"]


def shifted(label: str, test: int, art: int) -> MeasuredModel:
    """Return a model that is right on so many of 10 images."""
    outcomes = ([1] * right + [0] * (10 - right) for right in (test, art))
    sets = zip(("photo", "art"), ("id", "ood"), outcomes, strict=True)
    return model(label, **{name: measured(role, correct) for name, role, correct in sets})


def test_models_on_the_line_have_no_effective_robustness_and_better_ones_have() -> None:
    on_line = [shifted("line1", 6, 4), shifted("line2", 6, 4), shifted("line3", 8, 5)]
    models = [*on_line, shifted("mine", 8, 7)]
    line = baseline_line("line*", [each.identity for each in models])

    results = compare(models, None, line.fit(models))

    robust = [each.effective_robustness["art"] for each in results.models]
    assert robust == pytest.approx([0.0, 0.0, 0.0, 0.2])
    assert results.models[3].effective_robustness["ood_average"] == pytest.approx(0.2)
    assert as_json(results.lines["art"]).keys() == {"slope", "intercept", "models", "r2"}


def of_a_thousand(id_: int, ood: int, originals: str = "") -> MeasuredModel:
    """Return a model that is right on so many of 1,000 images, the first ones."""
    outcomes = ([1] * right + [0] * (1000 - right) for right in (id_, ood))
    photo, art = outcomes
    return model(
        "m",
        photo=measured("id", photo, "photo", originals=originals),
        art=measured("ood", art, "art", originals=originals),
    )


def above_line(found: MeasuredModel, line: AccuracyLine) -> list[float] | None:
    results = compare([found], None, {"art": line, "ood_average": line}).models[0]
    intervals = results.effective_robustness_ci95
    assert intervals["art"] == intervals["ood_average"]
    return intervals["art"]


def test_effective_robustness_is_as_unsure_as_both_accuracies() -> None:
    line = AccuracyLine(slope=1, intercept=0, models=3, r2=1)  # as in distribution

    low, high = above_line(of_a_thousand(800, 800), line)

    half = 1.96 * (2 * 0.8 * 0.2 / 1000) ** 0.5
    assert (low, high) == (pytest.approx(-half, abs=4e-3), pytest.approx(half, abs=4e-3))


def test_images_that_both_sets_show_make_effective_robustness_surer() -> None:
    line = AccuracyLine(slope=1, intercept=0, models=3, r2=1)

    found = above_line(of_a_thousand(800, 800, originals="photo"), line)

    assert found == pytest.approx([0.0, 0.0], abs=1e-9)


def test_a_model_that_is_always_right_in_distribution_has_no_effective_robustness() -> None:
    line = AccuracyLine(slope=1, intercept=0, models=3, r2=1)
    perfect = of_a_thousand(1000, 500)

    (found,) = compare([perfect], None, {"art": line}).models

    assert found.effective_robustness == {"art": None}
    assert found.effective_robustness_ci95 == {"art": None}


def test_without_a_line_there_is_no_effective_robustness() -> None:
    (found,) = compare([shifted("mine", 8, 7)], None, {}).models

    assert found.effective_robustness is None


def test_runs_of_one_mask_and_fill_are_told_apart_by_the_losses_that_only_some_have() -> None:
    plain = {**config(0), "loss": [{"use": "mine"}]}
    both = {**config(0), "loss": [{"use": "mine"}, {"use": "more", "weight": 2}]}

    assert group_names([plain, both]) == ["object + single", "object + single + more"]
