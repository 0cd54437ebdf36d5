"""`cfft eval --from-predictions`: the same tables again, from what is stored."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

Command = Callable[..., Any]
Evaluate = Callable[..., dict[str, Any]]


def by_label(record: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {model["model"]: model for model in record["models"]}


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_tables_are_recomputed_from_predictions_without_a_model(
    runs: Path, evaluate: Evaluate, tmp_path: Path
) -> None:
    measured = evaluate("zero-shot", runs / "seed*", "--alphas", "0.5")

    recomputed = evaluate("--from-predictions", tmp_path / "EVAL", out=tmp_path / "AGAIN")

    assert measured.items() >= recomputed.items()
    assert {"models", "differences", "groups", "baseline", "classes"} <= recomputed.keys()
    assert files(tmp_path / "AGAIN") == files(tmp_path / "EVAL")


def test_finished_runs_have_predictions_too(runs: Path, evaluate: Evaluate) -> None:
    record = evaluate("--from-predictions", runs / "*")

    stored = json.loads((runs / "seed1" / "results.json").read_text())
    (group,) = record["groups"]
    assert by_label(record)["seed1"]["ood_average"] == stored["ood_average"]
    assert group["models"] == ["seed0", "seed1"]


def test_evaluations_and_what_is_recomputed_say_which_run_a_model_is(
    runs: Path, evaluate: Evaluate, tmp_path: Path
) -> None:
    measured = evaluate(runs / "seed0")
    again = evaluate("--from-predictions", tmp_path / "EVAL", out=tmp_path / "AGAIN")
    own = evaluate("--from-predictions", runs / "seed0", out=tmp_path / "OWN")

    digest = sha256((runs / "seed0" / "results.json").read_bytes()).hexdigest()
    found = [record["models"][0]["run_digest"] for record in (measured, again, own)]
    assert found == [digest] * 3


def test_options_about_measuring_are_refused_by_name_where_nothing_is_measured(
    runs: Path, cfft_command: Command
) -> None:
    asked = "--alphas 0,0.5 --suite domains --data X --seed 3 --skip-unreadable --model X --workers"

    ended = cfft_command(
        "eval", "--from-predictions", str(runs / "seed0"), *asked.split(), "0", "--label-space",
        "full", "--set", "suite.domains.id=dark",
    )  # fmt: skip

    assert (ended.code, ended.out) == (2, "")
    assert (
        "has no use for --suite, --model, --seed, --alphas, --workers, --skip-unreadable, --set, "
        "--data: leave that out, or measure again without --from-predictions; allowed beside it: "
        "--label-space, --baseline, --baseline-line, --out, --json"
    ) in ended.err


def test_evaluations_that_say_nothing_of_heads_are_read(
    runs: Path, evaluate: Evaluate, tmp_path: Path
) -> None:
    record = evaluate(runs / "seed0")
    del record["models"][0]["head"]
    (tmp_path / "EVAL" / "evaluation.json").write_text(json.dumps(record))

    recomputed = evaluate("--from-predictions", tmp_path / "EVAL", out=tmp_path / "AGAIN")

    assert recomputed["models"][0] == {**record["models"][0], "head": None}


def test_what_is_named_twice_is_recomputed_once(
    runs: Path, evaluate: Evaluate, tmp_path: Path
) -> None:
    evaluate(runs / "seed0")
    evaluation = tmp_path / "EVAL"

    words = (evaluation, evaluation / "evaluation.json", tmp_path / "EV*", runs / "seed1")
    record = evaluate("--from-predictions", *words, runs / "*1", out=tmp_path / "AGAIN")

    assert [model["model"] for model in record["models"]] == ["seed0", "seed1"]


def test_a_run_and_its_evaluation_are_not_two_seeds(
    runs: Path, evaluate: Evaluate, tmp_path: Path
) -> None:
    evaluate(runs / "seed*")

    words = (tmp_path / "EVAL", runs / "seed0")
    record = evaluate("--from-predictions", *words, out=tmp_path / "AGAIN")

    evaluated, again = record["groups"]
    assert (evaluated["group"], evaluated["ood_average"]["count"]) == ("object + single", 2)
    assert again["group"] == f"object + single ({runs}/seed0)"
    assert again["models"] == [f"{runs}/seed0: seed0"]
    assert (again["ood_average"]["count"], again["ood_average"]["std"]) == (1, None)


def test_seeds_of_one_configuration_are_a_group_across_evaluations_and_others_are_not(
    runs: Path, evaluate: Evaluate, tmp_path: Path
) -> None:
    other = shutil.copytree(runs / "seed1", tmp_path / "other")
    text = (other / "config.toml").read_text()
    (other / "config.toml").write_text(text.replace("lr = 0.01", "lr = 0.02"))
    evaluate(runs / "seed0", out=tmp_path / "A")
    evaluate(runs / "seed1", out=tmp_path / "B")
    evaluate(other, out=tmp_path / "C")

    words = (tmp_path / "A", tmp_path / "B", tmp_path / "C")
    record = evaluate("--from-predictions", *words, out=tmp_path / "AGAIN")

    assert [(group["group"], group["models"]) for group in record["groups"]] == [
        ("object + single", ["seed0", "seed1"]),
        (f"object + single ({tmp_path / 'C'})", ["other"]),
    ]


@pytest.mark.parametrize("places", ["{0}/shards", ["{0}/one.tar", "{0}/two.tar"]])
def test_images_may_lie_elsewhere_than_when_they_were_measured(
    runs: Path, evaluate: Evaluate, cfft_command: Command, tmp_path: Path, places: Any
) -> None:
    for name, seed in (("A", 0), ("B", 1)):
        record = evaluate(runs / f"seed{seed}", out=tmp_path / name)
        record["suite"]["data"] = json.loads(json.dumps(places).replace("{0}", f"/{name}"))
        (tmp_path / name / "evaluation.json").write_text(json.dumps(record))

    ended = cfft_command("eval", "--from-predictions", str(tmp_path / "A"), str(tmp_path / "B"))

    assert ended.code == 0, ended.err


def test_predictions_of_another_precision_are_remarked_on(
    runs: Path, evaluate: Evaluate, cfft_command: Command, tmp_path: Path
) -> None:
    evaluate(runs / "seed0", "--precision", "fp32", out=tmp_path / "A")
    record = evaluate(runs / "seed1", "--precision", "fp32", out=tmp_path / "B")
    (tmp_path / "B" / "evaluation.json").write_text(json.dumps({**record, "precision": "bf16"}))

    sources = (str(tmp_path / "A"), str(tmp_path / "B"))
    ended = cfft_command("eval", "--from-predictions", *sources, "--json")

    found = json.loads(ended.out)
    assert (found["precision"], found["device"], found["processes"]) == (None, "cpu", 1)
    assert f"{tmp_path}/A was computed in fp32 and {tmp_path}/B in bf16: some of" in ended.err


def test_evaluations_of_other_images_are_not_put_side_by_side(
    runs: Path, evaluate: Evaluate, cfft_command: Command, tmp_path: Path
) -> None:
    evaluate(runs / "seed0", out=tmp_path / "A")
    evaluate(runs / "seed0", out=tmp_path / "B")
    record = json.loads((tmp_path / "B" / "evaluation.json").read_text())
    record["suite"]["split"] = [60.0, 20.0, 20.0]
    (tmp_path / "B" / "evaluation.json").write_text(json.dumps(record))

    ended = cfft_command("eval", "--from-predictions", str(tmp_path / "A"), str(tmp_path / "B"))

    assert ended.code == 2
    assert "measured on different images (suite.split: [70.0, 10.0, 20.0] ->" in ended.err


def test_evaluations_whose_classes_have_their_accents_apart_are_put_side_by_side(
    runs: Path, evaluate: Evaluate, tmp_path: Path
) -> None:
    record = evaluate(runs / "seed0")
    for place, name in (("A", "caf\u00e9"), ("B", "cafe\u0301")):
        shutil.copytree(tmp_path / "EVAL", tmp_path / place)
        said = {**record, "classes": [name, *record["classes"][1:]], "passed_over": {place: {}}}
        (tmp_path / place / "evaluation.json").write_text(json.dumps(said))

    both = evaluate("--from-predictions", tmp_path / "A", tmp_path / "B", out=tmp_path / "AGAIN")

    assert len(both["models"]) == 2
    assert list(both["passed_over"]) == ["A", "B"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label_space": "full"}, "different label spaces: give --label-space subset"),
        ({"classes": ["a", "b", "c"]}, "have different classes: recompute them one at a time"),
    ],
)
def test_evaluations_that_cannot_be_compared_are_refused(
    runs: Path,
    evaluate: Evaluate,
    cfft_command: Command,
    tmp_path: Path,
    change: dict[str, Any],
    message: str,
) -> None:
    record = evaluate(runs / "seed0")
    (tmp_path / "B").mkdir()
    (tmp_path / "B" / "evaluation.json").write_text(json.dumps({**record, **change}))

    ended = cfft_command("eval", "--from-predictions", str(tmp_path / "EVAL"), str(tmp_path / "B"))

    assert ended.code == 2
    assert message in ended.err


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (
            {"sets": {"../../victim": {"role": "ood", "top1": 0.5}}},
            "a set is called '../../victim'.*do not use /",
        ),
        (
            {"predictions": "../elsewhere"},
            "predictions in '../elsewhere', allowed: a folder beside",
        ),
        ({"predictions": "/elsewhere"}, "predictions in '/elsewhere', allowed: a folder beside"),
    ],
)
def test_a_record_cannot_make_cfft_read_or_write_elsewhere(
    changed: dict[str, Any],
    says: str,
    runs: Path,
    evaluate: Evaluate,
    cfft_command: Command,
    tmp_path: Path,
) -> None:
    record = evaluate(runs / "seed0")
    record["models"][0] |= changed
    (tmp_path / "EVAL" / "evaluation.json").write_text(json.dumps(record))

    again = ("--out", str(tmp_path / "deep" / "AGAIN"))
    ended = cfft_command("eval", "--from-predictions", str(tmp_path / "EVAL"), *again)

    assert ended.code == 2
    assert re.search(says, ended.err)
    assert not (tmp_path / "deep").exists()


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("evaluation.json", "{", "no evaluation that cfft wrote"),
        ("evaluation.json", '{"schema": 1}', "not as cfft writes it .*models"),
        ("evaluation.json", '{"schema": 2}', "schema 2, this version of cfft reads 1"),
        ("results.json", "{", "no results that cfft wrote"),
        ("results.json", "{}", "not as cfft writes it .*config"),
    ],
)
def test_a_damaged_record_is_named(
    cfft_command: Command, tmp_path: Path, file: str, text: str, message: str
) -> None:
    (tmp_path / file).write_text(text)

    ended = cfft_command("eval", "--from-predictions", str(tmp_path))

    assert ended.code == 2
    assert re.search(re.escape(f"{tmp_path / file}: ") + message, ended.err)


def test_logits_of_fewer_classes_than_the_record_names_are_refused(
    runs: Path, evaluate: Evaluate, cfft_command: Command, tmp_path: Path
) -> None:
    evaluate(runs / "seed0", out=tmp_path / "E")
    record = json.loads((tmp_path / "E" / "evaluation.json").read_text())
    record["classes"].append("unheard-of")
    (tmp_path / "E" / "evaluation.json").write_text(json.dumps(record))

    ended = cfft_command("eval", "--from-predictions", str(tmp_path / "E"))

    assert ended.code == 2
    assert "named beside it" in ended.err
