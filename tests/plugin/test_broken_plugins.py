"""Plug-ins that misbehave when they are imported: each is listed and named, and stops nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

import pytest
import torch

from cfft.plugin.registry import Registry

Command = Callable[..., Any]
Install = Callable[..., Distribution]

MASK = """
    import cfft

    @cfft.mask("own")
    class OwnMask:
        '''Hide nothing.'''
        {param}
        def select(self, batch, view):
            return None
"""
HOOKED = f"""{MASK.format(param="")}
    @cfft.hookimpl
    def cfft_masks():
"""
UNPRINTABLE = """
class Odd({base}):
    def __str__(self):
        raise {base}("again")
raise Odd
"""
BROKEN = [
    ("raise ValueError('no')", "ValueError: no"),
    ("raise ValueError('two\\nlines')", "ValueError: two lines"),
    ("raise ValueError('long' * 1000)", "longlong ..."),
    ("1 / 0", "ZeroDivisionError: division by zero"),
    ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
    ("def", "SyntaxError: invalid syntax"),
    ("raise SystemExit(0)", "SystemExit: 0"),
    ("import sys; sys.exit()", "SystemExit"),
    ("raise KeyboardInterrupt", "KeyboardInterrupt"),
    ("raise BaseException('base')", "BaseException: base"),
    ("raise GeneratorExit", "GeneratorExit"),
    ("raise StopIteration", "StopIteration"),
    ("raise MemoryError", "MemoryError"),
    ("def f(): f()\nf()", "RecursionError: maximum recursion depth exceeded"),
    (UNPRINTABLE.format(base="Exception"), "Odd: its message cannot be printed"),
    (UNPRINTABLE.format(base="KeyboardInterrupt"), "Odd: its message cannot be printed"),
    ("import sys; sys.stdout.close(); sys.stderr.close(); 1 / 0", "ZeroDivisionError"),
    ("import sys; sys.__stdout__.close(); 1 / 0", "ZeroDivisionError"),
    ("import json; json.dumps = None", "it changes json.dumps, which others use"),
    ("import json; del json.dumps", "it changes json.dumps, which others use"),
    ("import builtins; builtins.print = None", "it changes builtins.print, which others use"),
    ("import os; os.replace = os.rename", "it changes os.replace, which others use"),
    ("import sys; sys.exit = None", "it changes sys.exit, which others use"),
    ("import sys; sys.path.clear()", "it changes sys.path, which others use"),
    ("import sys; sys.meta_path = []", "it changes sys.meta_path, which others use"),
    ("import os; os.chdir('/')", "it changes the working directory, which others use"),
    ("import os; os.environ['RANK'] = '1'", "it changes the variable RANK, which others use"),
    ("import signal; signal.alarm(60)", "it changes the timer of the process, which others use"),
    ("import torch; torch.set_default_dtype(torch.float64)", "it changes torch's default dtype, w"),
    ("import torch; torch.set_grad_enabled(False)", "it changes torch's gradient mode, which"),
    ("import torch; torch.set_num_threads(7)", "it changes torch's number of threads, which"),
    ("import torch; torch.set_default_device('meta')", "it changes torch's default device, wh"),
    ("import cfft\n@cfft.hookimpl\ndef cfft_mask(): return []", "unknown hook 'cfft_mask'"),
    ("def cfft_masks(): return []", "cfft_masks() is not marked with @cfft.hookimpl"),
    (f"{HOOKED}        return None", "cfft_masks() must return a list of classes, got None"),
    (f"{HOOKED}        yield OwnMask", "cfft_masks() must return a list of classes, got <gene"),
    (f"{HOOKED}        return [int]", "<class 'int'> is not a strategy"),
    (f"{HOOKED}        return [OwnMask()]", "is not a strategy"),
    (f"{HOOKED}        raise SystemExit(3)", "SystemExit: 3"),
    (f"{HOOKED}        raise KeyboardInterrupt", "KeyboardInterrupt"),
    ("import cfft\n@cfft.hookimpl\ndef cfft_epoch_ended(era): ...", "{'era'}"),
]
WRONG_PARAMETERS = [
    ("help: int = cfft.param(1, help='it')", "mask.own.help: the name is taken, as --help shows"),
    ("help_all: int = cfft.param(1, help='it')", "mask.own.help_all: the name is taken, as --he"),
    ("use: int = cfft.param(1, help='it')", "mask.own.use: the name is taken, as TOML tables"),
    ("_size: int = cfft.param(1, help='it')", "mask.own._size: a parameter's name begins with"),
    ("size: int = cfft.param(1, help=None)", "mask.own.size: help must be text, got None"),
    ("size: list = cfft.param(1, help='it')", "mask.own.size: no parameter can have the type"),
    ("size: int = 3", "OwnMask.size: write NAME: TYPE = cfft.param(...)"),
]


@pytest.mark.parametrize(
    ("source", "words"),
    [*BROKEN, *((MASK.format(param=param), words) for param, words in WRONG_PARAMETERS)],
)
def test_a_plugin_that_cannot_be_loaded_is_listed_with_the_reason(
    cfft_command: Command, install: Install, source: str, words: str
) -> None:
    install("bad-on-disk", source, "1.2")

    ended = cfft_command("plugins", "list", "--kind", "average", "--json")

    (broken,) = json.loads(ended.out)["broken"]
    assert (ended.code, ended.err) == (0, "")
    assert (broken["distribution"], broken["version"]) == ("bad-on-disk", "1.2")
    assert words in broken["error"]
    assert "\n" not in broken["error"]


@pytest.mark.parametrize(
    "source", ["raise KeyboardInterrupt", "import json; json.dumps = json.loads = None", "exit()"]
)
@pytest.mark.parametrize("words", [("run", "--help"), ("plugins", "check", "averages")])
def test_a_plugin_that_cannot_be_loaded_stops_no_command(
    cfft_command: Command, install: Install, source: str, words: tuple[str, ...]
) -> None:
    install("bad-on-disk", source)

    assert cfft_command(*words).code == 0


def test_a_plugin_cannot_close_the_streams_or_keep_its_own(install: Install) -> None:
    streams, files = (sys.stdin, sys.stdout, sys.stderr), [os.fstat(n).st_ino for n in (1, 2)]
    install("closing", "import os, sys\nsys.stdout = None\nos.close(1)\nos.close(2)\n")

    Registry.installed()

    assert (sys.stdin, sys.stdout, sys.stderr) == streams
    assert [os.fstat(n).st_ino for n in (1, 2)] == files


def test_a_plugin_cannot_keep_a_handler_of_ctrl_c(install: Install) -> None:
    before = signal.getsignal(signal.SIGINT)
    install("deaf", "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)")

    Registry.installed()

    assert signal.getsignal(signal.SIGINT) is before


@pytest.fixture
def hearing_ctrl_c() -> Iterator[None]:
    """Hear Ctrl-C as at a terminal, also where tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("hearing_ctrl_c")
def test_ctrl_c_while_a_plugin_is_imported_is_no_error_of_the_plugin(install: Install) -> None:
    install("slow", "import os, signal; os.kill(os.getpid(), signal.SIGINT)")

    with pytest.raises(KeyboardInterrupt):
        Registry.installed()


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ("own = odd_on_disk:OwnMask", "its entry point has to name a module, got <class 'odd_on_"),
        ("own = odd on disk!", "its entry point has to name a module, got 'odd on disk!'"),
        ("own = no_such_odd", "ModuleNotFoundError: No module named 'no_such_odd'"),
        ("own = odd_on_disk:lost", "AttributeError: module 'odd_on_disk' has no attribute 'lost'"),
        ("first = odd_on_disk\nown = odd_on_disk", "its module is that of plug-in odd-on-disk:fi"),
    ],
)
def test_an_entry_point_that_names_no_module_of_its_own_is_listed_with_the_reason(
    install: Install, entries: str, words: str
) -> None:
    info = install("odd-on-disk", MASK.format(param=""))
    (info._path / "entry_points.txt").write_text(f"[cfft]\n{entries}\n")  # type: ignore[attr-defined]

    (broken,) = Registry.installed().broken

    assert broken.name == "own"
    assert words in (broken.error or "")


def test_what_a_plugin_changes_for_all_is_as_before(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WORLD_SIZE", "1")
    paths = [*sys.path]
    install(
        "careless",
        """
        import os, signal, sys, torch
        os.chdir("/")
        os.environ["WORLD_SIZE"], os.environ["RANK"] = "2", "1"
        signal.setitimer(signal.ITIMER_REAL, 60)
        sys.path.clear()
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        torch.set_default_device("meta")
        """,
    )

    Registry.installed()

    assert Path.cwd() == tmp_path
    assert (os.environ["WORLD_SIZE"], "RANK" in os.environ) == ("1", False)
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
    assert sys.path == paths
    assert torch.zeros(1, requires_grad=True).mul(2).grad_fn is not None
    assert torch.zeros(1).dtype == torch.float32
    assert torch.zeros(1).device.type == "cpu"


def test_the_raw_output_of_a_plugin_is_no_part_of_the_json(
    install: Install, tmp_path: Path
) -> None:
    install("noisy", "import os; os.write(1, b'noise')")

    ended = subprocess.run(
        [sys.executable, "-m", "cfft", "plugins", "list", "--json"],
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert json.loads(ended.stdout)["broken"] == []
    assert "noise" in ended.stderr


def test_a_thread_of_a_plugin_keeps_no_command_from_ending(
    install: Install, tmp_path: Path
) -> None:
    install(
        "endless", "import threading, time\nthreading.Thread(target=time.sleep, args=[600]).start()"
    )

    subprocess.run(
        [sys.executable, "-m", "cfft", "plugins", "list"],
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
        capture_output=True, check=True, timeout=300,
    )  # fmt: skip


def test_a_distribution_without_readable_metadata_stops_nothing(install: Install) -> None:
    info = install("odd-on-disk", MASK.format(param=""))
    (info._path / "METADATA").write_bytes(b"Name: \xff\n")  # type: ignore[attr-defined]

    assert Registry.installed().names("mask")


def test_entry_points_that_cannot_be_read_are_one_error(
    cfft_command: Command, install: Install
) -> None:
    info = install("odd-on-disk", MASK.format(param=""))
    (info._path / "entry_points.txt").write_bytes(b"[cfft]\n\xff")  # type: ignore[attr-defined]

    ended = cfft_command("plugins", "list")

    assert ended.code == 2
    assert ended.err.startswith(f"error: the entry points of {info._path} cannot be rea")
