"""Random configurations of a space, drawn with an end.

ConfigSpace draws until enough configurations satisfy the forbidden clauses, however long that
takes: minutes for each where one in a million does. Here the number of tries has a limit. It counts
draws and not seconds, so that a run repeats itself on every machine.
"""

from typing import Any, final

from ConfigSpace import Configuration as Point
from ConfigSpace import ConfigurationSpace

from bohb_seg.errors import SpaceError

DRAWN_AT_ONCE = 32
"""Points drawn at a time: ConfigSpace draws many in little more time than one."""
MOST_DRAWS = 500_000
"""Tries for one call; they take three to eight seconds."""
MOST_NUMBERS = 20_000_000
"""Numbers that ConfigSpace may draw in one step; with many clauses it draws without measure."""


def draw(space: ConfigurationSpace, count: int = DRAWN_AT_ONCE) -> list[Point]:
    """Draws random configurations.

    Args:
        space: The space, whose random state moves on exactly as by its own
            ``sample_configuration(count)``.
        count: Number of configurations, at least 2.

    Raises:
        SpaceError: too few of the random configurations are legal.
    """
    first: Any = next(iter(space.values()))
    counted = _Counted(first._vector_dist, len(space))
    first._vector_dist = counted
    try:
        drawn: list[Point] = space.sample_configuration(count)
    except _HopelessError as error:
        clauses = len(space.forbidden_clauses)
        raise SpaceError(
            f"{error} the {clauses} forbidden clauses of the search space; loosen them, or make one"
            " hyperparameter of those that depend on each other"
        ) from None
    finally:
        first._vector_dist = counted.distribution
    return drawn


class _HopelessError(Exception):
    """Too many tries, or too many at once: the beginning of a sentence about the clauses."""


@final
class _Counted:
    """Stands for the distribution of a space's first hyperparameter while the space is drawn from.

    ConfigSpace has no other place at which one could stop it.
    """

    def __init__(self, distribution: Any, dimensions: int) -> None:
        self.distribution, self._dimensions = distribution, dimensions
        self.drawn = 0

    def sample_vector(self, n: int, *, seed: Any = None) -> Any:
        """Draws ``n`` values as the distribution does, unless there were enough tries."""
        if self.drawn >= MOST_DRAWS:
            raise _HopelessError(f"hardly any of {self.drawn:,} random configurations satisfies")
        if n * self._dimensions > MOST_NUMBERS:
            raise _HopelessError("ConfigSpace cannot draw configurations that satisfy")
        self.drawn += n
        return self.distribution.sample_vector(n, seed=seed)
