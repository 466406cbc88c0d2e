"""A thread that goes on, whatever its work raises."""

import logging
import threading

import pytest

from bohb_seg.rpc.steady_thread import SteadyThread

LONG = 30.0


@pytest.mark.parametrize("error", [RuntimeError("can't start new thread"), SystemExit(1)])
def test_work_that_raises_begins_again_and_is_told(caplog, error):
    done, times = threading.Event(), []

    def work():
        times.append(len(times))
        if len(times) < 3:
            raise error
        done.set()

    with caplog.at_level(logging.WARNING):
        thread = SteadyThread(work, "patient")
        thread.start()
        assert done.wait(LONG)
        thread.join(LONG)
    assert not thread.is_alive()
    assert times == [0, 1, 2]
    assert f"the thread 'patient' failed ({error!r}); it begins again" in caplog.messages
