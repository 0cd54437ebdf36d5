"""Ctrl-C and SIGTERM: the first is a wish, the second is not."""

import os
import signal

import pytest

from cfft.runtime.interrupts import listening


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_becomes_a_wish(number: signal.Signals) -> None:
    with listening() as wish:
        os.kill(os.getpid(), number)

    assert wish.asked


def test_a_second_signal_does_not_wait() -> None:
    with listening():
        os.kill(os.getpid(), signal.SIGINT)

        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_handlers_are_as_before_once_nobody_listens() -> None:
    before = signal.getsignal(signal.SIGTERM)

    with listening():
        assert signal.getsignal(signal.SIGTERM) != before

    assert signal.getsignal(signal.SIGTERM) == before
