"""One configuration trained to one budget and scored: what a worker's ``compute`` calls.

A promoted or interrupted trial goes on from its checkpoint, so ``budget`` is epochs in total.
Everything random follows from (run seed, trial, epoch), so it matters neither on which worker nor
after which epoch. Keras is imported late, by the first evaluation.
"""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from bohb_seg.data.preparation import SegmentationData
from bohb_seg.settings import TrainingSettings
from bohb_seg.training import checkpoints, devices, metrics, objectives
from bohb_seg.training.checkpoints import EpochRecord
from bohb_seg.training.early_stopping import has_collapsed
from bohb_seg.training.interruption import Interruption
from bohb_seg.training.job import Job, checkpoint_key, declaration, recipe_of
from bohb_seg.training.loop import Outcome, TrainingLoop
from bohb_seg.training.out_of_memory import MemoryAwareTrainer, MicroBatchLimits
from bohb_seg.training.recipe import Recipe
from bohb_seg.training.seeds import epoch_seeds
from bohb_seg.trials import Info

if TYPE_CHECKING:
    from bohb_seg.training.trainer import TrainingSpec

__all__ = ["Job", "MicroBatchLimits", "evaluate"]


def evaluate(
    settings: TrainingSettings,
    data: SegmentationData,
    job: Job,
    interruption: Interruption | None = None,
    limits: MicroBatchLimits | None = None,
) -> dict[str, Any]:
    """Trains and scores one configuration.

    Args:
        settings: Settings that all evaluations of the run share.
        data: The run's data set.
        job: What to train, how long, and where its files lie.
        interruption: Ends the evaluation between two epochs when it is requested.
        limits: What is known of the device's memory; what is found out is added.

    Returns:
        ``loss``: the run's objective on the whole validation part, NaN if training diverged;
        ``info``: curves, scores and costs (:class:`~bohb_seg.trials.Info`), plain Python.

    Raises:
        SettingsError: the configuration cannot be trained.
        DoesNotFitError: it cannot be trained on this device.
        OSError: a checkpoint or an artefact cannot be written, though there is room.
        Interrupted: it was asked to end, and has left a checkpoint.
    """
    started = time.perf_counter()
    recipe = recipe_of(settings, job)
    found = checkpoints.load(job.checkpoints, checkpoint_key(settings, data, job), job.epochs)
    if found.checkpoint and not job.is_of_arm and has_collapsed(found.checkpoint.history):
        return _collapsed_before(data, found, found.checkpoint.history)
    trained = _train(settings, data, job, recipe, found, interruption or Interruption(), limits)
    info = Info(
        **_progress(data, trained.outcome),
        **_scores(settings, data, job, recipe, trained),
        **trained.costs,
        seconds=time.perf_counter() - started,
        peak_memory_mb=devices.peak_memory_mb(),
    )
    return {"loss": _loss(settings, trained), "info": info.plain()}


def _collapsed_before(
    data: SegmentationData, found: checkpoints.Found, history: tuple[EpochRecord, ...]
) -> dict[str, Any]:
    """The result of a trial that was promoted though it had collapsed: what it was before.

    Nothing would change its network, so none is built. In the comparison a model is wanted.
    """
    last, epochs = history[-1], len(history)
    outcome = Outcome(history, epochs, None, "collapsed", None, None, 0.0, found.lost)
    info = Info(
        **_progress(data, outcome), miou=last.validation_miou, accuracy=last.validation_accuracy
    )
    return {"loss": last.validation_loss, "info": info.plain()}


@dataclass(frozen=True)
class _Trained:
    """A finished training.

    Args:
        outcome: The result of all epochs.
        parts: In the comparison the scores of the model in the file, by part, and on folds those of
            the model that would be in one; else empty.
        costs: Facts of an :class:`Info` about device and memory.
    """

    outcome: Outcome
    parts: Mapping[str, Mapping[str, Any]]
    costs: Mapping[str, Any]


def _train(
    settings: TrainingSettings,
    data: SegmentationData,
    job: Job,
    recipe: Recipe,
    found: checkpoints.Found,
    interruption: Interruption,
    limits: MicroBatchLimits | None,
) -> _Trained:
    spec = _spec(settings, data, job, recipe)
    trainer = MemoryAwareTrainer(
        spec,
        partial(epoch_seeds, settings.seed, job.config_id, 0),
        settings.patch_size,
        limits or MicroBatchLimits(),
        settings.cache_dir / "deaths",
        str(job.config_id),
    )
    try:
        outcome = TrainingLoop(settings, data, job, trainer, found, interruption).run()
        parts: Mapping[str, Mapping[str, Any]] = {}
        if job.is_of_arm and outcome.sums is not None:
            parts = _parts(settings, data, job, trainer, interruption)
        costs = {
            "precision_policy": spec.policy,
            "parameters": trainer.do(attrgetter("parameters")),
            "device": devices.describe(),
            "micro_batch": trainer.micro_batch,
            "micro_batches": trainer.found_out,
        }
    finally:
        trainer.close()
    return _Trained(outcome, parts, costs)


def _spec(
    settings: TrainingSettings, data: SegmentationData, job: Job, recipe: Recipe
) -> "TrainingSpec":
    from bohb_seg.training.trainer import TrainingSpec, architecture

    return TrainingSpec(
        recipe=recipe,
        architecture=architecture(settings.model, declaration(settings)),
        classes=len(data.classes.names),
        policy=devices.policy(settings.precision),
        patches=len(data.train),
        horizon=float(job.epochs) if job.is_of_arm else settings.max_budget,
        bands=data.train.shape[-1],
    )


FOLD_PARTS = ("validation", "test")
"""Parts that are scored on a fold."""


def _parts(
    settings: TrainingSettings,
    data: SegmentationData,
    job: Job,
    trainer: MemoryAwareTrainer,
    interruption: Interruption,
) -> dict[str, dict[str, Any]]:
    """Scores by part; in the comparison of the model in the file, which this writes."""
    from bohb_seg.training import artefacts

    objective = partial(objectives.of, settings.objective)
    if not job.is_comparison:
        return trainer.do(partial(artefacts.scores, data, FOLD_PARTS, objective))
    write = partial(artefacts.write, data, job.directory, job.artefacts, objective)
    return artefacts.when_there_is_room(
        partial(trainer.do, write), job.directory / job.artefacts, interruption
    )


def _progress(data: SegmentationData, outcome: Outcome) -> dict[str, Any]:
    """How far training came, and how fast; facts of an :class:`Info`."""
    trained = len(outcome.history) - outcome.continued_from
    images = trained * len(data.train)
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
        "averaged": outcome.averaged,
        "rotation": data.rotation,
        "checkpoint": outcome.complaint or None,
    }


def _scores(
    settings: TrainingSettings,
    data: SegmentationData,
    job: Job,
    recipe: Recipe,
    trained: _Trained,
) -> dict[str, Any]:
    """How good the weights are on the validation part; facts of an :class:`Info`.

    In the comparison the scores are those of the model in the file. Folds leave no files.
    """
    sums, parts = trained.outcome.sums, trained.parts
    if sums is None:
        return {}
    scores = metrics.summary(sums, data.classes.names)
    if settings.objective == "milestone3":
        scores["loss_at_own_batch"] = objectives.milestone3(sums, recipe.own_validation_batch)
    if not parts:
        return scores
    in_file = {name: parts["validation"].get(name, value) for name, value in scores.items()}
    facts = {**in_file, "parts": parts}
    if job.is_comparison:
        facts |= {"artefacts": job.artefacts, "input": _input(data)}
    return facts


def _input(data: SegmentationData) -> str:
    """The input of ``model.keras``; height and width are multiples of 2 ** halvings."""
    bands = data.train.shape[-1]
    if data.scaling.keeps:
        kind = "RGB images" if bands == 3 else "images"
        return f"{kind} (n, height, width, {bands}), uint8 or float, values 0..255, not scaled"
    return (
        f"images (n, height, width, {bands}), float, values as in the files"
        f" ({data.scaling.dtype}), NaN where there are none"
    )


def _loss(settings: TrainingSettings, trained: _Trained) -> float:
    """The run's objective on the validation part; in the comparison that of the model in the file.

    NaN if training diverged.
    """
    if trained.parts:
        return float(trained.parts["validation"]["loss"])
    sums = trained.outcome.sums
    return math.nan if sums is None else objectives.of(settings.objective, sums)
