"""A space whose clauses leave one configuration in a million."""

from ConfigSpace import Categorical, ConfigurationSpace, ForbiddenInClause


def space():
    space = ConfigurationSpace()
    space.add(Categorical(f"c{n}", list(range(10)), default=0) for n in range(6))
    space.add(ForbiddenInClause(each, list(range(1, 10))) for each in space.values())
    return space
