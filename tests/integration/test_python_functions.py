"""`cfft.run` and `cfft.evaluate` do what their commands do."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import cfft

Command = Callable[..., Any]
PLANNED = "ignore:e[a-z]* epoch:UserWarning"  # the tiny world fills no batch


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def keywords(world: Path, clip: tuple[Path, Path]) -> dict[str, Any]:
    """Say what runs here have in common, in the types of Python."""
    return {
        "suite": "domains", "data": world, "id": "sunny", "model": str(clip[0]),
        "pretrained": clip[1], "prompts": "class-name", "epochs": 1, "batch_size": 8,
        "workers": 0, "loss": ["feature-mse", "logit-kl"], "threshold": 0.5, "seed": 1,
    }  # fmt: skip


def words(keywords: Mapping[str, Any]) -> list[str]:
    """Spell keywords as options."""
    return [
        word
        for keyword, value in keywords.items()
        for one in (value if isinstance(value, list) else [value])
        for word in (f"--{keyword.replace('_', '-')}", str(one))
    ]


def settled(results: Mapping[str, Any]) -> dict[str, Any]:
    """Return what does not depend on the clock or the directory."""
    unsettled = ("run", "seconds", "images_per_second")
    kept = {key: value for key, value in results.items() if key not in unsettled}
    untimed = {path: file for path, file in kept["files"].items() if path != "metrics.jsonl"}
    return {**kept, "files": untimed}


@pytest.mark.filterwarnings(PLANNED)
@pytest.mark.filterwarnings("ignore:before fine-tuning the model only guesses")
def test_a_run_from_python_gives_the_results_of_the_command(
    keywords: dict[str, Any], cfft_command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = cfft_command("run", *words(keywords), "--out", "A", "--json")

    results = cfft.run(**keywords, out="B")

    assert capsys.readouterr() == ("", "")
    assert results == json.loads(Path("B/results.json").read_text())
    assert settled(results) == settled(json.loads(ended.out))
    assert Path("A/config.toml").read_text() == Path("B/config.toml").read_text()
    weights = [Path(run, "checkpoints/best/weights.safetensors") for run in ("A", "B")]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def test_a_dry_run_returns_the_plan_and_writes_nothing(
    keywords: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.warns(UserWarning, match="3 of 27 training images"):
        plan = cfft.run(**keywords, dry_run=True)

    assert plan["steps"]["total"] > 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ({"threshold": 2}, "mask.object.threshold: got"),
        ({"mask": "objct"}, "unknown mask 'objct'; did you mean 'object'?"),
        ({"loss": "none", "mask": "object"}, "--mask was given, but no loss looks at"),
    ],
)
def test_python_and_the_command_tell_the_same_of_what_is_wrong(
    keywords: dict[str, Any], wrong: dict[str, Any], line: str, cfft_command: Command
) -> None:
    asked = {key: str(v) if key == "threshold" else v for key, v in (keywords | wrong).items()}

    ended = cfft_command("run", *words(asked))
    with pytest.raises(cfft.CfftError) as raised:
        cfft.run(**asked)

    assert line in str(raised.value)
    assert ended.err == "".join(f"error: {each}\n" for each in str(raised.value).split("\n"))


def test_an_evaluation_from_python_gives_the_record_of_the_command(
    runs: Path, cfft_command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["zero-shot", str(runs / "seed0")]
    ended = cfft_command(
        "eval", *asked, "--alphas", "0.5", "--workers", "0", "--out", "A", "--json"
    )

    record = cfft.evaluate(asked, alphas=(0.5,), workers=0, out="B")

    assert capsys.readouterr() == ("", "")
    assert record == json.loads(Path("B/evaluation.json").read_text())
    assert record == json.loads(ended.out)
    again = cfft.evaluate("B", from_predictions=True)
    assert [model["sets"] for model in again["models"]] == [
        model["sets"] for model in record["models"]
    ]


def test_recomputing_refuses_keywords_about_measuring() -> None:
    with pytest.raises(cfft.ConfigError, match="no use for --suite, --alphas: leave that out"):
        cfft.evaluate("B", suite="folder", alphas=[0.5], from_predictions=True)
