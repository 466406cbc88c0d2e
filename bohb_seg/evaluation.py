"""One configuration at one budget: what a worker's ``compute`` calls.

A promoted trial goes on from its checkpoint, so ``budget`` is epochs in total. Everything random
follows from (run seed, trial, epoch), so it does not matter on which worker. Keras is imported
late, by the first evaluation.
"""

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from bohb_seg import checkpoints, devices, metrics, objectives
from bohb_seg.checkpoints import EpochRecord
from bohb_seg.datasets import SegmentationData
from bohb_seg.errors import SettingsError
from bohb_seg.job import Job, checkpoint_key
from bohb_seg.recipe import Recipe
from bohb_seg.seeds import epoch_seeds
from bohb_seg.settings import TrainingSettings

if TYPE_CHECKING:
    from bohb_seg.training import Assignment, Training

__all__ = ["Job", "OnEpoch", "evaluate", "objective"]

OnEpoch = Callable[[EpochRecord], None]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Outcome:
    """Where the epochs led; ``tally`` is of the validation part, None after a divergence."""

    history: tuple[EpochRecord, ...]
    continued_from: int
    tally: metrics.Tally | None
    fit_seconds: float


def evaluate(
    settings: TrainingSettings,
    data: SegmentationData,
    job: Job,
    on_epoch: OnEpoch | None = None,
) -> dict[str, Any]:
    """Trains and scores one configuration.

    Args:
        settings: What all evaluations of the run share.
        data: The run's data set.
        job: What to train, how long, and where its files lie.
        on_epoch: Called after every epoch; each is logged in any case.

    Returns:
        ``loss``: the run's objective on the whole validation part, NaN if training diverged;
        ``info``: curves, scores and costs, plain Python without NaN.

    Raises:
        SettingsError: the configuration cannot be trained.
        OSError: a checkpoint or an artefact cannot be written.
    """
    _check_fit(settings, job.recipe)
    from bohb_seg import training

    started = time.perf_counter()
    assignment = _assignment(settings, data, job)
    try:
        trained = training.Training(assignment, epoch_seeds(settings.seed, job.config_id, 0))
        outcome = _train(trained, settings, data, job, on_epoch)
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
                loss = _compare(settings, data, job, trained, info)
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
    on_epoch: OnEpoch | None,
) -> _Outcome:
    key = checkpoint_key(settings, data, job)
    checkpoint = None if job.is_comparison else checkpoints.load(job.checkpoints, key, job.epochs)
    history: tuple[EpochRecord, ...] = ()
    if checkpoint:
        trained.restore(checkpoint)
        history = checkpoint.history
    continued_from = len(history)
    # A finished evaluation whose result was lost on the way is only scored again.
    tally = _tally(trained.model, data.validation) if continued_from == job.epochs else None
    fit_seconds = 0.0
    for epoch in range(continued_from + 1, job.epochs + 1):
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
        _report(job, record, on_epoch)
    if not job.is_comparison and len(history) > continued_from:
        checkpoints.save(job.checkpoints, key, trained.checkpoint(history))
    return _Outcome(history, continued_from, tally, fit_seconds)


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


def _report(job: Job, record: EpochRecord, on_epoch: OnEpoch | None) -> None:
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
    if on_epoch:
        on_epoch(record)


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
) -> float:
    """Writes the comparison's files; scores, and so loss, are of the model in the file."""
    from bohb_seg import artefacts

    parts = artefacts.write(
        trained.exported(), data, job.directory, job.artefacts, lambda t: objective(settings, t)
    )
    validation = parts["validation"]
    info |= {name: value for name, value in validation.items() if name in info}
    info |= {"parts": parts, "artefacts": job.artefacts, "input": artefacts.INPUT}
    return float(validation["loss"])
