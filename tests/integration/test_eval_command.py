"""`cfft eval`: runs, files and the model before, on the pictures that are theirs."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from cfft.config import resolve
from cfft.layers import Layer, read_defaults
from cfft.loop import run
from cfft.registry import Registry

Command = Callable[..., Any]
Evaluate = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def runs(
    make_layer: Callable[..., Layer], registry: Registry, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Fine-tune twice, with the seeds 0 and 1, and return the folder of both runs."""
    folder = tmp_path_factory.mktemp("runs")
    layer = make_layer(epochs=1, lr=1e-2)
    for layer.seed in (0, 1):
        config = resolve(registry, [read_defaults(), layer])
        run(config, registry, folder / f"seed{layer.seed}")
    return folder


@pytest.fixture
def evaluate(cfft_command: Command, tmp_path: Path) -> Evaluate:
    """Return `evaluate(*words)`, which returns evaluation.json of a command that must succeed."""

    def evaluated(*words: object, out: Path = tmp_path / "EVAL") -> dict[str, Any]:
        own = ("--out", str(out), "--workers", "0", "--json")
        ended = cfft_command("eval", *map(str, words), *own)
        assert ended.code == 0, ended.err
        found: dict[str, Any] = json.loads((out / "evaluation.json").read_text())
        assert json.loads(ended.out) == found
        return found

    return evaluated


def logits(folder: Path, name: str) -> np.ndarray:
    with np.load(folder / f"{name}.npz") as stored:
        return stored["logits"]


def names(folder: Path, name: str) -> list[str]:
    with np.load(folder / f"{name}.npz") as stored:
        return stored["names"].tolist()


def by_label(record: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {model["model"]: model for model in record["models"]}


def test_each_run_is_measured_on_the_test_pictures_of_its_own_seed(
    runs: Path, evaluate: Evaluate, tmp_path: Path
) -> None:
    record = evaluate(runs / "seed*")

    kept = tmp_path / "EVAL" / "predictions"
    assert list(by_label(record)) == ["seed0", "seed1"]
    assert names(kept / "seed0", "sunny") == names(runs / "seed0/predictions", "sunny")
    assert names(kept / "seed1", "sunny") == names(runs / "seed1/predictions", "sunny")
    assert names(kept / "seed0", "sunny") != names(kept / "seed1", "sunny")
    np.testing.assert_allclose(
        logits(kept / "seed1", "sunny"), logits(runs / "seed1/predictions", "sunny"), atol=1e-4
    )


def test_runs_that_differ_in_their_seed_are_one_group_and_compared_on_common_pictures(
    runs: Path, evaluate: Evaluate
) -> None:
    record = evaluate(runs / "seed0", runs / "seed1")

    (group,) = record["groups"]
    (difference,) = record["differences"]
    assert (group["group"], group["models"]) == ("object + single", ["seed0", "seed1"])
    assert group["ood_average"]["count"] == 2
    assert (difference["a"], difference["b"]) == ("seed1", "seed0")
    assert difference["sets"].keys() == {"dark"}


def test_results_are_those_of_the_run_and_of_its_model_before(
    runs: Path, evaluate: Evaluate
) -> None:
    record = evaluate("zero-shot", runs / "seed0")

    stored = json.loads((runs / "seed0" / "results.json").read_text())
    before, after = record["models"]
    assert {k: v["top1"] for k, v in after["sets"].items()} == {
        name: each["top1"] for name, each in stored["sets"].items()
    }
    assert {k: v["ci95"] for k, v in before["sets"].items()} == {
        name: each["ci95"] for name, each in stored["before"]["sets"].items()
    }
    assert (record["baseline"], before["kind"], after["kind"]) == ("zero-shot", "zero-shot", "run")


def test_the_model_before_fine_tuning_is_called_by_the_head_that_it_has(
    runs: Path, evaluate: Evaluate
) -> None:
    record = evaluate("zero-shot", runs / "seed0", "--head", "linear-probe")

    before, after = record["models"]
    assert (before["model"], before["group"]) == ("pre-trained (linear-probe)",) * 2
    assert before["predictions"] == "predictions/pre-trained-linear-probe"
    assert (before["source"], before["kind"], before["seed"]) == ("zero-shot", "pretrained", 0)
    assert (before["head"], after["head"]) == ("linear-probe", "zero-shot")
    assert record["baseline"] == "pre-trained (linear-probe)"


def test_a_head_that_the_weights_decide_on_names_the_model_too(
    clip: tuple[Path, Path], world: Path, evaluate: Evaluate
) -> None:
    words = ("--suite", "domains", "--data", world, "--id", "sunny", "--prompts", "class-name")

    record = evaluate("pretrained", "--model", clip[0], "--pretrained", clip[1], *words)

    (model,) = record["models"]
    assert (model["model"], model["source"]) == ("zero-shot", "pretrained")
    assert (model["kind"], model["head"]) == ("zero-shot", "zero-shot")


def test_weight_ensembles_lead_from_the_starting_model_to_the_run(
    runs: Path, evaluate: Evaluate, tmp_path: Path
) -> None:
    record = evaluate(runs / "seed0", "--alphas", "0,0.5,1")

    kept, own = tmp_path / "EVAL" / "predictions", runs / "seed0" / "predictions"
    folders = [model["predictions"].removeprefix("predictions/") for model in record["models"]]
    assert [model["alpha"] for model in record["models"]] == [None, 0.0, 0.5, 1.0]
    assert {model["group"] for model in record["models"]} == {"object + single"}
    np.testing.assert_allclose(
        logits(kept / folders[1], "dark"), logits(own / "before", "dark"), atol=1e-4
    )
    np.testing.assert_allclose(logits(kept / folders[3], "dark"), logits(own, "dark"), atol=1e-4)
    assert not np.allclose(logits(kept / folders[2], "dark"), logits(own, "dark"), atol=1e-2)


def test_pictures_are_those_of_the_first_run_wherever_it_stands(
    runs: Path, evaluate: Evaluate
) -> None:
    record = evaluate(runs / "seed0" / "checkpoints" / "last", runs / "seed1")

    assert list(by_label(record)) == ["seed0/checkpoints/last", "seed1"]


def test_models_in_memory_one_at_a_time_give_the_same_numbers(
    runs: Path, evaluate: Evaluate, tmp_path: Path
) -> None:
    words = ("zero-shot", runs / "seed*", "--alphas", "0.5")

    together = evaluate(*words)
    apart = evaluate(*words, "--models-at-once", "1", out=tmp_path / "APART")

    assert apart == together


def test_tables_are_recomputed_from_predictions_without_a_model(
    runs: Path, evaluate: Evaluate, tmp_path: Path
) -> None:
    measured = evaluate("zero-shot", runs / "seed*", "--alphas", "0.5")

    recomputed = evaluate("--from-predictions", tmp_path / "EVAL", out=tmp_path / "AGAIN")

    assert measured.items() >= recomputed.items()
    assert {"models", "differences", "groups", "baseline", "classes"} <= recomputed.keys()
    assert files(tmp_path / "AGAIN") == files(tmp_path / "EVAL")


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


def test_a_copy_of_a_run_is_not_another_seed(
    runs: Path, evaluate: Evaluate, tmp_path: Path
) -> None:
    copy = shutil.copytree(runs / "seed0", tmp_path / "copy")

    record = evaluate(runs / "seed0", copy)

    assert [group["group"] for group in record["groups"]] == [
        "object + single",
        f"object + single ({copy})",
    ]


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_finished_runs_have_predictions_too(runs: Path, evaluate: Evaluate) -> None:
    record = evaluate("--from-predictions", runs / "*")

    stored = json.loads((runs / "seed1" / "results.json").read_text())
    (group,) = record["groups"]
    assert by_label(record)["seed1"]["ood_average"] == stored["ood_average"]
    assert group["models"] == ["seed0", "seed1"]


def test_a_suite_with_fewer_classes_in_another_order_is_matched_by_name(
    runs: Path, world: Path, evaluate: Evaluate, tmp_path: Path
) -> None:
    for domain in ("sunny", "dark"):
        for number, colour in enumerate(("red", "blue")):
            shutil.copytree(world / domain / colour, tmp_path / "two" / domain / f"{number}")
    (tmp_path / "two" / "classes.txt").write_text("red\nblue\n")

    record = evaluate(runs / "seed0", "--data", tmp_path / "two")

    whole = logits(runs / "seed0" / "predictions", "dark")
    with np.load(tmp_path / "EVAL" / "predictions" / "seed0" / "dark.npz") as found:
        assert found["labels"].tolist() == [0] * 4 + [1] * 4
        # of the run the classes are blue, green, red
        np.testing.assert_allclose(found["logits"], whole[[8, 9, 10, 11, 0, 1, 2, 3]][:, [2, 0]],
                                   atol=1e-4)  # fmt: skip
    assert record["classes"] == ["red", "blue"]


def test_a_suite_for_another_label_space_is_refused_with_both(
    runs: Path, world: Path, cfft_command: Command, tmp_path: Path
) -> None:
    for domain in ("sunny", "dark"):
        shutil.copytree(world / domain, tmp_path / "other" / domain)
        (tmp_path / "other" / domain / "red").rename(tmp_path / "other" / domain / "purple")

    ended = cfft_command(
        "eval", str(runs / "seed0"), "--data", str(tmp_path / "other"), "--out", str(tmp_path / "E")
    )

    assert ended.code == 2
    assert "model 'seed0' knows 3 classes ('blue', 'green', 'red')" in ended.err
    assert "suite 'domains' has 3, 1 of them unknown to it: 'purple'" in ended.err
    assert files(tmp_path / "E") == set()


def own_weights(runs: Path, path: Path) -> None:
    """Write the weights of a run as cfft does, without what lies beside them."""
    shutil.copy(runs / "seed0" / "checkpoints" / "best" / "weights.safetensors", path)


def wise_ft_weights(runs: Path, path: Path) -> None:
    """Write the weights of a run as the WiSE-FT program names them, as a pickle of tensors."""
    stored = load_file(runs / "seed0" / "checkpoints" / "best" / "weights.safetensors")
    renamed = {
        key.replace("visual.", "module.image_encoder.model.visual.").replace(
            "head.", "module.classification_head."
        ): tensor
        for key, tensor in stored.items()
    }
    rest = {"module.image_encoder.model.logit_scale": torch.tensor(4.6)}
    torch.save({"state_dict": renamed | rest}, path)


@pytest.mark.parametrize("write", [own_weights, wise_ft_weights])
def test_a_bare_file_with_a_head_is_measured_as_the_architecture_that_is_named(
    runs: Path,
    world: Path,
    clip: tuple[Path, Path],
    evaluate: Evaluate,
    tmp_path: Path,
    write: Callable[[Path, Path], None],
) -> None:
    file = tmp_path / "weights.safetensors"
    file = file if write is own_weights else file.with_suffix(".pt")
    write(runs, file)

    record = evaluate(
        file, "--model", clip[0], "--suite", "domains", "--data", world, "--id", "sunny"
    )

    (model,) = record["models"]
    kept = tmp_path / "EVAL" / model["predictions"]
    assert (model["model"], model["kind"]) == (file.name, "weights")
    np.testing.assert_allclose(
        logits(kept, "dark"), logits(runs / "seed0" / "predictions", "dark"), atol=1e-4
    )


def test_a_bare_file_without_an_architecture_is_named_with_what_to_give(
    runs: Path, cfft_command: Command, tmp_path: Path
) -> None:
    own_weights(runs, tmp_path / "bare.safetensors")

    ended = cfft_command("eval", str(tmp_path / "bare.safetensors"), "--suite", "shapes")

    assert ended.code == 2
    assert "bare.safetensors does not say its architecture: give --model NAME" in ended.err
    assert "--model ViT-B-32" in ended.err
    assert "--model timm:NAME" in ended.err
    assert "no model is chosen" not in ended.err


def test_an_open_clip_file_is_the_zero_shot_model_of_its_own_text_tower(
    runs: Path, world: Path, clip: tuple[Path, Path], evaluate: Evaluate, tmp_path: Path
) -> None:
    words = ("--suite", "domains", "--data", world, "--id", "sunny", "--prompts", "class-name")

    evaluate(clip[1], "--model", clip[0], *words)

    before = logits(runs / "seed0" / "predictions" / "before", "dark")
    kept = tmp_path / "EVAL" / "predictions" / "tiny.safetensors"
    np.testing.assert_allclose(logits(kept, "dark"), before, atol=1e-4)


def test_a_head_with_another_number_of_classes_is_refused(
    world: Path, runs: Path, cfft_command: Command, tmp_path: Path
) -> None:
    own_weights(runs, tmp_path / "bare.safetensors")
    for domain in ("sunny", "dark"):
        for colour in ("red", "blue"):
            shutil.copytree(world / domain / colour, tmp_path / "two" / domain / colour)

    ended = cfft_command(
        "eval", str(runs / "seed0"), str(tmp_path / "bare.safetensors"), "--data",
        str(tmp_path / "two"), "--out", str(tmp_path / "E"),
    )  # fmt: skip

    assert ended.code == 2
    assert "bare.safetensors: its head has 3 classes, suite 'domains' has 2" in ended.err


@pytest.fixture
def damaged(world: Path, tmp_path: Path) -> Path:
    """Copy the world and cut a picture of the OOD set short."""
    shutil.copytree(world, tmp_path / "damaged")
    picture = tmp_path / "damaged" / "dark" / "red" / "02.png"
    picture.write_bytes(picture.read_bytes()[:-40])
    return tmp_path / "damaged"


def test_a_truncated_picture_is_named_and_nothing_is_left_half_written(
    runs: Path, damaged: Path, cfft_command: Command, tmp_path: Path
) -> None:
    words = ("--data", str(damaged), "--out", str(tmp_path / "E"), "--workers", "0")

    ended = cfft_command("eval", str(runs / "seed0"), *words)

    assert ended.code == 2
    assert f"set 'dark': {damaged}/dark/red/02.png: " in ended.err
    assert "--skip-unreadable" in ended.err
    assert {path.name for path in tmp_path.iterdir()} == {"damaged"}


def test_unreadable_pictures_can_be_left_out_and_are_recorded(
    runs: Path, damaged: Path, evaluate: Evaluate
) -> None:
    record = evaluate(runs / "seed0", "--data", damaged, "--skip-unreadable")

    assert record["models"][0]["sets"]["dark"]["n"] == 11
    assert [each["path"] for each in record["skipped"]] == [f"{damaged}/dark/red/02.png"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["{runs}/seed0", "--alphas", "0,2"], "--alphas: 2 is out of range"),
        (["{runs}/seed0", "--out", "{runs}"], "is not empty: give another directory"),
        (["{runs}/seed2"], "nothing is called '{runs}/seed2': give a run directory"),
        (["{runs}/se*2"], "nothing is called '{runs}/se*2'"),
        (["{runs}"], "{runs}: no weights here"),
        (["zero-shot"], "no model is chosen: give --model NAME"),
        (["{runs}/seed0", "--baseline", "x"], "--baseline: unknown model 'x'"),
        (["{runs}/seed0", "--baseline-line", "seed0"], "a line takes two models or more"),
        (["{runs}/seed0", "--head", "none"], "--head"),
        (["--from-predictions", "{runs}"], "holds neither evaluation.json nor results.json"),
        ([], "no model is given: run directories"),
    ],
)
def test_what_cannot_be_measured_ends_with_a_line_that_says_why(
    runs: Path,
    cfft_command: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)

    ended = cfft_command("eval", *(word.format(runs=runs) for word in words))

    assert ended.code == 2
    assert message.format(runs=runs) in ended.err
    assert not list(tmp_path.iterdir())


def test_weight_ensembles_need_a_run(
    clip: tuple[Path, Path], world: Path, cfft_command: Command, tmp_path: Path
) -> None:
    words = ("--suite", "domains", "--data", str(world), "--id", "sunny", "--model", str(clip[0]))

    ended = cfft_command(
        "eval", str(clip[1]), *words, "--alphas", "0.5", "--out", str(tmp_path / "E")
    )

    assert ended.code == 2
    assert "--alphas mixes the weights of a run with those that it started from" in ended.err


def test_another_seed_than_a_runs_own_is_warned_of(
    runs: Path, cfft_command: Command, tmp_path: Path
) -> None:
    words = ("--seed", "0", "--out", str(tmp_path / "E"), "--workers", "0", "--json")

    ended = cfft_command("eval", str(runs / "seed1"), *words)

    assert ended.code == 0
    assert "was trained with seed 1: a test set drawn with seed 0 may hold pictures" in ended.err


def test_effective_robustness_is_measured_against_published_accuracies(
    runs: Path, evaluate: Evaluate, tmp_path: Path
) -> None:
    points = [{"Sunny": 0.6, "Dark": 0.4}, {"Sunny": 0.9, "Dark": 0.7}]
    (tmp_path / "line.jsonl").write_text("\n".join(map(json.dumps, points)))

    record = evaluate(runs / "seed0", "--baseline-line", tmp_path / "line.jsonl")

    assert record["models"][0]["effective_robustness"].keys() == {"dark", "ood_average"}


def test_people_see_models_side_by_side(runs: Path, cfft_command: Command, tmp_path: Path) -> None:
    words = ("--out", str(tmp_path / "E"), "--workers", "0")

    ended = cfft_command("eval", "zero-shot", str(runs / "seed*"), *words)

    assert ended.code == 0
    assert "top-1 in percent" in ended.out
    assert "mean and standard deviation over seeds" in ended.out
    assert f"numbers  {tmp_path}/E/evaluation.json" in ended.out


def test_evaluations_of_other_pictures_are_not_put_side_by_side(
    runs: Path, evaluate: Evaluate, cfft_command: Command, tmp_path: Path
) -> None:
    evaluate(runs / "seed0", out=tmp_path / "A")
    evaluate(runs / "seed0", out=tmp_path / "B")
    record = json.loads((tmp_path / "B" / "evaluation.json").read_text())
    record["suite"]["split"] = [60.0, 20.0, 20.0]
    (tmp_path / "B" / "evaluation.json").write_text(json.dumps(record))

    ended = cfft_command("eval", "--from-predictions", str(tmp_path / "A"), str(tmp_path / "B"))

    assert ended.code == 2
    assert "measured on different pictures (suite.split: [70.0, 10.0, 20.0] ->" in ended.err


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("evaluation.json", "{", "no evaluation that cfft wrote"),
        ("evaluation.json", '{"schema": 1}', "not as cfft writes it .*models"),
        ("evaluation.json", '{"schema": 2}', "schema 2, this version of cfft reads 1"),
        ("results.json", "{", "cannot be read as JSON"),
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


def test_a_line_through_a_damaged_evaluation_is_refused(
    runs: Path, cfft_command: Command, tmp_path: Path
) -> None:
    (tmp_path / "evaluation.json").write_text('{"schema": 1, "models": [{}]}')

    ended = cfft_command("eval", str(runs / "seed0"), "--baseline-line", str(tmp_path))

    assert ended.code == 2
    assert "not as cfft writes it (required field missing @ $.models[0].sets" in ended.err


def test_a_run_whose_configuration_is_broken_is_named(
    runs: Path, cfft_command: Command, tmp_path: Path
) -> None:
    run = shutil.copytree(runs / "seed0", tmp_path / "run")
    (run / "config.toml").write_text("seed")

    ended = cfft_command("eval", str(runs / "seed0"), str(run), "--out", str(tmp_path / "E"))

    assert ended.code == 2
    assert f"config file {run}/config.toml is no valid TOML" in ended.err
