"""Classes that are worth a place in a picture, where there are too many for it."""

from collections.abc import Iterable, Sequence

from bohb_seg.report.analysis.records import RunRecord


def most_frequent(run: RunRecord, names: Iterable[str], most: int) -> list[str]:
    """At most so many classes, those with the most pixels in the data, in the order of ``names``.

    If the run's data tell no frequencies, the first ones.
    """
    shares = run.started.data.get("frequencies") or {}
    known = list(names)
    chosen = {*sorted(known, key=lambda name: -shares.get(name, 0.0))[:most]}
    return [name for name in known if name in chosen]


def left_out(shown: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """The classes that a picture leaves out, in at most one sentence."""
    if len(shown) == len(names):
        return ()
    return (
        f"The picture shows the {len(shown)} classes with the most pixels in the data; the tables"
        f" have all {len(names)}.",
    )
