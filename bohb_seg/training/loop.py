"""The epochs of one evaluation: from where the trial stands to its budget, or to an earlier end.

Between epochs the state is safe: in host memory, and on disk where that is due. So an interruption
loses nothing but the epoch it falls into, and so does a device that runs out of memory.
"""

import logging
import math
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, final

from bohb_seg.data.preparation import SegmentationData
from bohb_seg.errors import DoesNotFitError
from bohb_seg.settings import TrainingSettings
from bohb_seg.training import checkpoints, early_stopping, metrics, objectives
from bohb_seg.training.checkpoints import Best, Checkpoint, EpochRecord
from bohb_seg.training.interruption import Interrupted, Interruption
from bohb_seg.training.job import Job, checkpoint_key
from bohb_seg.training.out_of_memory import Sparing
from bohb_seg.training.seeds import epoch_seeds

if TYPE_CHECKING:
    from bohb_seg.training.trainer import Training

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Outcome:
    """Where the epochs led.

    Args:
        history: One record per epoch, those of earlier evaluations among them.
        continued_from: Epochs that were trained before.
        tally: Of the validation part; None after a divergence.
        stopped: Why there are not more epochs; None if all were trained.
        best_epoch: Whose weights were kept, where ``--patience`` asks for it.
        fit_seconds: Spent in training proper.
        complaint: Why there is no checkpoint; "" if there is.
    """

    history: tuple[EpochRecord, ...]
    continued_from: int
    tally: metrics.Tally | None
    stopped: early_stopping.Reason | None
    best_epoch: int | None
    fit_seconds: float
    complaint: str


@final
class Course:
    """Leads a training through its epochs.

    Args:
        settings: What all evaluations of the run share.
        data: The run's data set.
        job: What to train, how long, and where its checkpoint lies.
        sparing: The training.
        interruption: Looked at between two epochs.
    """

    def __init__(
        self,
        settings: TrainingSettings,
        data: SegmentationData,
        job: Job,
        sparing: Sparing,
        interruption: Interruption,
    ) -> None:
        self._settings, self._data, self._job = settings, data, job
        self._sparing, self._interruption = sparing, interruption
        self._key = checkpoint_key(settings, data, job)
        self._keeper = checkpoints.Keeper(job.checkpoints, self._key)
        self._patience = settings.patience if job.is_comparison else None
        self._history: tuple[EpochRecord, ...] = ()
        self._best: Best | None = None
        self._tally: metrics.Tally | None = None
        self._fit_seconds = 0.0

    def run(self) -> Outcome:
        """Trains; the training is then in the state that counts, the last or the best.

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
            self._score()
        return Outcome(
            history=self._history,
            continued_from=continued_from,
            tally=self._tally,
            stopped=stopped,
            best_epoch=self._best.epoch if self._best else None,
            fit_seconds=self._fit_seconds,
            complaint=self._keeper.complaint,
        )

    def _go_on(self) -> None:
        """From the checkpoint, if there is one; a finished training is then only scored again."""
        checkpoint = checkpoints.load(self._job.checkpoints, self._key, self._job.epochs)
        if checkpoint:
            self._sparing.go_on_from(checkpoint)
            self._history = checkpoint.history
            self._best = self._best_of(checkpoint)

    def _train(self) -> early_stopping.Reason | None:
        try:
            stopped = self._epochs()
        except (Interrupted, DoesNotFitError):
            self._keeper.write()
            raise
        if stopped != "diverged":  # nobody goes on from there
            self._keeper.write()
        return stopped

    def _epochs(self) -> early_stopping.Reason | None:
        """Until the budget is reached, or there is a reason to end before."""
        while len(self._history) < self._job.epochs:
            best_epoch = self._best.epoch if self._best else None
            stopped = early_stopping.reason(self._history, best_epoch, self._patience)
            if stopped:
                return stopped
            self._interruption.check()
            if not self._epoch(len(self._history) + 1):
                return "diverged"
        return None

    def _epoch(self, epoch: int) -> bool:
        """Trains and scores one epoch; whether what came out are numbers."""
        started = time.perf_counter()
        done = self._sparing.do(lambda training: self._pass(training, epoch))
        self._fit_seconds += done.fit_seconds
        self._tally = done.tally
        if self._tally is None:
            return False
        record = EpochRecord(
            epoch=epoch,
            train_loss=done.train_loss,
            validation_loss=objectives.of(self._settings.objective, self._tally),
            validation_miou=self._tally.miou,
            validation_accuracy=self._tally.accuracy,
            learning_rate=done.learning_rate,
            seconds=time.perf_counter() - started,
            constant=early_stopping.is_constant(self._tally),
        )
        self._history += (record,)
        self._keep(done.state)
        self._report(record)
        return True

    def _pass(self, training: "Training", epoch: int) -> "_Pass":
        """One epoch with all that is asked of the device, because memory may run out anywhere."""
        started = time.perf_counter()
        seeds = epoch_seeds(self._settings.seed, self._job.config_id, epoch)
        train_loss = training.epoch(self._data.train.images, self._data.train.labels, seeds)
        fit_seconds = time.perf_counter() - started
        tally = training.tally(self._data.validation) if math.isfinite(train_loss) else None
        return _Pass(
            train_loss=train_loss,
            tally=tally if tally and tally.finite else None,
            learning_rate=training.learning_rate,
            state=training.checkpoint(()),
            fit_seconds=fit_seconds,
        )

    def _keep(self, state: Checkpoint) -> None:
        if self._patience:
            best_epoch = self._best.epoch if self._best else None
            if early_stopping.improves(self._history, best_epoch):
                self._best = Best(len(self._history), state.weights)
        self._sparing.state = replace(state, history=self._history, best=self._best)
        self._keeper.hold(self._sparing.state)

    def _best_of(self, checkpoint: Checkpoint) -> Best | None:
        if not self._patience:
            return None
        # Without best weights the last ones are the best that are left.
        return checkpoint.best or Best(checkpoint.epoch, checkpoint.weights)

    def _score(self) -> None:
        """Puts the best weights in their place, if there are any, and scores what is unscored."""
        state, best = self._sparing.state, self._best
        if state and best and (self._tally is None or best.epoch < state.epoch):
            self._sparing.go_on_from(replace(state, weights=best.weights))
            self._tally = None
        if self._tally is None:
            self._tally = self._sparing.do(lambda training: training.tally(self._data.validation))

    def _report(self, record: EpochRecord) -> None:
        _log.info(
            "%s epoch %d/%d: train loss %.4f, validation loss %.4f, mIoU %.3f, %.1f s",
            self._job.config_id,
            record.epoch,
            self._job.epochs,
            record.train_loss,
            record.validation_loss,
            record.validation_miou,
            record.seconds,
        )


@dataclass(frozen=True)
class _Pass:
    """What one epoch came to.

    Args:
        train_loss: May be no number.
        tally: Of the validation part; None after a divergence.
        learning_rate: At the epoch's end.
        state: Afterwards, without history.
        fit_seconds: Spent in training proper.
    """

    train_loss: float
    tally: metrics.Tally | None
    learning_rate: float
    state: Checkpoint
    fit_seconds: float
