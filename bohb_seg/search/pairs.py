"""Pairs of numbers out of the retrainings of a comparison: one of each arm for every seed.

Workers report a table for each part of the data. Where both arms were retrained on folds
(``FOLDS_BRACKET``), the confusions of all folds of a seed are added up, so that every group of
images counts once; the sum is a part of its own, ``folds``. A worker that reports nothing but a
loss has it on the validation part. Tables come from outside: what is not of the right form is
left out, and nothing here raises.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bohb_seg.search.image_groups import Matrix, class_ious, mean_iou, read_groups, read_matrix
from bohb_seg.trials import ARMS, DEFAULT_ARM, INCUMBENT_ARM, Info

FOLDS = "folds"
"""The part of the data that all folds are together: every group of images."""
PARTS = (FOLDS, "test", "validation")
"""In order of their weight: a part says the more about new images, the less was chosen by it."""
FARTHEST = 1e100
"""Larger numbers count as this one, so that their squares fit into a float."""


@dataclass(frozen=True)
class Retrained:
    """A retraining that was settled: one arm with one seed, on one fold if there are folds.

    Args:
        arm: ``DEFAULT_ARM`` or ``INCUMBENT_ARM``; in a runoff the candidate's rank.
        seed: Index of the seed; the arms share their seeds.
        loss: None if it diverged or failed.
        fold: Index of the fold; None for a retraining on the parts of the search.
    """

    arm: int
    seed: int
    loss: float | None
    info: Info
    fold: int | None = None


@dataclass(frozen=True)
class Quantity:
    """A number by which arms are compared.

    Args:
        part: Part of the data, one of ``PARTS``.
        name: ``miou``, ``loss`` or ``iou``.
        label: Name of the class, for ``iou``.
    """

    part: str
    name: str
    label: str | None = None

    @property
    def lower_is_better(self) -> bool:
        """Whether a smaller number is the better one."""
        return self.name == "loss"


@dataclass(frozen=True)
class Scored:
    """A retraining that has a loss, with its scores on every part of the data."""

    arm: int
    seed: int
    parts: Mapping[str, Mapping[str, Any]]

    def number(self, quantity: Quantity) -> float | None:
        """The number; None if the worker did not report it, or something else in its place."""
        told = self.parts.get(quantity.part, {})
        value = told.get(quantity.name)
        if quantity.label is not None:
            value = value.get(quantity.label) if isinstance(value, Mapping) else None
        return bounded(value)

    def groups(self, part: str) -> Mapping[str, Matrix]:
        """Confusion matrix of each group of images of a part; empty if there are none."""
        return read_groups(self.parts.get(part, {}).get("groups"))


def bounded(value: Any) -> float | None:
    """A number, at most ``FARTHEST`` from 0; None for whatever is none."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return None
    return float(max(-FARTHEST, min(FARTHEST, value)))


def scored(retrained: Iterable[Retrained], folds: int = 0) -> list[Scored]:
    """Scores of the retrainings that have a loss; folds of a seed are one, if all are there.

    Args:
        retrained: In any order.
        folds: Number of folds; 0: as many as are found.
    """
    found, by_seed = [], dict[tuple[int, int], dict[int, Retrained]]()
    for each in retrained:
        if each.fold is not None:
            by_seed.setdefault((each.arm, each.seed), {})[each.fold] = each
        elif bounded(each.loss) is not None:
            found.append(Scored(each.arm, each.seed, _parts(each)))
    folds = folds or 1 + max((fold for own in by_seed.values() for fold in own), default=0)
    for (arm, seed), own in by_seed.items():
        losses = [bounded(own[fold].loss) for fold in range(folds) if fold in own]
        if len(losses) == folds and None not in losses:
            pooled = _pooled([_parts(own[fold]) for fold in range(folds)])
            found.append(Scored(arm, seed, {FOLDS: pooled}))
    return found


def paired(found: Sequence[Scored], quantity: Quantity) -> dict[int, tuple[float, float]]:
    """Numbers of default and incumbent by seed, for the seeds that have both, in their order."""
    by_arm: tuple[dict[int, float], ...] = tuple({} for _ in ARMS)
    for each in found:
        number = each.number(quantity)
        if number is not None and each.arm in (DEFAULT_ARM, INCUMBENT_ARM):
            by_arm[each.arm][each.seed] = number
    before, after = by_arm[DEFAULT_ARM], by_arm[INCUMBENT_ARM]
    return {seed: (before[seed], after[seed]) for seed in sorted(before.keys() & after.keys())}


def _parts(each: Retrained) -> dict[str, Mapping[str, Any]]:
    """Tables by part; what a worker reports beside its loss is of the validation part."""
    info = each.info
    told = {"validation": {"loss": each.loss, "miou": info.miou, "iou": info.iou}, **info.parts}
    return {part: table for part, table in told.items() if isinstance(table, Mapping)}


def _pooled(folds: Sequence[Mapping[str, Mapping[str, Any]]]) -> dict[str, Any]:
    """One table for all folds of a retraining: sums of pixels, means of losses."""
    tables = [each.get("test") or each["validation"] for each in folds]
    losses = [bounded(each.get("loss")) for each in tables]
    known = [loss for loss in losses if loss is not None]
    pooled: dict[str, Any] = {"loss": math.fsum(known) / len(known)} if known == losses else {}
    groups: dict[str, Matrix] = {}
    for each in tables:
        for name, matrix in read_groups(each.get("groups")).items():
            groups[name] = groups[name] + matrix if name in groups else matrix
    matrices = [read_matrix(each.get("confusion")) for each in tables]
    whole = [each for each in matrices if each is not None]
    if len(whole) == len(tables) and len({each.shape for each in whole}) == 1:
        total = sum(whole[1:], start=whole[0])
        names = list(tables[0].get("iou") or ())
        pooled |= {"miou": mean_iou(total), "confusion": total.tolist()}
        pooled["iou"] = dict(zip(names, class_ious(total), strict=False))
    if groups:
        pooled["groups"] = {name: {"confusion": each.tolist()} for name, each in groups.items()}
    return pooled
