"""Strategies and hooks that fail in a run: named with the step, and the run can be resumed."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

import pytest

from cfft.model import checkpoint

pytestmark = pytest.mark.slow

Command = Callable[..., Any]
Install = Callable[..., Distribution]

PLUGIN = """
    import os
    import torch
    import cfft

    @cfft.mask("own")
    class OwnMask:
        '''Hide the first patch, and fail in the middle of the second epoch.'''
        def select(self, batch, view):
            if (batch.progress or 0) > 0.6 and "OWN_FAILS" in os.environ:
                {act}
            hidden = torch.zeros(len(batch.images), *view.grid, dtype=torch.bool)
            hidden[:, 0, 0] = True
            return cfft.MaskSelection(hidden)

    @cfft.hookimpl
    def cfft_masks():
        return [OwnMask]

    @cfft.hookimpl
    def cfft_{hook}():
        if "OWN_HOOK_FAILS" in os.environ:
            raise SystemExit(0)
"""
ACTS = [
    ("raise ValueError('no')", "ValueError: no"),
    ("raise SystemExit(0)", "SystemExit: 0"),
    ("return None", "select() must return a MaskSelection, got NoneType"),
    ("batch.images.zero_()", "it writes into the batch: return new tensors"),
]


@pytest.fixture
def words(
    world: Path, clip: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> list[str]:
    monkeypatch.chdir(tmp_path)
    config, weights = map(str, clip)
    return [
        *("run", "--suite", "domains", "--data", str(world), "--id", "sunny", "--mask", "own"),
        *("--model", config, "--pretrained", weights, "--prompts", "class-name", "--out", "RUN"),
        *("--epochs", "2", "--batch-size", "8", "--workers", "0"),
    ]


@pytest.mark.parametrize(("act", "problem"), ACTS)
def test_a_strategy_that_fails_in_a_step_ends_the_run_with_its_name(
    cfft_command: Command,
    install: Install,
    words: list[str],
    monkeypatch: pytest.MonkeyPatch,
    act: str,
    problem: str,
) -> None:
    install("own-dist", PLUGIN.format(act=act, hook="run_ended"), "1.2")
    monkeypatch.setenv("OWN_FAILS", "")

    ended = cfft_command(*words)

    *_, error, advice = ended.err.splitlines()
    assert ended.code == 1
    assert error == (
        f"error: mask 'own' of plug-in own_dist_plugin (own-dist 1.2) failed at step 5: {problem}"
    )
    assert advice == "error: once that is fixed, continue with: cfft run --resume --out RUN"
    assert "Traceback" not in ended.err
    assert checkpoint.load(Path("RUN/checkpoints/last")).state is not None

    monkeypatch.delenv("OWN_FAILS")
    assert cfft_command("run", "--resume", "--out", "RUN").code == 0


@pytest.mark.parametrize(
    ("hook", "when"),
    [("run_started", ""), ("epoch_ended", " after step 3"), ("run_ended", "")],
)
def test_a_hook_that_exits_ends_the_run_with_its_name(
    cfft_command: Command,
    install: Install,
    words: list[str],
    monkeypatch: pytest.MonkeyPatch,
    hook: str,
    when: str,
) -> None:
    install("own-dist", PLUGIN.format(act="pass", hook=hook), "1.2")
    monkeypatch.setenv("OWN_HOOK_FAILS", "")

    ended = cfft_command(*words)

    who = f"hook cfft_{hook}() of plug-in own_dist_plugin (own-dist 1.2)"
    assert ended.code == 1
    assert f"error: {who} failed{when}: SystemExit: 0\n" in ended.err

    monkeypatch.delenv("OWN_HOOK_FAILS")
    assert cfft_command("run", "--resume", "--out", "RUN").code == 0


def test_what_a_plugin_prints_in_a_run_is_no_part_of_the_json(
    cfft_command: Command, install: Install, words: list[str]
) -> None:
    printing = "import cfft\n@cfft.hookimpl\ndef cfft_epoch_ended(epoch): print('epoch', epoch)\n"
    install("own-dist", PLUGIN.format(act="pass", hook="run_ended"), "1.2")
    install("printing", printing)

    ended = cfft_command(*words, "--json")

    assert json.loads(ended.out)["epochs"] == 2
    assert "epoch 1\nepoch 2\n" in ended.err


@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
@pytest.mark.parametrize("workers", ["0", "1"])
def test_a_suite_whose_images_exit_ends_the_run_with_1(
    cfft_command: Command, install: Install, words: list[str], workers: str
) -> None:
    install(
        "own-dist",
        """
        import multiprocessing
        from pathlib import Path
        import cfft

        class Exiting(cfft.ImageFiles):
            def read(self, index):
                if WORKERS == 0 or multiprocessing.parent_process():
                    raise SystemExit(0)
                return super().read(index)

        @cfft.suite("own")
        class OwnSuite(cfft.Suite):
            '''Read no image.'''
            def open(self, seed):
                found = cfft.class_folders(Path("WORLD", "sunny"), name="a")
                own = Exiting(**{k: getattr(found, k) for k in
                    ("name", "root", "paths", "labels", "classes", "class_names")})
                return cfft.SuiteSets(found.class_names, own, found, found)

        @cfft.hookimpl
        def cfft_suites():
            return [OwnSuite]
        """.replace("WORLD", words[4]).replace("WORKERS", workers),
    )
    chosen = [*words[:1], "--suite", "own", *words[9:], "--workers", workers]

    ended = cfft_command(*chosen, "--mask", "none")

    assert ended.code == 1
    assert "error: Exiting of plug-in own_dist_plugin (own-dist 1.0), reading image " in ended.err
    assert " of its set, failed" in ended.err
    assert ": SystemExit: 0\n" in ended.err


def test_a_run_short_of_memory_goes_on_with_smaller_parts_of_the_batch(
    cfft_command: Command, install: Install, words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    act = "torch.empty(2**58, dtype=torch.uint8)"
    install("own-dist", PLUGIN.format(act=act, hook="run_ended"), "1.2")
    monkeypatch.setenv("OWN_FAILS", "")

    ended = cfft_command(*words)

    *_, error, advice = ended.err.splitlines()
    assert ended.code == 2
    assert error.startswith("error: out of memory (the computer's is full")
    assert "with 8 images per forward pass" in error
    continued = "cfft run --resume --out RUN --allow-changed settings --micro-batch 4"
    assert advice == f"error: what is stored is intact; continue with: {continued}"

    monkeypatch.delenv("OWN_FAILS")
    assert cfft_command(*continued.split()[1:]).code == 0
