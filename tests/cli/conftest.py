"""The command line in this process: exit code, stdout and stderr as a shell sees them."""

from __future__ import annotations

from collections.abc import Callable

import attrs
import pytest

from cfft.cli import main


@attrs.frozen
class Outcome:
    """Hold how a command ended and what it wrote."""

    code: object
    out: str
    err: str


@pytest.fixture
def cfft_command(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Outcome]:
    """Return `cfft_command(*words)`, which runs one command to its end."""
    monkeypatch.setenv("COLUMNS", "100")

    def command(*words: str) -> Outcome:
        with pytest.raises(SystemExit) as ended:
            main(words)
        written = capsys.readouterr()
        return Outcome(ended.value.code, written.out, written.err)

    return command
