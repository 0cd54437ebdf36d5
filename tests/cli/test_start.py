"""Starting: quick, without torch, and with exit codes that scripts can rely on."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

import pytest

from cfft.cli.errors import RunInterruptedError, reported
from cfft.errors import ConfigError

HEAVY = """
import sys
from cfft.cli import main
try:
    main(sys.argv[1:])
except SystemExit as end:
    assert end.code == 0, end.code
print(sorted({"torch", "open_clip", "timm", "accelerate"} & set(sys.modules)))
"""

# a module that Ctrl-C reaches while it is imported, and that makes another error of it
INTERRUPTED = """
import os, signal
try:
    os.kill(os.getpid(), signal.SIGINT)
except BaseException:
    raise ImportError("something else")
"""


@pytest.mark.parametrize(
    "words",
    [
        *["--help", "--version", "run --help", "report --help", "plugins list --json"],
        "sweep study --dry-run --out sweep",
    ],
)
def test_help_version_and_listings_do_without_torch(words: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", HEAVY, *words.split()]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path)

    assert done.stdout.endswith("[]\n")


def test_the_module_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "cfft", "--version"], capture_output=True, text=True, check=True
    )

    assert done.stdout == f"cfft {version('cfft')}\n"


@pytest.mark.parametrize("module", ["typer", "torch"])
def test_ctrl_c_while_modules_are_imported_ends_with_130_and_one_line(
    module: str, tmp_path: Path
) -> None:
    (tmp_path / f"{module}.py").write_text(INTERRUPTED)
    paths = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    words = [
        *["run", "--suite", "folder", "--data", "x", "--model", "ViT-B-32", "--out"],
        str(tmp_path / "run"),
    ]

    done = subprocess.run(
        [sys.executable, "-m", "cfft", *words],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    )

    assert (done.returncode, done.stderr) == (130, "interrupted; nothing was started\n")


def test_help_lists_every_command(cfft_command: Callable[..., Any]) -> None:
    ended = cfft_command("--help")

    assert ended.code == 0
    assert "Fine-tune a model" in ended.out
    assert "plugins" in ended.out


def test_no_command_shows_the_help(cfft_command: Callable[..., Any]) -> None:
    assert "Usage: cfft [OPTIONS] COMMAND" in cfft_command().err


def test_a_group_without_a_command_shows_its_help(cfft_command: Callable[..., Any]) -> None:
    ended = cfft_command("data")

    assert ended.code == 2
    assert "Usage: cfft data [OPTIONS] COMMAND" in ended.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("rnu", "unknown command 'rnu'; did you mean 'run'? allowed: data, doctor, eval,"),
        ("foo", "unknown command 'foo'; allowed: data, doctor, eval,"),
        (
            "data verfy",
            "unknown command 'verfy'; did you mean 'verify'? allowed: list, prepare, verify",
        ),
        ("plugins foo", "unknown command 'foo'; allowed: check, list, new, show"),
        ("--verison", "unknown option --verison; did you mean --version?"),
        ("--version=3", "option '--version' does not take a value; see cfft --help"),
        ("data --json", "unknown option --json; all options: cfft data --help"),
    ],
)
def test_an_unknown_command_is_answered_in_one_line_with_the_nearest(
    words: str, message: str, cfft_command: Callable[..., Any]
) -> None:
    ended = cfft_command(*words.split())

    assert ended.code == 2
    assert ended.err.startswith(f"error: {message}")
    assert ended.err.count("\n") == 1


def fails_with(error: BaseException) -> object:
    with pytest.raises(SystemExit) as ended, reported():
        raise error
    return ended.value.code


def test_what_users_can_mend_ends_with_2_and_one_line_each(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code = fails_with(ConfigError("first [bold]", "second [/a/path]"))

    assert code == 2
    assert capsys.readouterr().err == "error: first [bold]\nerror: second [/a/path]\n"


def test_an_interrupted_run_ends_with_130_and_says_how_to_go_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert fails_with(RunInterruptedError("go on with: cfft run --resume --out RUN")) == 130
    assert capsys.readouterr().err == "go on with: cfft run --resume --out RUN\n"


def test_a_lack_of_memory_is_no_bug(capsys: pytest.CaptureFixture[str]) -> None:
    class OutOfMemoryError(RuntimeError):
        """As torch has it, which is not imported here."""

    said = "CUDA out of memory. Tried to allocate 20.00 MiB. GPU 0 has a total capacity of 1 GiB"

    assert fails_with(OutOfMemoryError(said)) == 2
    assert capsys.readouterr().err == (
        "error: out of memory (CUDA out of memory, 20.00 MiB more asked for): lower --batch-size, "
        "for cfft run --micro-batch, for cfft eval --models-at-once\n"
    )
    assert fails_with(MemoryError()) == 2


def test_a_bug_names_the_plug_ins_that_may_have_it(
    install: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    alone = fails_with(ValueError("no"))
    install("own-dist", "")
    beside = fails_with(ValueError("no"))

    said = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error")]
    assert (alone, beside) == (1, 1)
    assert said == [
        "error: this is a bug in cfft: please report the lines above",
        "error: this is a bug in cfft or plug-in own_dist_plugin (own-dist 1.0): please report "
        "the lines above",
    ]


def test_ctrl_c_anywhere_else_ends_with_130(capsys: pytest.CaptureFixture[str]) -> None:
    assert fails_with(KeyboardInterrupt()) == 130
    assert capsys.readouterr().err == "interrupted\n"


def test_ctrl_c_in_a_command_ends_with_130_and_says_so(
    cfft_command: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr("cfft.evaluation.predict.find_images", interrupted)

    ended = cfft_command("predict", "RUN", "images")

    assert (ended.code, ended.err) == (130, "interrupted\n")


def test_sigterm_ends_with_143_and_leaves_no_temporary_files(tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGTERM)

    with pytest.raises(SystemExit) as end, reported(), TemporaryDirectory(dir=tmp_path):
        os.kill(os.getpid(), signal.SIGTERM)

    assert end.value.code == 143
    assert list(tmp_path.iterdir()) == []
    assert signal.getsignal(signal.SIGTERM) == before


def test_a_reader_that_has_seen_enough_is_no_failure() -> None:
    command = [sys.executable, "-m", "cfft", "plugins", "list"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as listing:
        assert listing.stdout is not None
        listing.stdout.close()
        _, errors = listing.communicate()

    assert (listing.returncode, errors) == (0, b"")


def test_a_bug_ends_with_1_and_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert fails_with(RuntimeError("odd")) == 1

    written = capsys.readouterr().err
    assert "Traceback" in written
    assert "RuntimeError: odd" in written
    assert "please report" in written


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            OSError(errno.ENOSPC, "No space left on device", "/runs/a/metrics.jsonl"),
            "/runs/a/metrics.jsonl: No space left on device",
        ),
        (OSError(errno.ENOSPC, "No space left on device"), "No space left on device"),
        (
            OSError(errno.ENOTEMPTY, "Directory not empty", "/runs/a/last.previous"),
            "/runs/a/last.previous: Directory not empty",
        ),
    ],
)
def test_what_a_disk_answers_is_no_bug(
    capsys: pytest.CaptureFixture[str], error: OSError, said: str
) -> None:
    assert fails_with(error) == 2
    assert capsys.readouterr().err == f"error: {said}\n"
