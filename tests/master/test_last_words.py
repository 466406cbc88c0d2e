"""How a process ended, in one line."""

import os
import socket
from dataclasses import replace

import pytest

from bohb_seg.master import last_words
from bohb_seg.search.events import Evaluated, WorkersChanged
from bohb_seg.trials import EvaluationId, TrialId

FATAL = """12:00:00 INFO    at work
Fatal Python error: Segmentation fault

Current thread 0x00007f (most recent call first):
  File "poison.py", line 9 in compute
"""


@pytest.mark.parametrize(
    ("status", "log", "said"),
    [
        (-11, FATAL, "SIGSEGV ended its process; its last words: Fatal Python error: Segmentation"),
        (-9, "", "SIGKILL ended its process, as the kernel does when memory is short"),
        (
            1,
            "Killed\n12:00:00 INFO    serving",
            "its process ended with status 1; its last words: Ki",
        ),
        (139, "a\nbye \n\n", "its process ended with status 139; its last words: bye"),
        (1, "\x1b[2J\x07oh", "its process ended with status 1; its last words:  [2J oh"),
        (0, "\n", "its process ended with status 0"),
        (-99, "", "signal 99 ended its process"),
    ],
)
def test_signal_and_last_line(status, log, said):
    assert last_words.of(status, log).startswith(said)
    assert "\n" not in last_words.of(status, log)


def test_a_long_line_is_cut():
    assert len(last_words.of(1, "x" * 10_000)) < 400


HERE = f"hpbandster.run_r.worker.{socket.gethostname()}.{os.getpid()}.1a2b"
DIED = Evaluated(
    EvaluationId(TrialId(0, 0, 0), 1.0), 1, HERE, "crashed", error="?", lost_on=socket.gethostname()
)


def end_of(process):
    return "SIGSEGV ended its process" if process == os.getpid() else ""


def test_the_end_of_a_process_of_ours_is_told():
    told = last_words.explained(DIED, end_of)
    assert told.error == "crashed its worker: SIGSEGV ended its process"


def test_of_other_deaths_nothing_more_is_known():
    elsewhere = replace(DIED, worker=HERE.replace(socket.gethostname(), "elsewhere"))
    for news in (
        elsewhere,
        replace(DIED, final=True),
        replace(DIED, lost_on=""),
        replace(DIED, worker=HERE.replace(str(os.getpid()), "1")),
        WorkersChanged(left=(HERE,)),
    ):
        assert last_words.explained(news, end_of) is news
