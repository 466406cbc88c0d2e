"""Audits of data sets: their faults and oddities, in sentences and figures."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bohb_seg.data.records import Record
from bohb_seg.errors import DataError

MAX_UNKNOWN_SHARE = 0.05
"""Share of pixels of no class above which the class table must be wrong, not the masks."""


@dataclass(frozen=True)
class Audit:
    """Findings in a data set that can be used.

    Args:
        images: Number of pairs of image and mask.
        groups: Number of groups.
        sizes: Number of images of each size, e.g. ``{"797x644": 9}``, before downscaling.
        palette_masks: Number of masks that are palette PNGs.
        unknown: Pixels of each colour or index that is in no class, before downscaling.
        unknown_share: Share of these pixels in all pixels, 0..1.
        ignored_share: Share of pixels that count in no loss and no metric, 0..1.
        frequencies: Each class's share of the pixels that count; adds up to 1.
        duplicates: Names of images whose files are equal.
        warnings: One sentence each.
        smeared_share: Share of the mask pixels that were given to the nearest class, 0..1.
    """

    images: int
    groups: int
    sizes: Mapping[str, int]
    palette_masks: int
    unknown: Mapping[str, int]
    unknown_share: float
    ignored_share: float
    frequencies: Mapping[str, float]
    duplicates: tuple[tuple[str, ...], ...]
    warnings: tuple[str, ...]
    smeared_share: float = 0.0


def examine(
    records: Sequence[Record], digests: Sequence[bytes], names: Sequence[str], preset: str
) -> Audit:
    """Adds up the facts about the decoded pairs.

    Args:
        records: One per pair; at least one.
        digests: Hash of each pair's image file.
        names: Names of the classes.
        preset: ``milestone3`` takes unknown colours as the Milestone 3 reports did
            (docs/origin.md), with a warning.

    Raises:
        DataError: too many unknown colours, or fewer than two classes occur of several.
    """
    counts = [sum(column) for column in zip(*(record.pixels for record in records), strict=True)]
    counted, all_pixels = sum(counts[:-1]), sum(counts)
    unknown: Counter[str] = sum((Counter(record.unknown) for record in records), Counter())
    total = sum(height * width for height, width in (record.original for record in records))
    share = unknown.total() / total
    duplicates, smeared = _duplicates(records, digests), sum(map(_smeared_pixels, records))
    present = [name for name, count in zip(names, counts[:-1], strict=True) if count]
    if preset != "milestone3" and share > MAX_UNKNOWN_SHARE:
        raise DataError(_too_many_unknown(unknown, share))
    if len(present) < min(2, len(names)):  # one class beside what is ignored is legal
        raise DataError(_too_few(present, names))
    return Audit(
        images=len(records),
        groups=len({record.group for record in records}),
        sizes=dict(Counter(_size(record.original) for record in records)),
        palette_masks=sum(record.palette for record in records),
        unknown=dict(unknown.most_common()),
        unknown_share=share,
        ignored_share=counts[-1] / all_pixels,
        frequencies={name: count / counted for name, count in zip(names, counts[:-1], strict=True)},
        duplicates=duplicates,
        warnings=tuple(_warnings(unknown, share, names, present, duplicates, preset, records)),
        smeared_share=smeared / total,
    )


def _smeared_pixels(record: Record) -> float:
    return record.smeared * record.original[0] * record.original[1]


def _smeared(records: Sequence[Record]) -> Iterable[str]:
    if not (blurred := [record for record in records if record.smeared]):
        return
    worst = max(blurred, key=lambda record: record.smeared)
    yield (
        f"the masks of {len(blurred)} images have pixels between the classes (soft edges, or lossy"
        f" files), most of them {worst.name} with {worst.smeared:.2%}; each counts as the nearest"
        " class"
    )


def _too_many_unknown(unknown: Counter[str], share: float) -> str:
    return (
        f"{share:.1%} of the mask pixels are of no class (most of them {_most(unknown)});"
        " name these values in classes.yaml, which bohb-data classes drafts, or name another table"
        " with --classes"
    )


def _too_few(present: Sequence[str], names: Sequence[str]) -> str:
    found = f"only the class {present[0]!r}" if present else "no class at all"
    return (
        f"the masks hold {found} of {', '.join(names)}; there is nothing to tell apart, unless"
        " another class table names more: bohb-data classes drafts one"
    )


def _warnings(
    unknown: Counter[str],
    share: float,
    names: Sequence[str],
    present: Sequence[str],
    duplicates: Sequence[Sequence[str]],
    preset: str,
    records: Sequence[Record],
) -> Iterable[str]:
    if unknown:
        fate = "are ignored"
        if preset == "milestone3":
            fate = f"become {names[0]}, as in the Milestone 3 reports"
        yield (
            f"{unknown.total():,} mask pixels ({share:.2%}) are of no class"
            f" (most of them {_most(unknown)}) and {fate}"
        )
    for name in names:
        if name not in present:
            yield f"the class {name} does not occur"
    for group in duplicates:
        yield f"these images are equal: {', '.join(group)}"
    yield from _smeared(records)


def _most(unknown: Counter[str]) -> str:
    return unknown.most_common(1)[0][0]


def _duplicates(records: Sequence[Record], digests: Sequence[bytes]) -> tuple[tuple[str, ...], ...]:
    alike: dict[bytes, list[str]] = defaultdict(list)
    for record, digest in zip(records, digests, strict=True):
        alike[digest].append(record.name)
    return tuple(tuple(group) for group in alike.values() if len(group) > 1)


def _size(size: tuple[int, int]) -> str:
    return f"{size[1]}x{size[0]}"
