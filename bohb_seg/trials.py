"""START HERE: the nouns of a search, which both halves of the package use.

Words (HpBandSter's in brackets): *bracket* (iteration), *rung* (stage), *trial*: a configuration
being tried (config_id), *budget*: epochs in total, *evaluation*: one trial at one budget (job),
*attempt*: one try of an evaluation on one worker. Everything here is a frozen value of plain
Python, because it crosses the wire and lies in the journal. Read on in ``search/events.py``.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from typing import Annotated, Any, Literal, NamedTuple, Self, get_type_hints

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

Configuration = Mapping[str, bool | int | float | str | None]
"""A point of the search space; only the active hyperparameters, as plain Python values."""

IGNORE = 255
"""Label of pixels that count in no loss and no score."""

COMPARISON_BRACKET = -1
"""The retraining of default and incumbent at the end; no bracket of the search.

There ``TrialId.rung`` is the arm (see below) and ``TrialId.number`` the index of the seed, so that
the arms share their seeds."""
DEFAULT_ARM = 0
INCUMBENT_ARM = 1
"""Arm of the first incumbent that was compared; where a run grew and has another, that is the next
arm: 2, 3 and so on. So no retraining is ever taken for that of another configuration."""
ARMS = ("default", "incumbent")
"""Name of each arm; those from 2 on are incumbents, too, see :func:`arm_name`."""
RUNOFF_BRACKET = -2
"""The best few of the search trained again with further seeds; no bracket of the search either.

There ``TrialId.rung`` is the candidate's rank in the search and ``TrialId.number`` the index of the
seed, so that all candidates share their seeds."""
FOLDS_BRACKET = -3
"""The arms of the comparison retrained on folds, so that every group of images tests once.

There ``TrialId.rung`` is the arm and ``TrialId.number`` the seed's index times the number of folds
(setting ``final_folds``), plus the index of the fold; see :func:`seed_and_fold`."""
ARMS_BRACKETS = (COMPARISON_BRACKET, FOLDS_BRACKET)
"""Brackets whose rungs are arms."""
FINAL_PHASES: Mapping[int, Literal["runoff", "comparison", "folds"]] = {
    RUNOFF_BRACKET: "runoff",
    COMPARISON_BRACKET: "comparison",
    FOLDS_BRACKET: "folds",
}
"""Names of the phases after the search by their brackets, in their order."""


MEASURING_BRACKET = -4
"""The default trained for a few epochs to measure how long they take; in no journal and no report.

There ``TrialId.number`` numbers the measurements."""


class TrialId(NamedTuple):
    """HpBandSter's ``config_id``: bracket, the rung it was sampled for, running number there."""

    bracket: int
    rung: int
    number: int


class EvaluationId(NamedTuple):
    """One trial at one budget (epochs in total)."""

    trial: TrialId
    budget: float


class Attempt(NamedTuple):
    """One try of an evaluation; numbered from 1."""

    evaluation: EvaluationId
    number: int


@dataclass(frozen=True)
class Suggestion:
    """A configuration an optimizer proposes, and whether its model (not chance) picked it."""

    configuration: Configuration
    model_based: bool = False


class Observation(NamedTuple):
    """An evaluation as an optimizer sees it; the loss is None if it diverged or failed."""

    configuration: Configuration
    budget: float
    loss: float | None = None


Amount = Annotated[float, Field(ge=0)]
Count = Annotated[int, Field(ge=0)]
Numbers = Sequence[float | None]
MOST_GROUPS = 64
"""Largest number of groups by which the test part is scored; more are put together."""
_STRICT = ConfigDict(strict=True, allow_inf_nan=False)
ByClass = Mapping[str, float | None]
"""A score of each class by its name; None where the class does not occur."""


class GroupScores(BaseModel):
    """Scores of one group of test images; in an :class:`Info` they are a plain table.

    Args:
        confusion: (C, C) pixels, rows are the truth.
        loss: The run's objective; None if it is no number.
    """

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    confusion: Sequence[Sequence[Annotated[int, Field(ge=0, strict=True)]]]
    loss: float | None = None


def _with_groups(part: Mapping[str, Any]) -> Mapping[str, Any]:
    if "groups" in part:
        _group_scores().validate_python(part["groups"])
    return part


PartScores = Annotated[Mapping[str, Any], AfterValidator(_with_groups)]
"""Scores of one part of the data; ``groups``, if there are any, are checked."""


@cache
def _group_scores() -> TypeAdapter[Any]:
    groups = Annotated[Mapping[str, GroupScores], Field(max_length=MOST_GROUPS)]
    return TypeAdapter(groups)


@dataclass(frozen=True, kw_only=True)
class Info:
    """Facts that a worker reports beside the loss.

    On the wire and in the journal an ``Info`` is the table that :meth:`plain` returns; :meth:`read`
    makes it an ``Info`` again. Every fact may be missing: foreign workers report what they like.

    Args:
        info_version: Form of this table; raised when a fact changes its meaning.
        epochs: Epochs that the weights have seen in total.
        epochs_trained: Epochs among them that this attempt trained.
        continued_from: Epochs that the checkpoint had seen from which it went on; 0 without one.
        stopped: Reason why training ended before its budget: diverged, collapsed or patience.
        best_epoch: Epoch, from 1, whose weights were kept instead of the last.
        averaged: Whether the weights that count are those averaged over the last steps, because
            they have the lower validation loss; None if there were no averaged ones to compare.
        rotation: Number, from 0, of the other split of the same patches by which the runoff
            validated this training; None: the search's split.
        curves: Values per epoch, by name; ``epoch`` numbers them from 1.
        checkpoint: Reason why no checkpoint of this attempt is kept, or not at the master, or why
            the one to go on from was lost.
        miou: Mean intersection over union on the validation part, 0..1.
        iou: Intersection over union of each class.
        accuracy: Share of pixels with the right class, 0..1.
        precision: Precision of each class.
        recall: Recall of each class.
        dice: Mean Dice over the classes present.
        focal: Mean focal loss.
        loss_at_own_batch: Loss of objective ``milestone3`` at the configuration's own validation
            batch, as Keras would have printed it.
        parts: Scores of each part of the data (train, validation, test), in the comparison and on
            its folds. Those of ``test`` have ``groups``: a :class:`GroupScores` for each group of
            images, by its name.
        artefacts: Folder of the comparison's files, relative to the run directory.
        input: Input that ``model.keras`` expects, in words.
        precision_policy: Keras' dtype policy.
        parameters: Number of weights.
        device: Device that trained, in words.
        micro_batch: Patches that were computed at a time; None: the whole batch.
        micro_batches: Patches that fit into memory at once, by kind of device and shape of the
            network, where this attempt found that out.
        seconds: Duration of the attempt.
        images_per_second: Speed of training.
        peak_memory_mb: Largest memory of the process in MB.
        other: Facts under names that are none of these.
    """

    info_version: int = 1
    epochs: Amount | None = None
    epochs_trained: Amount | None = None
    continued_from: Amount | None = None
    stopped: str | None = None
    best_epoch: Count | None = None
    averaged: bool | None = None
    rotation: Count | None = None
    curves: Mapping[str, Numbers] = field(default_factory=dict)
    checkpoint: str | None = None
    miou: float | None = None
    iou: ByClass = field(default_factory=dict)
    accuracy: float | None = None
    precision: ByClass = field(default_factory=dict)
    recall: ByClass = field(default_factory=dict)
    dice: float | None = None
    focal: float | None = None
    loss_at_own_batch: float | None = None
    parts: Mapping[str, PartScores] = field(default_factory=dict)
    artefacts: str | None = None
    input: str | None = None
    precision_policy: str | None = None
    parameters: Count | None = None
    device: str | None = None
    micro_batch: Count | None = None
    micro_batches: Mapping[str, int] = field(default_factory=dict)
    seconds: Amount | None = None
    images_per_second: Amount | None = None
    peak_memory_mb: Amount | None = None
    other: Mapping[str, Any] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """The facts as one table of plain Python; those under other names stand among them."""
        own = {name: getattr(self, name) for name in _info_types()}
        return {**self.other, **own}

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Self:
        """Reads a table; facts of a wrong type are left out, see :func:`misfits`."""
        known, wrong = _info_types(), dict(misfits(told))
        own, other = {}, {}
        for name, value in told.items():
            if name not in known:
                other[name] = value
            elif name not in wrong:
                own[name] = value
        return cls(**own, other=other)


def misfits(told: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Facts of a worker's table that cannot be what their name says.

    Yields:
        The name, and what was wrong with its value.
    """
    types = _info_types()
    for name in told.keys() & types.keys():
        try:
            types[name].validate_python(told[name])
        except ValidationError as error:
            yield name, error.errors()[0]["msg"]


@cache
def _info_types() -> Mapping[str, TypeAdapter[Any]]:
    """The check of each fact; ``other`` has none."""
    types = get_type_hints(Info, include_extras=True)
    names = (each.name for each in fields(Info) if each.name != "other")
    return {name: TypeAdapter(types[name], config=_STRICT) for name in names}


GIVEN_UP = "given up: "
"""Beginning of the error of an interrupted evaluation; a reason follows."""


def evaluation_name(evaluation: EvaluationId) -> str:
    """Name of an evaluation for people."""
    (bracket, rung, number), budget = evaluation
    if bracket == COMPARISON_BRACKET:
        return f"{arm_name(rung)} retrained for {budget:g} epochs, seed {number}"
    if bracket == FOLDS_BRACKET:
        return f"{arm_name(rung)} retrained on folds for {budget:g} epochs, number {number}"
    if bracket == RUNOFF_BRACKET:
        return f"candidate {rung + 1} trained again for {budget:g} epochs, seed {number}"
    return f"trial {trial_key(evaluation.trial)} after {budget:g} epochs"


def trial_name(trial: TrialId) -> str:
    """Name of a trial for people: its key, or words for a trial after the search."""
    if trial.bracket == RUNOFF_BRACKET:
        return f"candidate {trial.rung + 1}, seed {trial.number}"
    if trial.bracket == COMPARISON_BRACKET:
        return f"{arm_name(trial.rung)}, seed {trial.number}"
    if trial.bracket == FOLDS_BRACKET:
        return f"{arm_name(trial.rung)} on folds, number {trial.number}"
    return trial_key(trial)


def trial_key(trial: tuple[int, int, int]) -> str:
    """Text for a :class:`TrialId`: ``bracket-rung-number``, e.g. ``0-1-12``."""
    bracket, rung, number = trial
    return f"{bracket}-{rung}-{number}"


def arm_name(rung: int) -> str:
    """Name of an arm: ``default``, ``incumbent``, and ``incumbent2`` and so on for later ones."""
    return ARMS[rung] if rung < len(ARMS) else f"{ARMS[INCUMBENT_ARM]}{rung}"


def seed_and_fold(number: int, folds: int) -> tuple[int, int]:
    """Indices of seed and fold of a retraining on folds.

    Args:
        number: ``TrialId.number`` in ``FOLDS_BRACKET``.
        folds: Setting ``final_folds``, at least 2.
    """
    return divmod(number, folds)


# --- files of a trial, relative to the run directory ------------------------------------------

CHECKPOINTS = "checkpoints"
"""Folder with a folder for each trial that has a checkpoint."""
COMPARISON = "comparison"
"""Folder with a folder for each trial of the comparison, and with a file that they share."""
VALIDATION_FILE = f"{COMPARISON}/validation.npz"
"""Patches of the validation part, beside which predictions are shown."""
MODEL_FILE = "model.keras"
"""File name of a retrained model, in the folder of its trial and in the run directory."""
PREDICTIONS_FILE = "predictions.npz"
"""File name of a retrained model's predictions, in the folder of its trial."""
SCORE_BINS = 1024
"""Bins of the histograms of class scores in it; an even number, so that 0.5 is an edge between two.
Average precision from 4096 bins is off by 1e-4."""

_CHECKPOINT_FILE = re.compile(r"epoch-([0-9]+)\.npz")


def checkpoint_folder(trial: tuple[int, int, int]) -> str:
    """Folder of a trial's checkpoint, e.g. ``checkpoints/0-1-12``."""
    return f"{CHECKPOINTS}/{trial_key(trial)}"


def comparison_folder(trial: tuple[int, int, int]) -> str:
    """Folder of the files that a trial of the comparison leaves, e.g. ``comparison/default-0``.

    Those of a retraining on folds lie in, e.g., ``comparison/default-fold-0``.
    """
    bracket, arm, number = trial
    fold = "fold-" if bracket == FOLDS_BRACKET else ""
    return f"{COMPARISON}/{arm_name(arm)}-{fold}{number}"


def checkpoint_file(epochs: int) -> str:
    """File name of a checkpoint that has seen so many epochs, e.g. ``epoch-00009.npz``."""
    return f"epoch-{epochs:05d}.npz"


def checkpoint_epochs(name: str) -> int | None:
    """Epochs that the checkpoint of this file name has seen; None if the name is another."""
    match = _CHECKPOINT_FILE.fullmatch(name)
    return int(match[1]) if match else None
