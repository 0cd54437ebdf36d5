"""Configurations that name the same run, the same one but for the seed, or the same images."""

from __future__ import annotations

from typing import Any

import pytest

from cfft.config.comparison import (
    check_agree,
    configuration_digest,
    flattened,
    in_terms_of,
    same_images,
    same_run,
    same_versions,
)
from cfft.config.settings import Training
from cfft.errors import ConfigError
from cfft.plugin.params import declaration

MSE = {"use": "mse", "weight": 6.0}
KD = {"use": "kd", "label": "mine", "weight": 1}
CONFIG = {
    "seed": 3,
    "cfft": {"version": "1.0"},
    "plugins": {"cfft-masks": "2"},
    "training": {
        "lr": 1e-4,
        "epochs": 10,
        "workers": 4,
        "checkpoint_every": "100",
        "log_every": 5,
        "clip": None,
    },
    "model": {
        "name": "ViT-B-32",
        "pretrained": "runs/vanilla/seed-3/best",
        "prompts": ["a {}", "the {}"],
    },
    "mask": {"use": "object", "threshold": 0.3},
    "fill": {"use": "single"},
    "loss": [MSE, KD],
    "teacher": [],
    "suite": {"use": "folder", "data": "/data/seed3"},
}
FOLDER = {"use": "folder", "data": "/here", "split": [70.0, 30.0], "cache": "none"}


FIRST = frozenset(
    ("epochs", "batch_size", "micro_batch", "lr", "weight_decay", "beta1", "beta2", "schedule",
     "warmup_steps", "warmup_share", "clip_norm", "clip_at", "precision", "patience", "ties",
     "limit_train", "skip_unreadable", "workers", "checkpoint_every", "log_every")
)  # fmt: skip
"""Settings of training that every stored configuration has; evaluations know runs by the rest."""


def test_settings_that_came_later_tell_nothing_apart_where_they_change_nothing() -> None:
    added = [param for param in declaration(Training).params if param.name not in FIRST]
    later = {p.name: "none" if p.default is None else p.default for p in added}
    training = {"lr": 1e-3}

    older, newer = ({"training": training}, {"training": {**training, **later}})
    other = {"training": {**training, **later, "augment": "flip"}}

    assert configuration_digest(older) == configuration_digest(newer)
    assert configuration_digest(older) != configuration_digest(other)


def test_values_are_named_by_their_path_and_those_of_losses_by_their_label() -> None:
    found = flattened({"seed": 3, "mask": {"use": "object"}, "loss": [KD], "teacher": []})

    assert found == {
        "seed": 3,
        "mask.use": "object",
        "teacher": [],
        "loss.mine.use": "kd",
        "loss.mine.label": "mine",
        "loss.mine.weight": 1,
    }


def test_differences_are_named_by_their_path_wherever_a_key_is_missing() -> None:
    before = {"seed": 0, "mask": {"use": "object", "threshold": 0.3}, "cam": {"use": "relevance"}}
    now = {"seed": 0, "mask": {"use": "object", "threshold": 0.5}, "epochs": 3}

    found = same_run(before, now)

    assert not found
    assert found.differences == (
        "mask.threshold: 0.3 -> 0.5",
        "cam.use: relevance -> nothing",
        "epochs: nothing -> 3",
    )


@pytest.mark.parametrize("table", ["cfft", "plugins"])
def test_a_run_is_the_same_with_other_versions_and_they_are_named_apart(table: str) -> None:
    now = {**CONFIG, table: {"x": "9"}}

    assert same_run(CONFIG, now)
    assert f"{table}.x: nothing -> 9" in same_versions(CONFIG, now).differences


def test_a_run_is_another_one_with_its_losses_in_another_order() -> None:
    assert str(same_run(CONFIG, {**CONFIG, "loss": [KD, MSE]})) == "loss: mse, mine -> mine, mse"


def test_an_added_loss_is_named_with_its_settings() -> None:
    assert same_run({"loss": []}, {"loss": [MSE]}).differences == (
        "loss: nothing -> mse",
        "loss.mse.use: nothing -> mse",
        "loss.mse.weight: nothing -> 6.0",
    )


def test_a_configuration_has_the_digest_that_evaluations_have_stored() -> None:
    found = configuration_digest(CONFIG)

    assert found == "18337f2b1bd8d8cd662e68e0c3f2215c95e0b11cd63cc0320cf1b66134997d86"


def test_a_weight_file_has_the_digest_that_evaluations_have_stored() -> None:
    found = configuration_digest({"weights": "/somewhere/model.pt"})

    assert found == "c66681715c87811d8d28e4cccefb1aa417d2c3f92495bd053fe802200880dc20"


def test_a_configuration_is_known_again_by_all_but_its_seed() -> None:
    seed4: dict[str, Any] = {
        **CONFIG,
        "seed": 4,
        "cfft": {"version": "2.0"},
        "training": {**CONFIG["training"], "workers": 0},
        "model": {**CONFIG["model"], "pretrained": "runs/vanilla/seed-4/best"},
        "suite": {"use": "folder", "data": "/data/seed4"},
    }
    slow = {**CONFIG, "training": {**CONFIG["training"], "lr": 1e-5}}

    assert configuration_digest(CONFIG) == configuration_digest(seed4)
    assert configuration_digest(CONFIG) != configuration_digest(slow)


@pytest.mark.parametrize("change", [{"data": "/there"}, {"cache": "/tmp"}])
def test_suites_show_the_same_images_wherever_their_folders_lie(change: dict[str, str]) -> None:
    assert same_images(FOLDER, {**FOLDER, **change}, wherever=True)
    assert not same_images(FOLDER, {**FOLDER, **change})


def test_settings_that_one_suite_does_not_have_make_no_other_images() -> None:
    assert same_images(FOLDER, {**FOLDER, "new": 1})
    assert same_images({**FOLDER, "old": 1}, FOLDER)
    assert same_images({}, FOLDER)


def test_other_settings_of_a_suite_are_named() -> None:
    found = same_images(FOLDER, {**FOLDER, "split": [60.0, 40.0]}, wherever=True)

    assert str(found) == "suite.split: [70.0, 30.0] -> [60.0, 40.0]"


def test_of_another_suite_nothing_but_the_name_is_said() -> None:
    other = {"use": "domains", "data": "/there", "split": [60.0, 40.0]}

    assert str(same_images(other, FOLDER)) == "suite.use: domains -> folder"
    assert in_terms_of(other, FOLDER) == {**FOLDER, "use": "domains"}


def test_tables_that_differ_are_an_error_that_names_both_and_the_remedy() -> None:
    suites = {"a": {"suite": FOLDER}, "b": {"suite": {**FOLDER, "data": "/there"}}}

    check_agree({"a": suites["a"]}, "suite", "measure one")
    with pytest.raises(
        ConfigError,
        match=r"^a and b used different suites \(suite.data: .*\): measure one",
    ):
        check_agree(suites, "suite", "measure one")
