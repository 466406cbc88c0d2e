"""A thread that goes on: if an exception ends its work, that is told and the work begins again."""

import logging
import threading
from collections.abc import Callable
from typing import final

from bohb_seg.retry import Retry

_log = logging.getLogger(__name__)


@final
class SteadyThread(threading.Thread):
    """Does one thing until it is done, whatever is raised in between.

    Whoever starts it looks now and then whether it is alive: it is not only if it is done, or if
    there was not even memory to tell that it failed.

    Args:
        work: Returns when it is done; may begin again at any time.
        name: Name of the thread, for the log.
    """

    def __init__(self, work: Callable[[], None], name: str) -> None:
        super().__init__(name=name, daemon=True)
        self._work = work

    def run(self) -> None:
        """Works until it is done."""
        retry = Retry(f"the thread '{self.name}' failed", "it begins again", level=logging.WARNING)
        while True:
            try:
                self._work()
                return
            except BaseException as error:  # also SystemExit, which ends a thread without a word
                _log.debug("the thread '%s' failed", self.name, exc_info=True)
                retry.pause(repr(error))
