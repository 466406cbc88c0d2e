"""Out of memory is information: training goes on with smaller micro-batches, and it is remembered.

A step's gradients are then summed over parts of its batch, so the effective batch stays what the
configuration says. What fits depends on the kind of device and on the network's *shape*
(architecture, width, patch size, precision, ...), so it is remembered by both.
"""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, final

from bohb_seg.errors import DoesNotFitError
from bohb_seg.training import devices
from bohb_seg.training.checkpoints import Checkpoint
from bohb_seg.training.crash_notes import Deaths
from bohb_seg.training.seeds import EpochSeeds

if TYPE_CHECKING:
    from bohb_seg.training.trainer import Assignment, Training

_Done = TypeVar("_Done")

_log = logging.getLogger(__name__)


@final
class Fits:
    """The largest micro-batch that is known to fit, by ``"<kind of device> | <shape>"``."""

    def __init__(self) -> None:
        self._largest: dict[str, int] = {}

    def told(self, others: Mapping[str, int]) -> None:
        """Takes over what others learnt; where both know something, the smaller one is safe."""
        for key, micro_batch in others.items():
            self.learn(key, micro_batch)

    def learn(self, key: str, micro_batch: int) -> None:
        """No more than ``micro_batch`` patches fit."""
        self._largest[key] = self.largest(key, micro_batch)

    def largest(self, key: str, batch: int) -> int:
        """Patches of a batch to try at once, at most ``batch``."""
        return min(batch, self._largest.get(key, batch))


@final
class Sparing:
    """A training that begins again from its last state, with less, where memory runs out.

    Args:
        assignment: What is trained.
        seeds: Of the initial weights; they are drawn again where no epoch is finished yet.
        edge: Of a patch, in pixels.
        fits: What is known; what is found out is added.
        notes: Folder of this machine for what processes say that may die of it.
        name: Of the evaluation, for the log.

    Attributes:
        state: After the last epoch; None: the initial one.
        micro_batch: Patches at once; the whole batch where it fits.
        learnt: What was found out here, in the words of :class:`Fits`.
    """

    def __init__(
        self,
        assignment: "Assignment",
        seeds: Callable[[], EpochSeeds],
        edge: int,
        fits: Fits,
        notes: Path,
        name: str,
    ) -> None:
        self._assignment, self._seeds, self._edge = assignment, seeds, edge
        self._fits, self._name = fits, name
        devices.distribute()
        self._key = f"{devices.kind()} | {assignment.shape(edge)}"
        self._fewest = devices.parallel()  # each device has at least one patch
        self._training: Training | None = None
        self.state: Checkpoint | None = None
        self.learnt: dict[str, int] = {}
        self.micro_batch = fits.largest(self._key, self._batch)
        self._deaths = Deaths(notes, self._key)
        while self._deaths.forbid(self.micro_batch):
            self._shrink("lost two processes over")

    @property
    def _batch(self) -> int:
        return self._assignment.recipe.batch_size

    def do(self, work: Callable[["Training"], _Done]) -> _Done:
        """Does something with the training; again from the state before if memory ran out.

        Args:
            work: Nothing of a try that fails may be left but what the training holds.

        Raises:
            DoesNotFitError: not even one patch at once fits.
        """
        while True:
            try:
                with self._deaths.risk(self.micro_batch):
                    return work(self._ready())
            except Exception as error:
                if not devices.is_out_of_memory(error):
                    raise
            # Here, because as long as there is the error, its traceback holds the arrays.
            self._shrink("has no memory for")

    def go_on_from(self, state: Checkpoint) -> None:
        """Sets the state, of which no more is asked than weights and optimizer."""
        self.state = state
        if self._training:
            self.do(lambda training: training.restore(state))

    def close(self) -> None:
        """Ends the training; its network stays for the next one of the same shape."""
        if self._training:
            self._training.close()
            self._training = None

    def _ready(self) -> "Training":
        from bohb_seg.training.trainer import Training

        if self._training is None:
            devices.distribute()  # Keras forgets it with what release() drops
            parts = self.micro_batch if self.micro_batch < self._batch else None
            self._training = Training(self._assignment, self._seeds(), parts)
            if self.state:
                self._training.restore(self.state)
        return self._training

    def _shrink(self, why: str) -> None:
        from bohb_seg.training import trainer

        self._training = None
        trainer.release()
        if self.micro_batch <= self._fewest:
            raise DoesNotFitError(devices.describe(), self.micro_batch, self._edge)
        failed = self.micro_batch
        self.micro_batch = max(self._fewest, failed // 2)
        self._fits.learn(self._key, self.micro_batch)
        self.learnt[self._key] = self.micro_batch
        _log.warning(
            "%s: %s %s %d patches at once; goes on after epoch %d with %d",
            *(self._name, devices.describe(), why, failed),
            *(self.state.epoch if self.state else 0, self.micro_batch),
        )
