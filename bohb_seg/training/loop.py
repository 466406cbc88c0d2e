"""The epochs of one evaluation: from where the trial stands to its budget, or to an earlier end.

Between epochs the state is safe: in host memory, and on disk where that is due. So an interruption
loses nothing but the epoch it falls into, and so does a device that runs out of memory.
"""

import logging
import math
import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, final

from bohb_seg.data.preparation import SegmentationData
from bohb_seg.errors import DoesNotFitError
from bohb_seg.settings import TrainingSettings
from bohb_seg.training import checkpoints, early_stopping, metrics, objectives
from bohb_seg.training.checkpoints import Best, Checkpoint, EpochRecord
from bohb_seg.training.interruption import Interrupted, Interruption
from bohb_seg.training.job import Job, checkpoint_key
from bohb_seg.training.out_of_memory import MemoryAwareTrainer
from bohb_seg.training.seeds import epoch_seeds

if TYPE_CHECKING:
    from bohb_seg.training.trainer import Trainer

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """The result of all epochs.

    Args:
        history: One record per epoch, those of earlier evaluations among them.
        continued_from: Epochs that were trained before.
        sums: Sums over the validation part; None after a divergence.
        stopped: Reason why there are not more epochs; None if all were trained.
        best_epoch: Epoch whose weights were kept, where ``--patience`` asks for it.
        averaged: Whether the averaged weights were better and count; None if there were none.
        fit_seconds: Seconds spent in training proper.
        complaint: Reason why there is no checkpoint, or was none to go on from; "" if all is well.
    """

    history: tuple[EpochRecord, ...]
    continued_from: int
    sums: metrics.PixelSums | None
    stopped: early_stopping.Reason | None
    best_epoch: int | None
    averaged: bool | None
    fit_seconds: float
    complaint: str


@final
class TrainingLoop:
    """Leads a training through its epochs.

    Args:
        settings: Settings that all evaluations of the run share.
        data: The run's data set.
        job: What to train, how long, and where its checkpoint lies.
        trainer: The training.
        found: The trial's checkpoint, as far as there is one.
        interruption: Looked at between two epochs.
    """

    def __init__(
        self,
        settings: TrainingSettings,
        data: SegmentationData,
        job: Job,
        trainer: MemoryAwareTrainer,
        found: checkpoints.Found,
        interruption: Interruption,
    ) -> None:
        self._settings, self._data, self._job = settings, data, job
        self._trainer, self._found, self._interruption = trainer, found, interruption
        key = checkpoint_key(settings, data, job)
        self._checkpoints = checkpoints.CheckpointWriter(job.checkpoints, key)
        self._patience = settings.patience if job.is_of_arm else None
        self._history: tuple[EpochRecord, ...] = ()
        self._best: Best | None = None
        self._averages = settings.preset != "milestone3"  # the reports had none
        self._averaged: bool | None = None
        self._sums: metrics.PixelSums | None = None
        self._fit_seconds = 0.0

    def run(self) -> Outcome:
        """Trains; the trainer then has the weights that count: the last, best or averaged ones.

        Raises:
            Interrupted: it was asked to end, and has left a checkpoint.
            DoesNotFitError: likewise; the device has not memory enough.
            OSError: a checkpoint cannot be written, though there is room.
        """
        self._go_on()
        continued_from = len(self._history)
        stopped = self._train()
        if stopped:
            where = self._job.config_id, len(self._history), self._job.epochs
            _log.info("%s ends after epoch %d/%d: %s", *where, stopped)
        if stopped != "diverged" or self._best:
            self._score_final()
        if self._averages and stopped not in ("diverged", "collapsed"):
            self._try_averages()
        return Outcome(
            history=self._history,
            continued_from=continued_from,
            sums=self._sums,
            stopped=stopped,
            best_epoch=None if self._averaged else self._best_epoch,
            averaged=self._averaged,
            fit_seconds=self._fit_seconds,
            complaint="; ".join(filter(None, (self._found.lost, self._checkpoints.complaint))),
        )

    @property
    def _best_epoch(self) -> int | None:
        return self._best.epoch if self._best else None

    def _go_on(self) -> None:
        """Takes over the checkpoint, if any; a finished training is then only scored again."""
        checkpoint = self._found.checkpoint
        if checkpoint:
            self._trainer.go_on_from(checkpoint)
            self._history = checkpoint.history
            self._best = self._best_of(checkpoint)

    def _train(self) -> early_stopping.Reason | None:
        try:
            stopped = self._epochs()
        except (Interrupted, DoesNotFitError):
            self._checkpoints.write()
            raise
        if stopped != "diverged":  # nobody goes on from there
            self._checkpoints.write()
        return stopped

    def _epochs(self) -> early_stopping.Reason | None:
        """Trains until the budget is reached, or there is a reason to end before."""
        while len(self._history) < self._job.epochs:
            stopped = early_stopping.reason(self._history, self._best_epoch, self._patience)
            if stopped:
                return stopped
            self._interruption.check()
            if not self._epoch(len(self._history) + 1):
                return "diverged"
        return None

    def _epoch(self, epoch: int) -> bool:
        """Trains and scores one epoch; returns whether its results are numbers."""
        started = time.perf_counter()
        done = self._trainer.do(partial(self._train_and_score, epoch))
        self._fit_seconds += done.fit_seconds
        self._sums = done.sums
        if self._sums is None:
            return False
        record = EpochRecord(
            epoch=epoch,
            train_loss=done.train_loss,
            validation_loss=self._loss(self._sums),
            validation_miou=self._sums.miou,
            validation_accuracy=self._sums.accuracy,
            learning_rate=done.learning_rate,
            seconds=time.perf_counter() - started,
            constant=early_stopping.is_constant(self._sums),
        )
        self._history += (record,)
        self._keep(done.state)
        _report(self._job, record)
        return True

    def _train_and_score(self, epoch: int, trainer: "Trainer") -> "_EpochResult":
        """Does all of one epoch that takes the device's memory, which may run out anywhere."""
        started = time.perf_counter()
        seeds = epoch_seeds(self._settings.seed, self._job.config_id, epoch)
        train_loss = trainer.epoch(self._data.drawn(seeds.order), seeds)
        fit_seconds = time.perf_counter() - started
        sums = trainer.score(self._data.validation) if math.isfinite(train_loss) else None
        return _EpochResult(
            train_loss=train_loss,
            sums=sums if sums and sums.finite else None,
            learning_rate=trainer.learning_rate,
            state=trainer.checkpoint(()),
            fit_seconds=fit_seconds,
        )

    def _keep(self, state: Checkpoint) -> None:
        if self._patience and early_stopping.improves(self._history, self._best_epoch):
            self._best = Best(len(self._history), state.weights)
        if not self._averages:
            state = replace(state, averages=())
        self._trainer.state = replace(state, history=self._history, best=self._best)
        self._checkpoints.hold(self._trainer.state)

    def _best_of(self, checkpoint: Checkpoint) -> Best | None:
        if not self._patience:
            return None
        # Without best weights the last ones are the best that are left.
        return checkpoint.best or Best(checkpoint.epoch, checkpoint.weights)

    def _score_final(self) -> None:
        """Takes the best weights, if any were kept, and scores the final ones unless they are."""
        state, best = self._trainer.state, self._best
        if state and best and (self._sums is None or best.epoch < state.epoch):
            self._trainer.go_on_from(replace(state, weights=best.weights))
            self._sums = None
        if self._sums is None:
            self._sums = self._trainer.do(self._score)

    def _try_averages(self) -> None:
        """Takes the averaged weights, if there are any, where their validation loss is lower.

        Only the trainer takes them: what is on disk goes on from the last weights.
        """
        state = self._trainer.state
        if state is None or self._sums is None or not state.averages:
            return
        self._trainer.go_on_from(replace(state, weights=state.averages))
        sums = self._trainer.do(self._score)
        self._averaged = self._loss(sums) < self._loss(self._sums)
        if self._averaged:
            self._sums = sums
        else:
            self._trainer.go_on_from(state)

    def _loss(self, sums: metrics.PixelSums) -> float:
        return objectives.of(self._settings.objective, sums)

    def _score(self, trainer: "Trainer") -> metrics.PixelSums:
        return trainer.score(self._data.validation)


def _report(job: Job, record: EpochRecord) -> None:
    _log.info(
        "%s epoch %d/%d: train loss %.4f, validation loss %.4f, mIoU %.3f, %.1f s",
        job.config_id,
        record.epoch,
        job.epochs,
        record.train_loss,
        record.validation_loss,
        record.validation_miou,
        record.seconds,
    )


@dataclass(frozen=True)
class _EpochResult:
    """The result of one epoch.

    Args:
        train_loss: Mean training loss; may be no number.
        sums: Sums over the validation part; None after a divergence.
        learning_rate: Learning rate at the epoch's end.
        state: State afterwards, without history.
        fit_seconds: Seconds spent in training proper.
    """

    train_loss: float
    sums: metrics.PixelSums | None
    learning_rate: float
    state: Checkpoint
    fit_seconds: float
