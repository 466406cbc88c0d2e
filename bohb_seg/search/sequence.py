"""The verdict of a sequence: looked at after each pair of seeds, in the order of the seeds; pure.

The sequence ends with the first look that decides. Whatever was trained beyond it, because workers
would have idled, does not count: so the verdict depends neither on the number of workers nor on
which is quicker, and scheduler and report have the same.
"""

from collections.abc import Collection, Iterable, Sequence

from bohb_seg.search.verdict import FIRST_LOOK, Retrained, Terms, Verdict, is_decided, judge
from bohb_seg.trials import DEFAULT_ARM, INCUMBENT_ARM


def judge_in_order(
    comparison: Sequence[Retrained], runoff: Sequence[Retrained], terms: Terms
) -> Verdict:
    """The verdict at the first look that decides, else at the last one that there was.

    Args:
        comparison: Settled retrainings of both arms, in any order; those on folds, too, if there
            are folds.
        runoff: Those of the runoff.
        terms: What was agreed beforehand; with folds, seeds are those of the folds.
    """
    whole = whole_seeds(comparison, (DEFAULT_ARM, INCUMBENT_ARM), terms.folds)
    for seeds in range(min(FIRST_LOOK, whole), whole + 1):
        beginning = [
            each
            for each in comparison
            if each.seed < seeds or (each.fold is None and terms.folds > 0)
        ]
        if is_decided(beginning, runoff, terms):
            break
    return judge(beginning, runoff, terms)


def whole_seeds(comparison: Iterable[Retrained], arms: Collection[int], folds: int = 0) -> int:
    """Number of first seeds of which every retraining of every arm is settled.

    Args:
        comparison: Settled retrainings, in any order.
        arms: The arms that take part, at least one.
        folds: Folds of each seed; 0 if there are none.
    """
    known = {(each.arm, each.seed, each.fold) for each in comparison}
    places = range(folds) if folds else (None,)
    seeds = 0
    while arms and all((arm, seeds, fold) in known for arm in arms for fold in places):
        seeds += 1
    return seeds
