"""`cfft eval`: what a user may name as a model, and what it is then called."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from cfft.evaluation.models.finding import find_models

Command = Callable[..., Any]
Evaluate = Callable[..., dict[str, Any]]


def logits(folder: Path, name: str) -> np.ndarray:
    with np.load(folder / f"{name}.npz") as stored:
        return stored["logits"]


def names(folder: Path, name: str) -> list[str]:
    with np.load(folder / f"{name}.npz") as stored:
        return stored["names"].tolist()


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


def test_where_logits_find_no_room_on_the_disk_one_line_says_so(
    clip: tuple[Path, Path],
    world: Path,
    cfft_command: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def full(descriptor: int, start: int, size: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    words = ("--suite", "domains", "--data", world, "--id", "sunny", "--prompts", "class-name")
    model = ("pretrained", "--model", clip[0], "--pretrained", clip[1], "--workers", "0")
    monkeypatch.setattr("cfft.scoring.evaluate.IN_MEMORY_BYTES", 0)
    monkeypatch.setattr(os, "posix_fallocate", full, raising=False)

    ended = cfft_command("eval", *map(str, (*model, *words, "--out", tmp_path / "EVAL")))

    assert ended.code == 2
    assert re.search(r"^error: .*EVAL: No space left on device$", ended.err, re.M)
    assert "Traceback" not in ended.err
    assert [*tmp_path.iterdir()] == []


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


def test_an_alpha_that_is_given_twice_is_measured_once(runs: Path, evaluate: Evaluate) -> None:
    record = evaluate(runs / "seed0", "--alphas", "0.5,0.50,1")

    assert [model["alpha"] for model in record["models"]] == [None, 0.5, 1.0]


def test_alphas_that_tables_cannot_tell_apart_are_refused(
    runs: Path, cfft_command: Command, tmp_path: Path
) -> None:
    words = ("--alphas", "0.5,0.50000001", "--out", str(tmp_path / "E"))

    ended = cfft_command("eval", str(runs / "seed0"), *words)

    assert ended.code == 2
    assert "two models would be called 'seed0 alpha=0.5': give --alphas that differ" in ended.err


def test_weight_ensembles_need_a_run(
    clip: tuple[Path, Path], world: Path, cfft_command: Command, tmp_path: Path
) -> None:
    words = ("--suite", "domains", "--data", str(world), "--id", "sunny", "--model", str(clip[0]))

    ended = cfft_command(
        "eval", str(clip[1]), *words, "--alphas", "0.5", "--out", str(tmp_path / "E")
    )

    assert ended.code == 2
    assert "--alphas mixes the weights of a run with those that it started from" in ended.err


def changed(run: Path, to: Path, *texts: tuple[str, str]) -> Path:
    """Copy a run and replace texts of its configuration."""
    shutil.copytree(run, to)
    found = (to / "config.toml").read_text()
    for before, after in texts:
        assert before in found
        found = found.replace(before, after)
    (to / "config.toml").write_text(found)
    return to


def test_an_ensemble_with_another_starting_model_is_refused(
    runs: Path, cfft_command: Command, tmp_path: Path
) -> None:
    other = changed(runs / "seed0", tmp_path / "run", ('std = "none"', "std = [0.5, 0.5, 0.5]"))

    ended = cfft_command("eval", str(other), "--alphas", "0.5", "--out", str(tmp_path / "E"))

    assert ended.code == 2
    assert f"{other}: its starting model is no longer the same: " in ended.err


def test_runs_that_start_differently_share_no_model_before(
    runs: Path, cfft_command: Command, tmp_path: Path
) -> None:
    other = changed(runs / "seed0", tmp_path / "run", ('head = "auto"', 'head = "zero-shot"'))

    ended = cfft_command("eval", "zero-shot", str(runs / "seed0"), str(other))

    assert ended.code == 2
    assert "the runs start from different models: say with --model and --pretrained" in ended.err


def test_a_checkpoint_alone_says_which_model_it_is(
    runs: Path, world: Path, evaluate: Evaluate, tmp_path: Path
) -> None:
    words = ("--suite", "domains", "--data", world, "--id", "sunny")

    record = evaluate(runs / "seed0" / "checkpoints" / "best", *words)

    kept = tmp_path / "EVAL" / record["models"][0]["predictions"]
    own = runs / "seed0" / "predictions"
    np.testing.assert_allclose(logits(kept, "dark"), logits(own, "dark"), atol=1e-4)


@pytest.mark.parametrize("place", ["best", "best/weights.safetensors"])
def test_a_checkpoint_is_measured_on_the_test_images_of_the_seed_of_its_run(
    runs: Path, world: Path, evaluate: Evaluate, tmp_path: Path, place: str
) -> None:
    words = ("--suite", "domains", "--data", world, "--id", "sunny")

    record = evaluate(runs / "seed1" / "checkpoints" / place, *words)

    (model,) = record["models"]
    kept, own = tmp_path / "EVAL" / model["predictions"], runs / "seed1" / "predictions"
    assert (model["seed"], record["seed"]) == (1, 1)
    assert names(kept, "sunny") == names(own, "sunny")


def test_a_checkpoint_that_was_copied_away_still_says_its_seed(
    runs: Path, world: Path, evaluate: Evaluate, tmp_path: Path
) -> None:
    copied = shutil.copytree(runs / "seed1" / "checkpoints" / "best", tmp_path / "copied")

    record = evaluate(copied, "--suite", "domains", "--data", world, "--id", "sunny")

    assert record["models"][0]["seed"] == 1


def test_a_checkpoint_of_an_older_cfft_has_the_seed_of_the_run_that_it_lies_in(
    runs: Path, tmp_path: Path
) -> None:
    run = shutil.copytree(runs / "seed1", tmp_path / "run")
    description = run / "checkpoints" / "best" / "model.json"
    content = json.loads(description.read_text())
    del content["seeds"]
    description.write_text(json.dumps(content))

    (model,) = find_models([str(run / "checkpoints" / "best")])

    assert model.seeds == (1,)


def test_a_model_of_an_unknown_seed_is_warned_of_where_the_seed_draws_the_test_set(
    runs: Path, world: Path, clip: tuple[Path, Path], cfft_command: Command, tmp_path: Path
) -> None:
    own_weights(runs, tmp_path / "bare.safetensors")
    words = ("--suite", "domains", "--data", str(world), "--model", str(clip[0]), "--workers", "0")
    out, bare = ("--out", str(tmp_path / "E"), "--json"), str(tmp_path / "bare.safetensors")

    ended = cfft_command("eval", bare, *words, "--id", "sunny", *out)

    (model,) = json.loads(ended.out)["models"]
    assert (ended.code, model["seed"]) == (0, None)
    assert f"{bare} does not say which seed it was trained with: the test set, " in ended.err
    assert "give --seed with the seed of its run" in ended.err


def test_an_average_of_two_seeds_has_no_test_images_of_its_own(
    runs: Path, world: Path, cfft_command: Command, tmp_path: Path
) -> None:
    soup, words = str(tmp_path / "soup"), ("--suite", "domains", "--data", str(world))
    merged = cfft_command("merge", "wise", str(runs / "seed0"), str(runs / "seed1"), "--out", soup)
    out = ("--out", str(tmp_path / "E"), "--workers", "0", "--json")

    ended = cfft_command("eval", soup, *words, "--id", "sunny", *out)

    assert (merged.code, ended.code) == (0, 0)
    assert json.loads(ended.out)["models"][0]["seed"] is None
    assert f"{soup} was trained with several seeds (0, 1): the test set, drawn with" in ended.err


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

    words = ("--suite", "domains", "--data", world, "--id", "sunny")
    record = evaluate(file, "--model", clip[0], "--backbone.open_clip.quick-gelu", "false", *words)

    (model,) = record["models"]
    kept = tmp_path / "EVAL" / model["predictions"]
    assert (model["model"], model["kind"]) == (file.name, "weights")
    np.testing.assert_allclose(
        logits(kept, "dark"), logits(runs / "seed0" / "predictions", "dark"), atol=1e-4
    )


def test_an_evaluation_says_which_weights_of_a_checkpoint_it_took(
    runs: Path, world: Path, clip: tuple[Path, Path], cfft_command: Command, tmp_path: Path
) -> None:
    wise_ft_weights(runs, tmp_path / "wise.pt")
    raw = torch.load(tmp_path / "wise.pt", weights_only=True)["state_dict"]
    zeros = {key: torch.zeros_like(tensor) for key, tensor in raw.items()}
    torch.save({"state_dict": zeros, "state_dict_ema": raw}, tmp_path / "two.pt")
    files = (str(tmp_path / "two.pt"), f"{tmp_path / 'two.pt'}:state_dict_ema")
    suite = ("--suite", "domains", "--data", str(world), "--id", "sunny", "--workers", "0")
    model = ("--model", str(clip[0]), "--backbone.open_clip.quick-gelu", "false")

    ended = cfft_command("eval", *files, *suite, *model, "--out", str(tmp_path / "E"))

    kept = tmp_path / "E" / "predictions"
    assert ended.code == 0
    assert ended.err.count("takes the weights 'state_dict'; others lie beside them:") == 1
    assert not logits(kept / "two.pt", "dark").any()
    np.testing.assert_allclose(
        logits(kept / "two.pt-state_dict_ema", "dark"),
        logits(runs / "seed0" / "predictions", "dark"),
        atol=1e-4,
    )


def test_the_averages_of_a_pattern_of_checkpoints_are_measured(
    runs: Path, world: Path, clip: tuple[Path, Path], evaluate: Evaluate, tmp_path: Path
) -> None:
    wise_ft_weights(runs, tmp_path / "wise.pt")
    raw = torch.load(tmp_path / "wise.pt", weights_only=True)["state_dict"]
    zeros = {key: torch.zeros_like(tensor) for key, tensor in raw.items()}
    for epoch in (1, 2):
        content = {"state_dict": zeros, "state_dict_ema": raw}
        torch.save(content, tmp_path / f"epoch_{epoch}.pt")
    suite = ("--suite", "domains", "--data", world, "--id", "sunny")
    model = ("--model", clip[0], "--backbone.open_clip.quick-gelu", "false")

    record = evaluate(f"{tmp_path}/epoch_*.pt:state_dict_ema", *suite, *model)

    names = [f"epoch_{epoch}.pt:state_dict_ema" for epoch in (1, 2)]
    expected = logits(runs / "seed0" / "predictions", "dark")
    assert [each["model"] for each in record["models"]] == names
    for each in record["models"]:
        kept = tmp_path / "EVAL" / each["predictions"]
        np.testing.assert_allclose(logits(kept, "dark"), expected, atol=1e-4)


@pytest.mark.parametrize("nest", ["", ":ema"])
def test_a_pre_trained_file_says_which_of_its_weights_it_took(
    nest: str, world: Path, clip: tuple[Path, Path], cfft_command: Command, tmp_path: Path
) -> None:
    tensors = load_file(clip[1])
    torch.save({"model": tensors, "ema": tensors}, tmp_path / "two.pt")
    words = ("--suite", "domains", "--data", str(world), "--id", "sunny", "--workers", "0")
    model = ("--model", str(clip[0]), "--prompts", "class-name")

    ended = cfft_command(
        "eval", f"{tmp_path / 'two.pt'}{nest}", *words, *model, "--out", str(tmp_path / "E")
    )

    assert ended.code == 0
    assert ended.err.count("takes the weights 'model'") == (not nest)


def test_a_file_of_another_program_is_refused_while_nothing_says_its_activation(
    runs: Path, world: Path, clip: tuple[Path, Path], cfft_command: Command, tmp_path: Path
) -> None:
    wise_ft_weights(runs, tmp_path / "wise.pt")
    words = ("--suite", "domains", "--data", str(world), "--id", "sunny", "--model", str(clip[0]))

    ended = cfft_command("eval", str(tmp_path / "wise.pt"), *words, "--out", str(tmp_path / "E"))

    assert ended.code == 2
    assert f"neither the file nor --model {clip[0]} says its activation" in ended.err
    assert "give --pretrained with the tag of the weights" in ended.err
    assert "or --backbone.open_clip.quick-gelu true" in ended.err


@pytest.mark.parametrize(("asked", "activation"), [("true", "QuickGELU"), ("false", "GELU")])
def test_an_evaluation_says_how_each_model_was_built(
    runs: Path,
    world: Path,
    clip: tuple[Path, Path],
    evaluate: Evaluate,
    tmp_path: Path,
    asked: str,
    activation: str,
) -> None:
    wise_ft_weights(runs, tmp_path / "wise.pt")
    words = ("--suite", "domains", "--data", world, "--id", "sunny", "--model", clip[0])

    record = evaluate(tmp_path / "wise.pt", *words, "--backbone.open_clip.quick-gelu", asked)

    facts = record["models"][0]["facts"]
    assert facts["activation"] == activation
    assert facts["preprocessing interpolation"] == "bicubic"


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
