"""How an evaluation is asked to end early, and how a worker is.

Two things end an evaluation before its time: nobody waits for its result any more, because another
worker was first; or its worker is told to leave by a signal, because of a preempted machine, Slurm
or ``docker stop``. Either way the service *requests* an interruption, and the program that
evaluates *checks* for it between epochs::

    for epoch in range(done, epochs):
        train_one_epoch()
        save_a_checkpoint()
        self.interruption.check()  # raises Interrupted, which the service expects

A program that never checks has the notice of ``--notice`` seconds to come to its end; then
:class:`Interrupted` is raised wherever its main thread is. Nothing here takes a lock, because
signal handlers run in the middle of whatever the main thread does.
"""

from typing import final


class Interrupted(BaseException):
    """The evaluation ends here; no Exception, so that no ``except Exception`` keeps it."""


@final
class Interruption:
    """Whether one evaluation should end early.

    Attributes:
        reason: Reason to end; "" without one.
    """

    def __init__(self) -> None:
        self.reason = ""

    def request(self, reason: str) -> None:
        """Asks the evaluation to end; the first reason stays."""
        self.reason = self.reason or reason

    def check(self) -> None:
        """Raises :class:`Interrupted` if the evaluation should end; to be called between epochs."""
        if self.reason:
            raise Interrupted(self.reason)
