"""Whose code failed: strategies, their members and hooks, but no user, machine or signal."""

from __future__ import annotations

import errno
import pickle
from collections.abc import Callable
from importlib.metadata import Distribution
from pathlib import Path
from typing import Any

import pytest

import cfft
from cfft.cli.errors import reported
from cfft.errors import PluginFailedError
from cfft.plugin.failures import failure_of, failures_named
from cfft.plugin.registry import Registry
from cfft.runtime.interrupts import Terminated

Install = Callable[..., Distribution]


@cfft.suite("own")
class OwnSuite:
    """Raise what it is asked to."""

    def open(self, seed: Any) -> Any:
        return self.help_out(seed)

    def help_out(self, error: BaseException) -> None:
        _raise(error)

    @property
    def needs(self) -> Any:
        raise KeyError("needs")


def _raise(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("no"), "ValueError: no"),
        (SystemExit(), "SystemExit"),
        (FileNotFoundError(errno.ENOENT, "no such file", "a"), "FileNotFoundError: [Errno 2] no"),
        (BaseException("base"), "BaseException: base"),
    ],
)
def test_a_failure_deep_in_a_strategy_is_its_own(error: BaseException, said: str) -> None:
    with pytest.raises(PluginFailedError) as caught, failures_named():
        OwnSuite().open(error)

    assert str(caught.value).startswith(f"suite 'own' of module {__name__} failed: {said}")
    assert caught.value.where.startswith(f'  File "{__file__}", line ')
    assert "in help_out\n" in caught.value.where


@pytest.mark.parametrize(
    "error",
    [
        cfft.DataError("no images"),
        KeyboardInterrupt(),
        MemoryError(),
        Terminated(),
        OSError(errno.ENOSPC, "no space left"),
    ],
)
def test_errors_of_users_machines_and_signals_are_nobodys(error: BaseException) -> None:
    with pytest.raises(type(error)), failures_named():
        OwnSuite().open(error)


def test_a_member_that_fails_is_its_strategys() -> None:
    with (
        pytest.raises(PluginFailedError, match="failed: KeyError"),
        failures_named(),
    ):
        _ = OwnSuite().needs


def test_an_error_outside_strategies_is_nobodys() -> None:
    with pytest.raises(ValueError, match="no"), failures_named():
        _raise(ValueError("no"))


def test_the_nearest_block_says_when() -> None:
    with pytest.raises(PluginFailedError) as caught, failures_named(), failures_named(lambda: " x"):
        OwnSuite().open(ValueError("no"))

    assert "failed x: ValueError" in str(caught.value)


def test_a_failure_can_be_sent_between_processes() -> None:
    sent = pickle.loads(pickle.dumps(PluginFailedError("who", "problem", "where")))

    assert (str(sent), sent.where) == ("who failed: problem", "where")


@pytest.mark.parametrize("error", [SystemExit(0), ValueError("no"), BaseException("no")])
def test_a_command_ends_with_1_and_names_the_strategy(
    error: BaseException, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended, reported():
        OwnSuite().open(error)

    *where, last = capsys.readouterr().err.splitlines()
    assert ended.value.code == 1
    assert last.startswith(f"error: suite 'own' of module {__name__} failed: ")
    assert where[-1] == "    raise error"
    assert not any(line.startswith("Traceback") for line in where)


def test_an_exit_that_is_no_strategys_is_left_alone() -> None:
    with pytest.raises(SystemExit) as ended, reported():
        raise SystemExit(0)

    assert ended.value.code == 0


@pytest.mark.parametrize("raised", ["ValueError('no')", "SystemExit(0)", "BaseException"])
def test_a_hook_that_fails_is_named(install: Install, raised: str) -> None:
    install("own-hooks", f"import cfft\n@cfft.hookimpl\ndef cfft_epoch_ended(): raise {raised}")

    with pytest.raises(PluginFailedError) as caught:
        Registry.installed().hook.cfft_epoch_ended(epoch=1, metrics={})

    who = "hook cfft_epoch_ended() of plug-in own_hooks_plugin (own-hooks 1.0) failed: "
    assert str(caught.value).startswith(who)
    assert "in cfft_epoch_ended\n" in caught.value.where


def test_a_hook_that_changes_what_the_process_shares_is_named(install: Install) -> None:
    before = Path.cwd()
    install("own-hooks", "import cfft, os\n@cfft.hookimpl\ndef cfft_epoch_ended(): os.chdir('/')")

    with pytest.raises(
        PluginFailedError, match=r"_ended\(\) of .* it changes the working directory"
    ):
        Registry.installed().hook.cfft_epoch_ended(epoch=1, metrics={})

    assert Path.cwd() == before


def test_a_signal_that_comes_in_a_hook_is_not_its_failure(install: Install) -> None:
    source = """
        import cfft
        from cfft.runtime.interrupts import Terminated

        @cfft.hookimpl
        def cfft_epoch_ended():
            raise Terminated
    """
    install("own-hooks", source)

    with pytest.raises(Terminated):
        Registry.installed().hook.cfft_epoch_ended(epoch=1, metrics={})


def test_a_hook_gets_what_it_asks_for(install: Install) -> None:
    install("own-hooks", "import cfft\n@cfft.hookimpl\ndef cfft_epoch_ended(epoch): return epoch")

    assert 3 in Registry.installed().hook.cfft_epoch_ended(epoch=3, metrics={})


def test_strategies_of_a_plugin_are_named_with_its_version(install: Install) -> None:
    install(
        "own-suite",
        """
        import cfft
        @cfft.suite("own")
        class Own:
            '''Fail.'''
            def open(self, seed): raise ValueError
        @cfft.hookimpl
        def cfft_suites(): return [Own]
        """,
        "2.1",
    )
    suite = Registry.installed().build("suite", "own", {}, {})

    with pytest.raises(ValueError) as caught:  # noqa: PT011
        suite.open(0)

    said = "suite 'own' of plug-in own_suite_plugin (own-suite 2.1) failed: ValueError"
    assert str(failure_of(caught.value)) == said


@pytest.mark.parametrize(
    "declared", ["select(self)", "select(self, batch)", "select(self, *, batch, view)", "select()"]
)
def test_a_method_that_cannot_be_called_is_refused_where_it_is_declared(declared: str) -> None:
    space: dict[str, Any] = {}
    exec(f"def {declared}: ...", space)

    with pytest.raises(TypeError, match=r"cfft calls select\(batch, view\), but it is declared se"):
        cfft.mask("own")(type("Own", (), {"select": space["select"]}))


@pytest.mark.parametrize(
    "method",
    [
        lambda self, *given: None,
        lambda self, a, b, c=1: None,
        staticmethod(lambda batch, view: None),
        classmethod(lambda cls, batch, view: None),
    ],
)
def test_arguments_may_be_declared_in_any_way_that_works(method: Any) -> None:
    assert cfft.mask("own")(type("Own", (), {"select": method}))
