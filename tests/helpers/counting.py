"""HpBandSter's own masters without their threads, and an optimizer that can be looked into."""

from unittest.mock import patch

import ConfigSpace
from ConfigSpace import ConfigurationSpace
from hpbandster.core.master import Master

from bohb_seg.search import hyperband
from bohb_seg.search.hyperband import Ladder
from bohb_seg.trials import Suggestion


class Counting:
    """Suggests {"x": 1}, {"x": 2}, ... and remembers what it is told."""

    def __init__(self, ladder: Ladder):
        self.ladder = ladder
        self.suggested = 0
        self.observed = []

    def rungs(self, bracket):
        return hyperband.bracket(self.ladder, bracket)

    def suggest(self):
        self.suggested += 1
        return Suggestion({"x": self.suggested}, model_based=self.suggested % 2 == 0)

    def observe(self, configuration, budget, loss):
        self.observed.append((configuration["x"], budget, loss))


def hpbandster_master(kind, ladder: Ladder, generator=None):
    """One of HpBandSter's masters: its own arithmetic, but no dispatcher and no thread."""

    def quiet(self, config_generator, **kwargs):
        self.config_generator = generator or config_generator
        self.config = {}

    with patch.object(Master, "__init__", quiet):
        return kind(
            configspace=ConfigurationSpace({"x": (0.0, 1.0)}),
            eta=ladder.eta,
            min_budget=ladder.min_budget,
            max_budget=ladder.max_budget,
        )


def mixed_space():
    space = ConfigSpace.ConfigurationSpace(seed=1)
    space.add(
        ConfigSpace.Float("rate", (1e-4, 1e-1), log=True),
        ConfigSpace.Float("dropout", (0.0, 0.5)),
        ConfigSpace.Integer("batch", (1, 32)),
        ConfigSpace.Categorical("norm", ["batch", "group", "none"]),
        ConfigSpace.Categorical("flip", [True, False]),
    )
    return space


def thorny_space():
    """Conditions two deep, a forbidden clause, an ordinal, a constant, mixed choices."""
    space = ConfigSpace.ConfigurationSpace()
    optimizer = ConfigSpace.Categorical("optimizer", ["adam", "sgd"])
    momentum = ConfigSpace.Float("momentum", (0.0, 1.0))
    nesterov = ConfigSpace.Categorical("nesterov", [True, False])
    width = ConfigSpace.OrdinalHyperparameter("width", [16, 24, 32, 48])
    mixed = ConfigSpace.Categorical("mixed", [None, 1, 0.5, "a"])
    space.add(optimizer, momentum, nesterov, width, mixed, ConfigSpace.Constant("version", 3))
    space.add(ConfigSpace.EqualsCondition(momentum, optimizer, "sgd"))
    space.add(ConfigSpace.GreaterThanCondition(nesterov, momentum, 0.5))
    forbidden = (optimizer, "sgd"), (width, 48)
    clauses = [ConfigSpace.ForbiddenEqualsClause(*pair) for pair in forbidden]
    space.add(ConfigSpace.ForbiddenAndConjunction(*clauses))
    return space
