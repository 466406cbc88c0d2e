"""One configuration at one budget: what a worker's ``compute`` calls.

A promoted or interrupted trial goes on from its checkpoint, so ``budget`` is epochs in total.
Everything random follows from (run seed, trial, epoch), so it matters neither on which worker nor
after which epoch. Keras is imported late, by the first evaluation.
"""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

from bohb_seg import checkpoints, devices, metrics, objectives
from bohb_seg.checkpoints import EpochRecord
from bohb_seg.datasets import SegmentationData
from bohb_seg.errors import SettingsError
from bohb_seg.interruption import Interrupted, Interruption
from bohb_seg.job import Job, checkpoint_key
from bohb_seg.recipe import Recipe
from bohb_seg.seeds import epoch_seeds
from bohb_seg.settings import TrainingSettings

if TYPE_CHECKING:
    from bohb_seg.training import Assignment, Training

__all__ = ["Job", "evaluate", "objective"]

RETRY_INTERVAL = 10.0
"""Seconds between two tries to write the comparison's files to a full disk."""
SAY_EVERY = 60.0
"""Seconds between two lines that tell that room is being waited for."""
TICK = 0.5
"""Seconds within which a wait hears an interruption."""

_Written = TypeVar("_Written")

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Outcome:
    """Where the epochs led.

    Args:
        history: One record per epoch, those of earlier evaluations among them.
        continued_from: Epochs that were trained before.
        tally: Of the validation part; None after a divergence.
        fit_seconds: Spent in training proper.
        complaint: Why there is no checkpoint; "" if there is.
    """

    history: tuple[EpochRecord, ...]
    continued_from: int
    tally: metrics.Tally | None
    fit_seconds: float
    complaint: str = ""


def evaluate(
    settings: TrainingSettings,
    data: SegmentationData,
    job: Job,
    interruption: Interruption | None = None,
) -> dict[str, Any]:
    """Trains and scores one configuration.

    Args:
        settings: What all evaluations of the run share.
        data: The run's data set.
        job: What to train, how long, and where its files lie.
        interruption: Ends the evaluation between two epochs when it is requested.

    Returns:
        ``loss``: the run's objective on the whole validation part, NaN if training diverged;
        ``info``: curves, scores and costs, plain Python without NaN.

    Raises:
        SettingsError: the configuration cannot be trained.
        OSError: a checkpoint or an artefact cannot be written, though there is room.
        Interrupted: it was asked to end, and has left a checkpoint.
    """
    interruption = interruption or Interruption()
    _check_fit(settings, job.recipe)
    from bohb_seg import training

    started = time.perf_counter()
    assignment = _assignment(settings, data, job)
    try:
        trained = training.Training(assignment, epoch_seeds(settings.seed, job.config_id, 0))
        outcome = _train(trained, settings, data, job, interruption)
        info = _info(settings, data, job, outcome)
        info |= {
            "precision_policy": assignment.policy,
            "parameters": trained.parameters,
            "device": devices.describe(),
        }
        loss = math.nan
        if outcome.tally is not None:
            loss = objective(settings, outcome.tally)
            if job.is_comparison:
                loss = _compare(settings, data, job, trained, info, interruption)
        del trained
    finally:
        training.release()
    info |= {
        "seconds": time.perf_counter() - started,
        "peak_memory_mb": devices.peak_memory_mb(),
    }
    return {"loss": loss, "info": info}


def objective(settings: TrainingSettings, tally: metrics.Tally) -> float:
    """What the run minimises; the same formula whatever a configuration trained with."""
    if settings.objective == "seed":
        return objectives.seed(tally)
    return objectives.default(tally)


def _check_fit(settings: TrainingSettings, recipe: Recipe) -> None:
    if settings.patch_size % 2**recipe.depth:
        raise SettingsError(
            f"--patch-size {settings.patch_size} cannot be halved {recipe.depth} times, as depth"
            f" {recipe.depth} of this configuration wants; use a multiple of {2**recipe.depth}"
            " or a space with smaller depth"
        )


def _assignment(settings: TrainingSettings, data: SegmentationData, job: Job) -> "Assignment":
    from bohb_seg.training import Assignment

    return Assignment(
        recipe=job.recipe,
        model=settings.model,
        classes=len(data.classes.names),
        scaling="patch" if settings.preset == "seed" else "unit",
        policy=devices.policy(settings.precision),
        patches=len(data.train.images),
        horizon=float(job.epochs) if job.is_comparison else settings.max_budget,
    )


def _train(
    trained: "Training",
    settings: TrainingSettings,
    data: SegmentationData,
    job: Job,
    interruption: Interruption,
) -> _Outcome:
    key = checkpoint_key(settings, data, job)
    checkpoint = checkpoints.load(job.checkpoints, key, job.epochs)
    history: tuple[EpochRecord, ...] = ()
    if checkpoint:
        trained.restore(checkpoint)
        history = checkpoint.history
    continued_from = len(history)
    # A finished evaluation whose result was lost on the way is only scored again.
    tally = _tally(trained.model, data.validation) if continued_from == job.epochs else None
    fit_seconds = 0.0
    keeper = checkpoints.Keeper(job.checkpoints, key)
    try:
        for epoch in range(continued_from + 1, job.epochs + 1):
            interruption.check()
            started = time.perf_counter()
            seeds = epoch_seeds(settings.seed, job.config_id, epoch)
            train_loss = trained.epoch(data.train.images, data.train.labels, seeds)
            fit_seconds += time.perf_counter() - started
            tally = _tally(trained.model, data.validation) if math.isfinite(train_loss) else None
            if tally is None or not tally.finite:
                _log.info("%s epoch %d/%d: diverged", job.config_id, epoch, job.epochs)
                return _Outcome(history, continued_from, None, fit_seconds)
            record = _record(settings, epoch, train_loss, tally, trained.learning_rate, started)
            history += (record,)
            keeper.hold(trained.checkpoint(history))
            _report(job, record)
    except Interrupted:
        keeper.write()
        raise
    keeper.write()
    return _Outcome(history, continued_from, tally, fit_seconds, keeper.complaint)


def _tally(model: Any, part: Any) -> metrics.Tally:
    from bohb_seg.training import probabilities

    return metrics.Tally.join(
        metrics.Tally.of(scores, part.labels[patches])
        for patches, scores in probabilities(model, part.images)
    )


def _record(
    settings: TrainingSettings,
    epoch: int,
    train_loss: float,
    tally: metrics.Tally,
    learning_rate: float,
    started: float,
) -> EpochRecord:
    return EpochRecord(
        epoch=epoch,
        train_loss=train_loss,
        validation_loss=objective(settings, tally),
        validation_miou=tally.miou,
        validation_accuracy=tally.accuracy,
        learning_rate=learning_rate,
        seconds=time.perf_counter() - started,
    )


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


def _info(
    settings: TrainingSettings, data: SegmentationData, job: Job, outcome: _Outcome
) -> dict[str, Any]:
    history, tally = outcome.history, outcome.tally
    trained = len(history) - outcome.continued_from
    images = trained * len(data.train.images)
    info: dict[str, Any] = {
        "epochs": len(history),
        "epochs_trained": trained,
        "continued_from": outcome.continued_from,
        "curves": {
            field.name: [getattr(record, field.name) for record in history]
            for field in fields(EpochRecord)
        },
        "images_per_second": images / outcome.fit_seconds if images else None,
        "stopped": None if tally else "diverged",
    }
    if outcome.complaint:
        info["checkpoint"] = outcome.complaint
    if tally is None:
        return info
    info |= metrics.summary(tally, data.classes.names)
    if settings.objective == "seed":
        info["loss_at_own_batch"] = objectives.seed(tally, job.recipe.own_validation_batch)
    return info


def _compare(
    settings: TrainingSettings,
    data: SegmentationData,
    job: Job,
    trained: "Training",
    info: dict[str, Any],
    interruption: Interruption,
) -> float:
    """Writes the comparison's files; scores, and so loss, are of the model in the file."""
    from bohb_seg import artefacts

    def write() -> dict[str, dict[str, Any]]:
        return artefacts.write(
            trained.exported(), data, job.directory, job.artefacts, lambda t: objective(settings, t)
        )

    parts = _when_there_is_room(write, job, interruption)
    validation = parts["validation"]
    info |= {name: value for name, value in validation.items() if name in info}
    info |= {"parts": parts, "artefacts": job.artefacts, "input": artefacts.INPUT}
    return float(validation["loss"])


def _when_there_is_room(
    write: Callable[[], _Written], job: Job, interruption: Interruption
) -> _Written:
    """Writes what cannot be done without; a full disk is waited for."""
    said = -math.inf
    while True:
        try:
            return write()
        except OSError as error:
            if not checkpoints.is_full(error):
                raise
        if time.monotonic() - said > SAY_EVERY:
            said = time.monotonic()
            _log.warning("the disk of %s is full; waiting for room", job.directory / job.artefacts)
        resume = time.monotonic() + RETRY_INTERVAL
        while time.monotonic() < resume:
            interruption.check()
            time.sleep(TICK)
