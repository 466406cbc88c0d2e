"""The end of a worker's process in words: its signal and the last line of its log."""

import re
import signal
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from bohb_seg.master.worker_messages import crashed_its_worker
from bohb_seg.rpc.names import process_here
from bohb_seg.search.events import Evaluated, News

LONGEST: Final = 300
"""Characters of a log's line that are told."""
_FATAL: Final = "Fatal Python error"
"""Beginning of the line in which Python tells why it ends; a list of threads follows."""
_USUAL: Final = re.compile(r"[0-9:]{8} (INFO|DEBUG) ")
"""Beginning of the lines of our own log that tell of no trouble."""
_MEMORY: Final = ", as the kernel does when memory is short"


def explained(news: News, end_of: Callable[[int], str]) -> News:
    """The same news; if a worker died that this machine knows, with what is known of its end.

    Args:
        news: What happened.
        end_of: Tells how a child process of ours ended, by its id; "" if it is none.
    """
    if not isinstance(news, Evaluated) or not news.lost_on or news.final:
        return news
    number = process_here(news.worker)
    how = end_of(number) if number is not None else ""
    return replace(news, error=crashed_its_worker(how)) if how else news


def of(status: int, log: str) -> str:
    """One line about the end of a process.

    Args:
        status: Its exit status; negative for a signal, as in Python.
        log: The end of what it wrote.
    """
    lines = [line.strip() for line in log.splitlines()]
    lines = [line for line in lines if line and not _USUAL.match(line)]
    told = next((line for line in lines if line.startswith(_FATAL)), "") or "".join(lines[-1:])
    words = "".join(sign if sign.isprintable() else " " for sign in told[:LONGEST])
    return f"{_end(status)}; its last words: {words}" if told else _end(status)


def _end(status: int) -> str:
    if status >= 0:
        return f"its process ended with status {status}"
    name = signal.Signals(-status).name if -status in set(signal.Signals) else f"signal {-status}"
    return f"{name} ended its process{_MEMORY if status == -signal.SIGKILL else ''}"
