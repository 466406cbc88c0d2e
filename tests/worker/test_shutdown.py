"""Signals to a worker that leaves already."""

import os
import signal

import pytest

from bohb_seg.training.interruption import Interrupted
from bohb_seg.worker.shutdown import FORWARDED, SIGNALS, Shutdown


@pytest.fixture
def shutdown():
    """One whose handlers are gone after the test."""
    before = {number: signal.getsignal(number) for number in (*SIGNALS, FORWARDED, signal.SIGALRM)}
    found = Shutdown()
    found.listen()
    yield found
    signal.setitimer(signal.ITIMER_REAL, 0)
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [*SIGNALS, FORWARDED])
def test_an_idle_worker_is_interrupted(shutdown, number):
    with pytest.raises(Interrupted, match=f"told to by {number.name}"):
        os.kill(os.getpid(), number)


@pytest.mark.parametrize("notice", [0.0, 0.01])
@pytest.mark.parametrize("number", SIGNALS)
def test_a_worker_that_takes_its_leave_is_not_interrupted(shutdown, number, notice):
    """Else it might leave its name behind; the notice is for evaluations, and there is none."""
    shutdown.notice = notice
    shutdown.leave()
    os.kill(os.getpid(), number)
    os.kill(os.getpid(), FORWARDED)
    assert shutdown.reason == f"told to by {number.name}"
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
