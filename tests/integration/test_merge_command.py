"""`cfft merge NAME`: models from files, checkpoints and runs."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from cfft.evaluation.merging import job
from cfft.model import checkpoint
from cfft.model.checkpoint import Checkpoint
from cfft.model.description import read_weights
from cfft.report.figures.ensembles import ensembles
from cfft.report.sources.collect import collect
from cfft.report.summary import summarise
from cfft.training.merging import merged_weights

Command = Callable[..., Any]
Evaluate = Callable[..., dict[str, Any]]


def weights(value: float) -> dict[str, Tensor]:
    return {"head.weight": torch.full((2, 3), value), "head.bias": torch.zeros(2)}


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    """Write the weights 1 and 3 and return their paths."""
    save_file(weights(1.0), tmp_path / "a.safetensors")
    save_file(weights(3.0), tmp_path / "b.safetensors")
    return str(tmp_path / "a.safetensors"), str(tmp_path / "b.safetensors")


@pytest.mark.parametrize(
    ("alpha", "expected"), [([], 2.0), (["--alpha", "0"], 1.0), (["--alpha", "0.75"], 2.5)]
)
def test_two_files_give_their_average(
    cfft_command: Command, files: tuple[str, str], tmp_path: Path, alpha: list[str], expected: float
) -> None:
    out = tmp_path / "new" / "mean.safetensors"

    ended = cfft_command("merge", "wise", *files, *alpha, "--out", str(out))

    assert (ended.code, ended.out) == (0, f"wrote {out}\n")
    torch.testing.assert_close(load_file(out), weights(expected))


def described(classes: list[str]) -> dict[str, Any]:
    prepared = {"size": [8, 8], "resize": 8, "interpolation": "bicubic"}
    colours = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}
    return {
        "backbone": "mine", "name": "tiny", "rebuild": "tiny", "identity": {"width": "3"},
        "preprocessing": {**prepared, **colours}, "normalised": True, "classes": classes,
        "head": "linear-probe", "prompts": [], "seeds": [],
    }  # fmt: skip


def test_two_checkpoints_give_a_checkpoint_that_says_which_model_it_is(
    cfft_command: Command, tmp_path: Path
) -> None:
    checkpoint.save(tmp_path / "a", Checkpoint(weights(1.0), described(["cat", "dog"])))
    checkpoint.save(tmp_path / "b", Checkpoint(weights(3.0), described(["cat", "dog"])))

    cfft_command(
        "merge", "wise", str(tmp_path / "a"), str(tmp_path / "b"), "--out", str(tmp_path / "c")
    )

    merged = checkpoint.load(tmp_path / "c")
    assert merged.model == described(["cat", "dog"])
    torch.testing.assert_close(dict(merged.weights), weights(2.0))


@pytest.fixture
def checkpoints(tmp_path: Path) -> tuple[str, str]:
    """Write checkpoints of one model with the weights 1 and 3 and return their paths."""
    checkpoint.save(tmp_path / "a", Checkpoint(weights(1.0), described(["cat", "dog"])))
    checkpoint.save(tmp_path / "b", Checkpoint(weights(3.0), described(["cat", "dog"])))
    return str(tmp_path / "a"), str(tmp_path / "b")


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Return `meanwhile(action)`: the next merge does that once before it merges."""

    def arrange(action: Callable[[], object]) -> None:
        def merged(*given: Any) -> object:
            monkeypatch.setattr(job, "merged_weights", merged_weights)
            action()
            return merged_weights(*given)

        monkeypatch.setattr(job, "merged_weights", merged)

    return arrange


def write_run(root: Path) -> None:
    (root / "checkpoints" / "best").mkdir(parents=True)
    (root / "results.json").write_text("{}")


def test_a_run_that_appears_while_models_are_merged_stays_as_it_is(
    cfft_command: Command,
    checkpoints: tuple[str, str],
    tmp_path: Path,
    meanwhile: Callable[..., None],
) -> None:
    out = tmp_path / "out"
    meanwhile(lambda: write_run(out))

    ended = cfft_command("merge", "wise", *checkpoints, "--out", str(out))

    assert ended.code == 2
    said = f"error: --out {out} was taken meanwhile: the merged model is in {out}-2\n"
    assert ended.err == said
    assert sorted(path.name for path in out.rglob("*")) == ["best", "checkpoints", "results.json"]
    torch.testing.assert_close(dict(checkpoint.load(Path(f"{out}-2")).weights), weights(2.0))
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b", "out", "out-2"}


def test_of_two_merges_into_one_directory_the_second_is_told(
    cfft_command: Command,
    checkpoints: tuple[str, str],
    tmp_path: Path,
    meanwhile: Callable[..., None],
) -> None:
    out, told = tmp_path / "out", []
    command = ("merge", "wise", *checkpoints, "--out", str(out))
    meanwhile(lambda: told.append(cfft_command(*command, "--alpha", "0")))

    first = cfft_command(*command)

    assert (first.code, first.out) == (0, f"wrote {out}\n")
    assert told[0].code == 2
    assert f"error: --out {out} is in use by process {os.getpid()}" in told[0].err
    torch.testing.assert_close(dict(checkpoint.load(out).weights), weights(2.0))
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b", "out"}


def test_of_two_merges_into_one_file_the_first_that_is_complete_stays(
    cfft_command: Command, files: tuple[str, str], tmp_path: Path, meanwhile: Callable[..., None]
) -> None:
    out, told = tmp_path / "out.safetensors", []
    command = ("merge", "wise", *files, "--out", str(out))
    meanwhile(lambda: told.append(cfft_command(*command, "--alpha", "0")))

    late = cfft_command(*command)

    assert told[0].code == 0
    assert late.code == 2
    kept = tmp_path / "out-2.safetensors"
    assert late.err == (f"error: --out {out} was taken meanwhile: the merged model is in {kept}\n")
    torch.testing.assert_close(load_file(out), weights(1.0))
    torch.testing.assert_close(load_file(kept), weights(2.0))


def test_checkpoints_of_different_models_are_not_averaged(
    cfft_command: Command, tmp_path: Path
) -> None:
    checkpoint.save(tmp_path / "a", Checkpoint(weights(1.0), described(["cat", "dog"])))
    checkpoint.save(tmp_path / "b", Checkpoint(weights(3.0), described(["cat", "cow"])))

    ended = cfft_command(
        "merge", "wise", str(tmp_path / "a"), str(tmp_path / "b"), "--out", str(tmp_path / "c")
    )

    assert ended.code == 2
    a, b = tmp_path / "a", tmp_path / "b"
    assert ended.err == f"error: {b} cannot be merged with {a}: class 1 is 'cow', not 'dog'\n"


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (["--alpha", "1.5"], "merge.wise.alpha: got '1.5', allowed: a number from 0 to 1"),
        (["--out", "a.safetensors"], "--out a.safetensors exists: give another path"),
        (["--out", "folder"], "does not say which model it is: give --out NAME.safetensors"),
    ],
)
def test_what_cannot_be_averaged_ends_with_one_line(
    cfft_command: Command,
    files: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: list[str],
    line: str,
) -> None:
    monkeypatch.chdir(tmp_path)

    ended = cfft_command("merge", "wise", *files, "--out", "new.safetensors", *change)

    assert ended.code == 2
    assert line in ended.err
    assert not Path("new.safetensors").exists()


def test_a_file_beneath_a_file_cannot_be_written(
    cfft_command: Command, files: tuple[str, str]
) -> None:
    ended = cfft_command("merge", "wise", *files, "--out", f"{files[0]}/mean.safetensors")

    assert ended.code == 2
    assert "a.safetensors is a file: give another path" in ended.err


def test_a_place_that_the_system_refuses_is_named_with_the_reason(
    cfft_command: Command, files: tuple[str, str], tmp_path: Path
) -> None:
    out = tmp_path / f"{'long' * 100}.safetensors"

    ended = cfft_command("merge", "wise", *files, "--out", str(out))

    assert ended.code == 2
    assert ended.err.count("\n") == 1
    assert "File name too long" in ended.err


def test_a_merged_file_says_whose_weights_it_holds_and_others_may_read_it(
    cfft_command: Command, tmp_path: Path
) -> None:
    checkpoint.save(tmp_path / "a", Checkpoint(weights(1.0), described(["cat", "dog"])))
    save_file(weights(3.0), tmp_path / "b.safetensors")
    (tmp_path / "ordinary").touch()
    out = tmp_path / "mean.safetensors"

    cfft_command(
        "merge", "wise", str(tmp_path / "b.safetensors"), str(tmp_path / "a"), "--out", str(out)
    )

    assert read_weights(out).identity == {"width": "3"}
    assert out.stat().st_mode == (tmp_path / "ordinary").stat().st_mode
    assert not list(tmp_path.glob("*.partial"))


def test_files_that_say_they_are_of_different_models_are_not_averaged(
    cfft_command: Command, tmp_path: Path
) -> None:
    paths = [tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    checkpoint.write_weights(paths[0], weights(1.0), {"activation": "GELU"})
    checkpoint.write_weights(paths[1], weights(3.0), {"activation": "QuickGELU"})

    ended = cfft_command(
        "merge", "wise", *map(str, paths), "--out", str(tmp_path / "c.safetensors")
    )

    assert ended.code == 2
    told = f"{paths[1]} cannot be merged with {paths[0]}: activation is QuickGELU, not GELU"
    assert told in ended.err


def test_a_damaged_checkpoint_is_not_averaged(cfft_command: Command, tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "a", Checkpoint(weights(1.0), described(["cat", "dog"])))
    broken = tmp_path / "a" / "weights.safetensors"
    broken.write_bytes(broken.read_bytes()[:-1] + b"!")

    ended = cfft_command(
        "merge", "wise", str(tmp_path / "a"), str(broken), "--out", str(tmp_path / "c")
    )

    assert ended.code == 2
    assert "weights.safetensors is damaged" in ended.err


def test_alpha_is_checked_before_any_file_is_read(cfft_command: Command) -> None:
    ended = cfft_command(
        "merge", "wise", "nowhere", "nowhere", "--alpha", "2", "--out", "c.safetensors"
    )

    assert ended.code == 2
    assert "merge.wise.alpha: got '2', allowed: a number from 0 to 1" in ended.err


def test_a_missing_model_is_named(cfft_command: Command, files: tuple[str, str]) -> None:
    ended = cfft_command("merge", "wise", files[0], "nowhere", "--out", "new.safetensors")

    assert ended.code == 2
    assert "nowhere" in ended.err


def test_everything_that_differs_is_listed_before_any_weight_is_read(
    cfft_command: Command, tmp_path: Path
) -> None:
    other = {"head.weight": torch.zeros(3, 3), "extra": torch.zeros(1)}
    checkpoint.save(tmp_path / "a", Checkpoint(weights(1.0), described(["cat", "dog"])))
    changed = {**described(["cat", "dog", "cow"]), "identity": {"width": "5"}}
    checkpoint.save(tmp_path / "b", Checkpoint(other, changed))

    ended = cfft_command(
        "merge", "wise", str(tmp_path / "a"), str(tmp_path / "b"), "--out", str(tmp_path / "c")
    )

    start = f"error: {tmp_path / 'b'} cannot be merged with {tmp_path / 'a'}: "
    assert ended.code == 2
    assert ended.err.splitlines() == [
        f"{start}width is 5, not 3",
        f"{start}it has 3 classes, not 2",
        f"{start}1 of another shape (head.weight is [3, 3] instead of [2, 3]); "
        "1 missing (head.bias); 1 unexpected (extra)",
    ]


def test_a_merge_that_is_not_named_is_answered_with_all_names(
    cfft_command: Command, files: tuple[str, str]
) -> None:
    ended = cfft_command("merge", *files, "--out", "mean.safetensors")

    assert ended.code == 2
    assert ended.err.count("\n") == 1
    assert "; installed: greedy-soup, layer-wise, " in ended.err
    assert "write cfft merge NAME MODEL... --out PATH" in ended.err


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--alpha", "0:1:0.3"], "0:1:0.3 does not reach 1, its last value is 0.9: choose a STEP"),
        (["--alpha", "0:1:0"], "got '0:1:0', allowed: a number from 0 to 1, or none, X,X,... or "),
        (["--alpha", "0:2:0.5"], "merge.wise.alpha: got '1.5', allowed: a number from 0 to 1"),
        (["--alpha", "1:0:0.5"], "--alpha 1:0:0.5 has 0 values, allowed: 1 to 1,000"),
        (["--alpha", "0,1"], "none of the models says its architecture: give a run or checkpoint"),
        (["--validate"], "none of the models says its architecture: give a run or checkpoint"),
        (["--suite", "nothing"], "unknown suite 'nothing'"),
    ],
)
def test_a_path_that_cannot_be_measured_ends_with_one_line(
    cfft_command: Command, files: tuple[str, str], tmp_path: Path, words: list[str], line: str
) -> None:
    out = tmp_path / "new.safetensors"

    ended = cfft_command("merge", "wise", *files, "--out", str(out), "--alpha", "0,1", *words)

    assert ended.code == 2
    assert line in ended.err
    assert not out.exists()


def test_too_few_models_are_counted(cfft_command: Command, files: tuple[str, str]) -> None:
    ended = cfft_command("merge", "model-stock", *files, "--out", "new.safetensors")

    assert ended.code == 2
    assert "'model-stock' needs 2 fine-tuned models or more, got 1" in ended.err


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (
            ["wise", "a.safetensors", "zero-shot"],
            "zero-shot is not fine-tuned; wise takes it first",
        ),
        (
            ["uniform-soup", "zero-shot", "a.safetensors"],
            "uniform-soup merges fine-tuned models alone",
        ),
        (["wise", "zero-shot", "a.safetensors"], "zero-shot is the model that a run started from"),
        (["wise"], "merge 'wise' needs the starting model and fine-tuned ones"),
    ],
)
def test_the_model_before_fine_tuning_is_taken_where_it_belongs(
    cfft_command: Command,
    files: tuple[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    line: str,
) -> None:
    monkeypatch.chdir(tmp_path)

    ended = cfft_command("merge", *words, "--out", "new.safetensors")

    assert ended.code == 2
    assert line in ended.err


def test_a_model_that_a_merge_leaves_out_is_named(
    cfft_command: Command, files: tuple[str, str], tmp_path: Path
) -> None:
    out = tmp_path / "new.safetensors"

    ended = cfft_command("merge", "wise", *files, files[0], "--out", str(out))

    assert ended.code == 0
    assert f"merge 'wise' did not use {files[1]}" in ended.err


def test_a_uniform_soup_of_copies_is_the_model(
    cfft_command: Command, files: tuple[str, str], tmp_path: Path
) -> None:
    out = tmp_path / "soup.safetensors"

    ended = cfft_command("merge", "uniform-soup", *[files[1]] * 3, "--out", str(out))

    assert (ended.code, ended.out) == (0, f"wrote {out}\n")
    torch.testing.assert_close(load_file(out), weights(3.0), rtol=0, atol=0)


def test_heads_that_started_from_probes_of_their_own_are_warned_of(
    cfft_command: Command, tmp_path: Path
) -> None:
    for seed in (0, 1):
        own = {**described(["cat", "dog"]), "seeds": [seed]}
        checkpoint.save(tmp_path / str(seed), Checkpoint(weights(1.0), own))

    ended = cfft_command(
        "merge", "uniform-soup", str(tmp_path / "0"), str(tmp_path / "1"),
        "--out", str(tmp_path / "c"),
    )  # fmt: skip

    assert ended.code == 0
    assert "the heads did not start from the same values" in ended.err
    assert checkpoint.load(tmp_path / "c").model["seeds"] == [0, 1]


@pytest.fixture
def nests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write raw and averaged weights, 0 and 1 or 3, into checkpoints of training."""
    monkeypatch.chdir(tmp_path)
    for number, value in ((1, 1.0), (2, 3.0)):
        content = {"state_dict": weights(0.0), "state_dict_ema": weights(value)}
        torch.save(content, tmp_path / f"epoch_{number}.pt")


@pytest.mark.parametrize(
    "models",
    [
        ("epoch_1.pt:state_dict_ema", "epoch_2.pt:state_dict_ema"),
        ("epoch_*.pt:state_dict_ema",),
        ("./epoch_[12].pt:state_dict_ema",),
    ],
)
def test_the_averaged_weights_of_checkpoints_are_merged(
    nests: None, cfft_command: Command, models: tuple[str, ...]
) -> None:
    ended = cfft_command("merge", "uniform-soup", *models, "--out", "soup.safetensors")

    assert (ended.code, ended.out, ended.err) == (0, "wrote soup.safetensors\n", "")
    torch.testing.assert_close(load_file("soup.safetensors"), weights(2.0))


def test_a_merge_says_once_which_weights_of_a_checkpoint_it_took(
    nests: None, cfft_command: Command
) -> None:
    models = ("epoch_1.pt", "epoch_2.pt:state_dict_ema")

    ended = cfft_command("merge", "uniform-soup", *models, "--out", "soup.safetensors")

    assert ended.code == 0
    assert ended.err.count("takes the weights 'state_dict'; others lie beside them") == 1
    assert "epoch_1.pt:state_dict_ema would take those" in " ".join(ended.err.split())
    torch.testing.assert_close(load_file("soup.safetensors"), weights(1.5))


def test_a_start_says_which_of_its_weights_were_taken(nests: None, cfft_command: Command) -> None:
    models = ("epoch_1.pt", "epoch_2.pt:state_dict_ema")

    ended = cfft_command("merge", "wise", *models, "--out", "mean.safetensors")

    assert "epoch_1.pt: takes the weights 'state_dict'" in ended.err
    torch.testing.assert_close(load_file("mean.safetensors"), weights(1.5))


def test_tensors_under_a_prefix_of_a_safetensors_file_are_merged(
    cfft_command: Command, files: tuple[str, str], tmp_path: Path
) -> None:
    under = {f"teacher.{key}": tensor for key, tensor in weights(5.0).items()}
    save_file({**under, "student.w": torch.zeros(1)}, tmp_path / "both.safetensors")
    models = (files[0], f"{tmp_path}/bo*.safetensors:teacher")

    ended = cfft_command("merge", "uniform-soup", *models, "--out", str(tmp_path / "s.safetensors"))

    assert ended.code == 0
    torch.testing.assert_close(load_file(tmp_path / "s.safetensors"), weights(3.0))


def test_a_nest_that_one_of_the_files_lacks_is_named_in_one_line(
    nests: None, cfft_command: Command
) -> None:
    torch.save({"state_dict": weights(1.0)}, "epoch_3.pt")

    ended = cfft_command("merge", "uniform-soup", "epoch_*.pt:state_dict_ema", "--out", "soup.pt")

    assert ended.code == 2
    assert ended.err.count("\n") == 1
    assert "epoch_3.pt: unknown nest 'state_dict_ema'" in ended.err


@pytest.fixture
def merged(cfft_command: Command, tmp_path: Path) -> Command:
    """Return `merged(*words)`, which returns the record of a merge that must succeed."""

    def made(*words: object) -> Any:
        out = ("--out", str(tmp_path / "merged"), "--workers", "0", "--json")
        ended = cfft_command("merge", *map(str, words), *out)
        assert ended.code == 0, ended.err
        return json.loads(ended.out)

    return made


def test_a_path_takes_the_alpha_with_the_best_validation_accuracy(
    runs: Path, merged: Command, tmp_path: Path
) -> None:
    record = merged("wise", "zero-shot", runs / "seed0", "--alpha", "0:1:0.25")

    tops = {each["candidate"]: each["val_top1"] for each in record["candidates"]}
    names = ["alpha=0", "alpha=0.25", "alpha=0.5", "alpha=0.75", "alpha=1"]
    assert list(tops) == names
    assert record["chosen"] == max(names, key=lambda name: tops[name])
    assert record["val_top1"] == tops[record["chosen"]]
    assert json.loads((tmp_path / "merged" / "merge.json").read_text()) == record


@pytest.mark.parametrize(("alpha", "position"), [("0", 0), ("1", 1)])
def test_the_ends_of_wise_predict_exactly_as_the_two_models(
    runs: Path, merged: Command, evaluate: Evaluate, tmp_path: Path, alpha: str, position: int
) -> None:
    merged("wise", "zero-shot", runs / "seed0", "--alpha", alpha)

    measured = evaluate("zero-shot", runs / "seed0", tmp_path / "merged")

    files = [tmp_path / "EVAL" / m["predictions"] / "sunny.npz" for m in measured["models"]]
    logits = [np.load(file)["logits"] for file in files]
    assert np.array_equal(logits[2], logits[position])


def test_a_path_that_is_evaluated_is_a_curve_in_the_report(
    runs: Path, merged: Command, cfft_command: Command, tmp_path: Path
) -> None:
    place = tmp_path / "path"

    merged("wise", "zero-shot", runs / "seed0", "--alpha", "0,0.5,1", "--evaluate", place)

    found = json.loads((place / "evaluation.json").read_text())["models"]
    curve = ensembles(summarise(collect([str(place)], [])))
    points = [(row[0], row[1]) for row in curve.panels[0].data["points"].rows]
    alphas = [(m["group"], m["alpha"]) for m in found if m["alpha"] is not None]
    assert points == alphas == [("merge wise", 0.0), ("merge wise", 0.5), ("merge wise", 1.0)]
    by_alpha = {m["alpha"]: m["sets"]["dark"]["top1"] for m in found}
    assert by_alpha[0.0] == found[0]["sets"]["dark"]["top1"]


def test_a_greedy_soup_reports_every_candidate_and_is_not_below_its_best_model(
    runs: Path, merged: Command
) -> None:
    record = merged("greedy-soup", runs / "seed0", runs / "seed1")

    tops = {each["candidate"]: each["val_top1"] for each in record["candidates"]}
    assert {"model 1", "model 2"} < set(tops)
    assert record["val_top1"] >= max(tops["model 1"], tops["model 2"])
    assert record["models"] == [str(runs / "seed0"), str(runs / "seed1")]


def test_a_table_shows_every_candidate_and_what_validation_chooses(
    runs: Path, cfft_command: Command, tmp_path: Path
) -> None:
    words = ("--validate", "--workers", "0", "--out", str(tmp_path / "soup"))

    ended = cfft_command("merge", "uniform-soup", str(runs / "seed0"), str(runs / "seed1"), *words)

    assert ended.code == 0
    assert f"model 1  {runs / 'seed0'}" in ended.out
    assert "\nmerged: " in ended.out
    assert f"wrote {tmp_path / 'soup'}" in ended.out


def test_a_member_of_another_seed_is_warned_of_where_its_validation_images_differ(
    runs: Path, cfft_command: Command, tmp_path: Path
) -> None:
    words = ("--workers", "0", "--out", str(tmp_path / "soup"))

    ended = cfft_command("merge", "greedy-soup", str(runs / "seed0"), str(runs / "seed1"), *words)

    assert f"{runs / 'seed1'} was trained with seed 1: validation images drawn with" in ended.err


def test_a_run_whose_configuration_was_cut_off_is_named(
    runs: Path, cfft_command: Command, tmp_path: Path
) -> None:
    run = shutil.copytree(runs / "seed0", tmp_path / "run")
    text = (run / "config.toml").read_text()
    (run / "config.toml").write_text(text[: text.index("[suite]")])

    ended = cfft_command("merge", "wise", "zero-shot", str(run), "--out", str(tmp_path / "merged"))

    assert ended.code == 2
    assert f"config file {run}/config.toml lacks [suite]" in ended.err
    assert not (tmp_path / "merged").exists()
