"""Sources of a report: runs, evaluations and imports, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from cfft.errors import CfftError, ConfigError, DataError
from cfft.model.checkpoint import Checkpoint, save
from cfft.report.sources.collect import collect
from cfft.report.sources.records import Material
from cfft.runtime.json_files import as_json
from cfft.training.metrics import MetricsLog
from cfft.training.run_directory import RunDirectory

Write = Callable[..., Path]
OUTSIDE = {"photo": {"role": "id", "top1": 75.6}}
METHOD = {"mask": {"use": "object"}, "fill": {"use": "single"}}


def following(seed: int) -> list[dict[str, str]]:
    return [{"use": "checkpoint", "path": f"runs/b/seed-{seed}"}]


def groups(material: Material) -> list[str]:
    return [model.group for model in material.models]


def test_a_run_gives_the_model_before_and_the_one_after_it(write_run: Write) -> None:
    found = collect([str(write_run("a", (0.8, 0.7, 0.6)))], [])

    assert [model.label for model in found.models] == ["a, before", "a"]
    assert found.models[1].sets["drawing"].top1 == 0.7


def test_runs_that_differ_in_the_seed_are_one_group(write_run: Write) -> None:
    runs = [write_run(f"a{seed}", (0.8, 0.7, 0.6), seed=seed, **METHOD) for seed in (0, 1)]

    found = collect(list(map(str, runs)), [])

    assert groups(found) == ["before, tiny", "object + single", "object + single"]
    assert [model.seed for model in found.models] == [0, 0, 1]


def test_runs_in_folders_of_one_name_keep_their_curves_apart(write_run: Write) -> None:
    runs = [write_run(f"{row}/seed-0", (0.8, 0.7, 0.6)) for row in ("a", "b")]

    found = collect(list(map(str, runs)), [])

    assert [run.label for run in found.runs] == ["a/seed-0", "b/seed-0"]


def test_runs_of_one_method_are_named_after_what_differs(write_run: Write) -> None:
    write_run(
        "a", (0.8, 0.7, 0.6), mask={"use": "object", "threshold": 0.3}, fill={"use": "single"}
    )
    last = write_run(
        "b", (0.8, 0.7, 0.6), mask={"use": "object", "threshold": 0.5}, fill={"use": "single"}
    )

    found = collect([str(last.parent / "*")], [])

    assert groups(found)[1:] == [
        "object + single, threshold 0.3",
        "object + single, threshold 0.5",
    ]


@pytest.mark.parametrize(
    ("tables", "name"),
    [
        ({}, "vanilla"),
        ({"loss": [{"use": "feature-mse"}, {"use": "logit-kl"}]}, "feature-mse + logit-kl"),
        ({"mask": {"use": "none"}, "loss": [{"use": "feature-mse"}]}, "feature-mse"),
    ],
)
def test_runs_without_a_mask_are_named_after_their_losses(
    write_run: Write, tables: dict[str, Any], name: str
) -> None:
    found = collect([str(write_run("a", (0.8, 0.7, 0.6), **tables))], [])

    assert groups(found)[-1] == name


def test_starting_models_that_were_measured_alike_are_one(write_run: Write) -> None:
    runs = [write_run("a", (0.8, 0.7, 0.6)), write_run("b", (0.8, 0.7, 0.6), training={"lr": 1.0})]

    found = collect(list(map(str, runs)), [])

    assert groups(found).count("before, tiny") == 1


def test_a_run_and_its_evaluation_are_not_two_seeds(write_evaluation: Write) -> None:
    paths = [write_evaluation("first"), write_evaluation("second")]

    found = collect(list(map(str, paths)), [])

    assert len(set(groups(found))) == 2
    assert len({model.label for model in found.models}) == 6


def test_an_evaluation_says_what_readers_must_know(write_evaluation: Write) -> None:
    path = write_evaluation("e", label_space="full", absent={"v2": "imagenetv2"})

    found = collect([str(path)], [])

    assert found.notes == (
        f"{path}: arg-max over all classes, not only those of each set.",
        f"{path}: not measured because absent: v2.",
    )


def test_imported_models_have_the_well_known_sets_in_distribution(write_lines: Write) -> None:
    path = write_lines({"model": "a", "ImageNet2p": 0.9, "ImageNet": 0.8, "ImageNetA": 0.3})

    (model,) = collect([], [path]).models

    roles = {name: entry.role for name, entry in model.sets.items()}
    assert roles == {"ImageNet": "id", "ImageNet2p": "id", "ImageNetA": "ood"}


@pytest.mark.parametrize(("asked", "ids"), [([], ["x"]), (["y"], ["y"]), (["z", "y"], ["z", "y"])])
def test_the_id_sets_of_an_import_can_be_named(
    write_lines: Write, asked: list[str], ids: list[str]
) -> None:
    path = write_lines({"name": "a", "x": 0.9, "y": 0.8, "z": 0.3, "note": "words"})

    (model,) = collect([], [path], asked).models

    assert [name for name, entry in model.sets.items() if entry.role == "id"] == ids


def test_imports_may_say_group_seed_and_alpha(write_lines: Write) -> None:
    path = write_lines({"name": "a", "x": 0.9, "group": "g", "seed": 3, "alpha": 0.5})

    (model,) = collect([], [path]).models

    assert (model.group, model.seed, model.alpha, list(model.sets)) == ("g", 3, 0.5, ["x"])


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (['{"name": "a", "x": 0.5}', "", "{broken"], "line 3: no JSON"),
        (["[1]"], r"line 1: got \[1\], wanted one JSON object"),
        (['{"name": "a", "x": 75.6}'], "line 1: x is 75.6, allowed: shares from 0 to 1"),
        (['{"name": "a", "x": -0.1}'], "line 1: x is -0.1"),
        (['{"x": 0.5}'], "line 1: no name of the model: give it as model_name, model, name"),
        (['{"name": "a"}'], "line 1: no accuracies"),
        (['{"name": "a", "x": 0.5}', '{"name": "a", "x": 0.6}'], "line 2: model 'a' was named"),
        (['{"name": "a", "x": 0.5, "seed": "one"}'], "line 1: not as cfft writes it .*seed"),
        ([], "no models"),
    ],
)
def test_a_bad_import_is_answered_with_the_number_of_its_line(
    write_lines: Write, lines: list[str], words: str
) -> None:
    with pytest.raises(DataError, match=words):
        collect([], [write_lines(*lines)])


def test_an_unknown_id_set_is_answered_with_those_that_exist(write_lines: Write) -> None:
    with pytest.raises(ConfigError, match="--id z: no model has it; there are: x, y"):
        collect([], [write_lines({"name": "a", "x": 0.9, "y": 0.8})], ["z"])


def test_an_unfinished_run_is_named_with_the_way_to_finish_it(write_run: Write) -> None:
    run = write_run("a", (0.8, 0.7, 0.6))
    (run / "results.json").unlink()

    with pytest.raises(ConfigError, match=r"unfinished run \(no results.json\).* --resume --out"):
        collect([str(run)], [])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing", "missing' not found: give"),
        (
            "empty",
            r"is no run \(no config.toml\), no evaluation .* no finished sweep \(no sweep.j",
        ),
        ("run/config.toml", "is a file: give its directory, .*run"),
        ("file.jsonl", "is a file: accuracies as JSON lines are read with --import"),
        ("none*", r"none\*' not found: give"),
    ],
)
def test_paths_that_hold_nothing_to_report_are_named(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file.jsonl").touch()
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.toml").touch()

    with pytest.raises(ConfigError, match=words):
        collect([str(tmp_path / name)], [])


@pytest.mark.parametrize(("name", "inside"), [("a", r"\*"), ("row/seed-0", r"\*/\*")])
def test_a_directory_of_runs_is_answered_with_the_pattern_of_them(
    write_run: Write, tmp_path: Path, name: str, inside: str
) -> None:
    write_run(f"runs/{name}", (0.8, 0.7, 0.6))

    with pytest.raises(ConfigError, match=f"to report what is in it, give '.*runs/{inside}'"):
        collect([str(tmp_path / "runs")], [])


def test_nothing_given_is_answered_with_what_can_be_given() -> None:
    with pytest.raises(ConfigError, match="nothing to report: give run, evaluation or sweep"):
        collect([], [])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "no evaluation that cfft wrote"),
        ('{"schema": 1}', "not as cfft writes it"),
    ],
)
def test_a_file_that_cfft_did_not_write_is_named(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / "evaluation.json").write_text(text)

    with pytest.raises(DataError, match=words):
        collect([str(tmp_path)], [])


def test_a_share_outside_0_to_1_is_named_with_its_place(write_evaluation: Write) -> None:
    path = write_evaluation("e", models=[{"model": "a", "group": "a", "sets": OUTSIDE}])

    with pytest.raises(DataError, match=r"must be <= 1: 75.6 @ \$.models\[0\].sets\['photo'\]"):
        collect([str(path)], [])


def test_the_seed_in_a_path_does_not_make_another_configuration(write_run: Write) -> None:
    runs = [
        write_run(
            f"a{seed}",
            (0.8, 0.7, 0.6),
            seed=seed,
            teacher=following(seed),
        )
        for seed in (0, 1)
    ]

    found = collect(list(map(str, runs)), [])

    assert groups(found)[1:] == ["vanilla", "vanilla"]


def test_paths_of_other_seeds_do(write_run: Write) -> None:
    runs = [
        write_run(
            f"a{seed}",
            (0.8, 0.7, 0.6),
            seed=seed,
            teacher=following(of),
        )
        for seed, of in ((0, 0), (1, 0))
    ]

    found = collect(list(map(str, runs)), [])

    assert len(set(groups(found)[1:])) == 2


def test_differences_call_models_as_the_report_does(write_evaluation: Write) -> None:
    paths = [write_evaluation("first"), write_evaluation("second")]

    found = collect(list(map(str, paths)), [])

    named = [(each.a, each.b) for each in found.differences if each.set == "drawing"]
    assert named == [(f"mix 1.0 ({path})", f"mix 0.0 ({path})") for path in paths]
    assert {label for pair in named for label in pair} <= {m.label for m in found.models}


def test_what_is_named_twice_is_one(write_run: Write, tmp_path: Path) -> None:
    run = write_run("a", (0.8, 0.7, 0.6))

    found = collect([str(run), str(tmp_path / "a" / ".." / "a")], [])

    assert len(found.models) == 2


def test_metrics_that_are_others_than_the_checkpoint_says_are_told_of(write_run: Write) -> None:
    run = RunDirectory(write_run("a", (0.8, 0.7, 0.6)))
    state = {"metrics": as_json(MetricsLog(run.metrics).written())}
    save(run.last, Checkpoint({"w": torch.zeros(1)}, {}, state=state))
    run.metrics.write_text(run.metrics.read_text().replace("0.8", "0.9"))

    with pytest.raises(CfftError, match=r"metrics\.jsonl is damaged"):
        collect([str(run.root)], [])
