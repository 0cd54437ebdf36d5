"""Processes that share work: an error on one is noticed by the others."""

from __future__ import annotations

import pytest

from cfft.errors import OtherProcessError
from cfft.runtime.processes import Processes, lost_process

GLOO = (
    "[/gloo/transport/tcp/pair.cc:561] Connection closed by peer [127.0.0.1]:19682. This is "
    "typically caused by a remote worker crashing."
)


def test_a_lost_process_is_found_in_what_led_to_an_error() -> None:
    error = ValueError("a loss failed")
    error.__cause__ = RuntimeError(GLOO)

    assert str(lost_process(error)) == (
        "another process has ended, see its own message "
        "(Connection closed by peer [127.0.0.1]:19682)"
    )


@pytest.mark.parametrize("error", [RuntimeError("shape mismatch"), ConnectionError(GLOO), None])
def test_other_errors_are_no_lost_processes(error: Exception | None) -> None:
    assert lost_process(error) is None


def test_what_each_process_does_ends_where_another_one_fails() -> None:
    others = Processes(0, 2, lambda own: [*own, True])

    with pytest.raises(OtherProcessError):
        others.each(lambda: "done")


def test_what_fails_here_is_raised_here_once_the_others_know() -> None:
    told: list[bool] = []
    here = Processes(1, 2, lambda own: [False, *(told.extend(own) or own)])

    with pytest.raises(OSError, match="no room"):
        here.each(fail)

    assert told == [True]


def fail() -> None:
    raise OSError("no room")
