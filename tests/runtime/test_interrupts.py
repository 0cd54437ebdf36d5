"""Ctrl-C and SIGTERM: the first is a wish, the second is not."""

import os
import signal
import subprocess
import sys

import pytest

from cfft.runtime.interrupts import held_back, listening


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


def test_a_sigterm_that_a_launcher_passes_on_at_once_is_the_same_one() -> None:
    with listening() as wish:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGTERM)

    assert wish.asked


def test_a_sigterm_after_ctrl_c_does_not_wait() -> None:
    with listening():
        os.kill(os.getpid(), signal.SIGINT)

        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)


def test_signals_that_are_held_back_come_later() -> None:
    with listening() as wish:
        with held_back():
            signal.raise_signal(signal.SIGTERM)  # to this thread: others do not hold it back
            heard_inside = wish.asked

        assert (heard_inside, wish.asked) == (False, True)


@pytest.mark.parametrize(("number", "ends"), [(signal.SIGINT, False), (signal.SIGTERM, True)])
def test_a_process_obeys_the_one_that_it_was_told(number: int, ends: bool) -> None:
    assert ended_by(number, sender="main") is ends


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_process_goes_on_whatever_others_send(number: int) -> None:
    assert ended_by(number, sender="other") is False


def ended_by(number: int, sender: str) -> bool:
    """Tell whether a process that obeys this one is ended by a signal from it or another one."""
    program = (
        "import sys; from cfft.runtime.interrupts import obey; "
        "obey(int(sys.argv[1])); print('ready', flush=True); sys.stdin.read()"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    words = [sys.executable, "-c", program, str(os.getpid())]
    with subprocess.Popen(words, text=True, **pipes) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        if sender == "main":
            process.send_signal(number)
        else:
            subprocess.run(["kill", f"-{number:d}", str(process.pid)], check=True)
        try:
            process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            return False
    return True


def test_handlers_are_as_before_once_nobody_listens() -> None:
    before = signal.getsignal(signal.SIGTERM)

    with listening():
        assert signal.getsignal(signal.SIGTERM) != before

    assert signal.getsignal(signal.SIGTERM) == before
