"""Training goes on with smaller micro-batches where memory runs out, and what fits is remembered.

A step's gradients are then summed over parts of its batch, so the effective batch stays what the
configuration says. What fits depends on the kind of device and on the model's *shape*
(architecture, width, patch size, precision, ...), so it is remembered by both.
"""

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, final

from bohb_seg.errors import DoesNotFitError
from bohb_seg.training import devices
from bohb_seg.training.checkpoints import Checkpoint
from bohb_seg.training.crash_notes import CrashNotes
from bohb_seg.training.seeds import EpochSeeds

if TYPE_CHECKING:
    from bohb_seg.training.trainer import Trainer, TrainingSpec

_Result = TypeVar("_Result")

_log = logging.getLogger(__name__)


@final
class MicroBatchLimits:
    """The largest micro-batch that is known to fit, by ``"<kind of device> | <shape>"``."""

    def __init__(self) -> None:
        self._largest: dict[str, int] = {}

    def update(self, others: Mapping[str, int]) -> None:
        """Takes over what others found out; where both know something, the smaller one is safe."""
        for key, micro_batch in others.items():
            self.lower(key, micro_batch)

    def lower(self, key: str, micro_batch: int) -> None:
        """Notes that no more than ``micro_batch`` patches fit."""
        self._largest[key] = self.largest(key, micro_batch)

    def largest(self, key: str, batch: int) -> int:
        """Patches of a batch to try at once, at most ``batch``."""
        return min(batch, self._largest.get(key, batch))


@final
class MemoryAwareTrainer:
    """A trainer that begins again from its last state, in smaller parts, where memory runs out.

    Args:
        spec: What is trained.
        seeds: Draws the seeds of the initial weights, again where no epoch is finished yet.
        edge: Edge of a patch in pixels.
        limits: What is known of the device's memory; what is found out is added.
        notes: Folder of this machine for the crash notes of processes.
        name: Name of the evaluation, for the log.

    Attributes:
        state: State after the last epoch; None: the initial one.
        micro_batch: Patches at once; the whole batch where it fits.
        found_out: Limits that were found out here, see :class:`MicroBatchLimits`.
    """

    def __init__(
        self,
        spec: "TrainingSpec",
        seeds: Callable[[], EpochSeeds],
        edge: int,
        limits: MicroBatchLimits,
        notes: Path,
        name: str,
    ) -> None:
        self._spec, self._seeds, self._edge = spec, seeds, edge
        self._limits, self._name = limits, name
        devices.distribute()
        self._key = f"{devices.kind()} | {spec.memory_key(edge)}"
        self._fewest = devices.parallel()  # each device has at least one patch
        self._trainer: Trainer | None = None
        self.state: Checkpoint | None = None
        self.found_out: dict[str, int] = {}
        self.micro_batch = limits.largest(self._key, self._batch)
        self._crash_notes = CrashNotes(notes, self._key)
        while self._crash_notes.forbid(self.micro_batch):
            self._shrink("lost two processes over")

    @property
    def _batch(self) -> int:
        return self._spec.recipe.batch_size

    def do(self, work: Callable[["Trainer"], _Result]) -> _Result:
        """Does something with the trainer; again from the state before if memory ran out.

        Args:
            work: What to do. A try that fails must leave nothing behind but what the trainer holds.

        Raises:
            DoesNotFitError: not even one patch at once fits.
        """
        while True:
            try:
                with self._crash_notes.risk(self.micro_batch):
                    return work(self._ready())
            except Exception as error:
                if not devices.is_out_of_memory(error):
                    raise
            # Not in the except clause: the error's traceback would still hold the arrays.
            self._shrink("has no memory for")

    def go_on_from(self, state: Checkpoint) -> None:
        """Sets the state; its history is not looked at."""
        self.state = state
        if self._trainer:
            self.do(self._restore)

    def close(self) -> None:
        """Ends the training; its model stays for the next one of the same shape."""
        if self._trainer:
            self._trainer.close()
            self._trainer = None

    def _restore(self, trainer: "Trainer") -> None:
        if self.state:
            trainer.restore(self.state)

    def _ready(self) -> "Trainer":
        from bohb_seg.training.trainer import Trainer

        if self._trainer is None:
            devices.distribute()  # Keras forgets it with what release() drops
            parts = self.micro_batch if self.micro_batch < self._batch else None
            self._trainer = Trainer(self._spec, self._seeds(), parts)
            self._restore(self._trainer)
        return self._trainer

    def _shrink(self, why: str) -> None:
        from bohb_seg.training import trainer

        self._trainer = None
        trainer.release()
        if self.micro_batch <= self._fewest:
            raise DoesNotFitError(devices.describe(), self.micro_batch, self._edge)
        failed = self.micro_batch
        self.micro_batch = max(self._fewest, failed // 2)
        self._limits.lower(self._key, self.micro_batch)
        self.found_out[self._key] = self.micro_batch
        _log.warning(
            "%s: %s %s %d patches at once; goes on after epoch %d with %d",
            *(self._name, devices.describe(), why, failed),
            *(self.state.epoch if self.state else 0, self.micro_batch),
        )
