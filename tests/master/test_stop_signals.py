"""A first signal ends a run in good order; a second one ends the process."""

import os
import signal
import subprocess
import sys

import pytest

from bohb_seg.errors import EXIT_STOPPED_EARLY
from bohb_seg.master.stop_signals import SIGNALS, StopSignals


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_is_noted_and_disturbs_nothing(number):
    before = signal.getsignal(number)
    with StopSignals() as signals:
        assert not signals.received
        os.kill(os.getpid(), number)
        assert signals.received
    assert signal.getsignal(number) == before


def test_a_terminal_may_be_closed_twice_or_be_of_no_concern():
    with StopSignals() as signals:
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGHUP)
        assert signals.received
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    with StopSignals() as signals:
        os.kill(os.getpid(), signal.SIGHUP)
        assert not signals.received
    signal.signal(signal.SIGHUP, before)


def test_a_second_signal_ends_the_process_at_once():
    code = (
        "import os, signal; from bohb_seg.master.stop_signals import StopSignals\n"
        "with StopSignals():\n"
        "    os.kill(os.getpid(), signal.SIGINT); print('first', flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGTERM); print('second', flush=True)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (EXIT_STOPPED_EARLY, "first\n")
