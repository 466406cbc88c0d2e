"""One configuration at one budget: what a worker's ``compute`` calls.

A promoted or interrupted trial goes on from its checkpoint, so ``budget`` is epochs in total.
Everything random follows from (run seed, trial, epoch), so it matters neither on which worker nor
after which epoch. Keras is imported late, by the first evaluation.
"""

import logging
import math
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from bohb_seg.data.preparation import SegmentationData
from bohb_seg.errors import SettingsError
from bohb_seg.retry import Retry, wait_until
from bohb_seg.settings import TrainingSettings
from bohb_seg.training import checkpoints, devices, metrics, objectives
from bohb_seg.training.interruption import Interruption
from bohb_seg.training.job import Job
from bohb_seg.training.loop import Course, Outcome
from bohb_seg.training.out_of_memory import Fits, Sparing
from bohb_seg.training.recipe import Recipe
from bohb_seg.training.seeds import epoch_seeds
from bohb_seg.trials import Info

if TYPE_CHECKING:
    from bohb_seg.training.trainer import Assignment

__all__ = ["Fits", "Job", "evaluate"]

RETRY_INTERVAL = 10.0
"""Seconds between two tries to write the comparison's files to a full disk."""
_INPUT = "RGB images (n, height, width, 3), uint8 or float, values 0..255, not scaled"
"""Input of ``model.keras``; height and width are multiples of 2**depth."""

_Written = TypeVar("_Written")

_log = logging.getLogger(__name__)


def evaluate(
    settings: TrainingSettings,
    data: SegmentationData,
    job: Job,
    interruption: Interruption | None = None,
    fits: Fits | None = None,
) -> dict[str, Any]:
    """Trains and scores one configuration.

    Args:
        settings: What all evaluations of the run share.
        data: The run's data set.
        job: What to train, how long, and where its files lie.
        interruption: Ends the evaluation between two epochs when it is requested.
        fits: What is known of the device's memory; what is found out is added.

    Returns:
        ``loss``: the run's objective on the whole validation part, NaN if training diverged;
        ``info``: curves, scores and costs, plain Python without NaN.

    Raises:
        SettingsError: the configuration cannot be trained.
        DoesNotFitError: it cannot be trained on this device.
        OSError: a checkpoint or an artefact cannot be written, though there is room.
        Interrupted: it was asked to end, and has left a checkpoint.
    """
    interruption = interruption or Interruption()
    _check_fit(settings, job.recipe)
    started = time.perf_counter()
    assignment = _assignment(settings, data, job)
    sparing = Sparing(
        assignment,
        lambda: epoch_seeds(settings.seed, job.config_id, 0),
        settings.patch_size,
        fits or Fits(),
        settings.cache_dir / "deaths",
        str(job.config_id),
    )
    try:
        outcome = Course(settings, data, job, sparing, interruption).run()
        parts: dict[str, dict[str, Any]] = {}
        if job.is_comparison and outcome.tally is not None:
            parts = _write_artefacts(settings, data, job, sparing, interruption)
        parameters = sparing.do(lambda training: training.parameters)
    finally:
        sparing.close()
    info = Info(
        **_progress(data, outcome),
        **_scores(settings, data, job, outcome, parts),
        precision_policy=assignment.policy,
        parameters=parameters,
        device=devices.describe(),
        micro_batch=sparing.micro_batch,
        micro_batches=sparing.learnt or {},
        seconds=time.perf_counter() - started,
        peak_memory_mb=devices.peak_memory_mb(),
    )
    return {"loss": _loss(settings, outcome, parts), "info": info.plain()}


def _check_fit(settings: TrainingSettings, recipe: Recipe) -> None:
    if settings.patch_size % 2**recipe.depth:
        raise SettingsError(
            f"--patch-size {settings.patch_size} cannot be halved {recipe.depth} times, as depth"
            f" {recipe.depth} of this configuration wants; use a multiple of {2**recipe.depth}"
            " or a space with smaller depth"
        )


def _assignment(settings: TrainingSettings, data: SegmentationData, job: Job) -> "Assignment":
    from bohb_seg.training.trainer import Assignment

    return Assignment(
        recipe=job.recipe,
        model=settings.model,
        classes=len(data.classes.names),
        scaling="patch" if settings.preset == "milestone3" else "unit",
        policy=devices.policy(settings.precision),
        patches=len(data.train.images),
        horizon=float(job.epochs) if job.is_comparison else settings.max_budget,
    )


def _progress(data: SegmentationData, outcome: Outcome) -> dict[str, Any]:
    """How far training came, and how fast; facts of an :class:`Info`."""
    trained = len(outcome.history) - outcome.continued_from
    images = trained * len(data.train.images)
    return {
        "epochs": len(outcome.history),
        "epochs_trained": trained,
        "continued_from": outcome.continued_from,
        "curves": {
            name: [getattr(record, name) for record in outcome.history]
            for name in checkpoints.CURVES
        },
        "images_per_second": images / outcome.fit_seconds if images else None,
        "stopped": outcome.stopped,
        "best_epoch": outcome.best_epoch,
        "checkpoint": outcome.complaint or None,
    }


def _scores(
    settings: TrainingSettings,
    data: SegmentationData,
    job: Job,
    outcome: Outcome,
    parts: Mapping[str, Mapping[str, Any]],
) -> dict[str, Any]:
    """How good the weights are on the validation part; facts of an :class:`Info`.

    In the comparison the scores are those of the model in the file.
    """
    if outcome.tally is None:
        return {}
    scores = metrics.summary(outcome.tally, data.classes.names)
    if settings.objective == "milestone3":
        own = objectives.milestone3(outcome.tally, job.recipe.own_validation_batch)
        scores["loss_at_own_batch"] = own
    if not parts:
        return scores
    in_file = {name: parts["validation"].get(name, value) for name, value in scores.items()}
    return {**in_file, "parts": parts, "artefacts": job.artefacts, "input": _INPUT}


def _loss(
    settings: TrainingSettings, outcome: Outcome, parts: Mapping[str, Mapping[str, Any]]
) -> float:
    """The run's objective on the validation part; in the comparison that of the model in the file.

    NaN if training diverged.
    """
    if parts:
        return float(parts["validation"]["loss"])
    return math.nan if outcome.tally is None else objectives.of(settings.objective, outcome.tally)


def _write_artefacts(
    settings: TrainingSettings,
    data: SegmentationData,
    job: Job,
    sparing: Sparing,
    interruption: Interruption,
) -> dict[str, dict[str, Any]]:
    """Writes the comparison's files; returns the scores of the model in the file, by part."""
    from bohb_seg.training import artefacts

    def objective(tally: metrics.Tally) -> float:
        return objectives.of(settings.objective, tally)

    def write() -> dict[str, dict[str, Any]]:
        return sparing.do(
            lambda training: artefacts.write(
                training.exported(), data, job.directory, job.artefacts, objective
            )
        )

    return _when_there_is_room(write, job, interruption)


def _when_there_is_room(
    write: Callable[[], _Written], job: Job, interruption: Interruption
) -> _Written:
    """Writes what cannot be done without; a full disk is waited for."""
    retry = Retry(
        f"the disk of {job.directory / job.artefacts} is full",
        "waiting for room",
        first=RETRY_INTERVAL,
        longest=RETRY_INTERVAL,
        level=logging.WARNING,
        wait=wait_until(interruption.check),
    )
    while True:
        try:
            return write()
        except OSError as error:
            if not checkpoints.is_full(error):
                raise
        retry.pause()
