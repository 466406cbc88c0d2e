"""Analytic functions whose low budgets are biased, as in Kandasamy et al., "Multi-fidelity Bayesian
Optimisation with Continuous Approximations", ICML 2017 (section 5 and appendix), with noise.

The fidelity is z = epochs / 27.
"""

import math
from dataclasses import dataclass, field

import numpy as np
from ConfigSpace import ConfigurationSpace, Float

from benchmarks.search.problems import MAX_EPOCHS, Configuration, Seed

_WEIGHTS = np.array([1.0, 1.2, 3.0, 3.2])
_STEEPNESS = np.array(
    [
        [10, 3, 17, 3.5, 1.7, 8],
        [0.05, 10, 17, 0.1, 8, 14],
        [3, 3.5, 1.7, 10, 17, 8],
        [17, 8, 0.05, 10, 0.1, 14],
    ]
)
_CENTRES = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
)


def _noise(sigma: float, epochs: int, training: Seed) -> float:
    """Another one every epoch."""
    return float(sigma * np.random.default_rng(training).standard_normal(epochs)[-1])


@dataclass(frozen=True)
class Hartmann:
    """Hartmann in six dimensions; budgets shift the heights of its four hills (by 0.1 (1 - z))."""

    name: str = "hartmann-6"
    sigma: float = 0.05
    optimum: Configuration = field(
        default_factory=lambda: dict(
            zip(
                (f"x{index}" for index in range(6)),
                (0.20168951, 0.15001069, 0.47687398, 0.27533243, 0.31165162, 0.65730053),
                strict=True,
            )
        )
    )

    def space(self) -> ConfigurationSpace:
        """``x0`` .. ``x5`` in [0, 1]."""
        space = ConfigurationSpace()
        space.add(*(Float(f"x{index}", (0.0, 1.0)) for index in range(6)))
        return space

    def loss(self, configuration: Configuration, epochs: int, training: Seed) -> float:
        """The shifted function and normal noise."""
        value = self._at(configuration, 0.1 * (1 - epochs / MAX_EPOCHS))
        return value + _noise(self.sigma, epochs, training)

    def quality(self, configuration: Configuration) -> float:
        """The function itself, at least -3.32237."""
        return self._at(configuration, 0.0)

    def _at(self, configuration: Configuration, shift: float) -> float:
        x = np.array([configuration[f"x{index}"] for index in range(6)])
        hills = np.exp(-(_STEEPNESS * (x - _CENTRES) ** 2).sum(axis=1))
        return float(-(_WEIGHTS - shift) @ hills)


_BOUNDS = {
    "borehole_radius": (0.05, 0.15),
    "influence_radius": (100.0, 50_000.0),
    "upper_transmissivity": (63_070.0, 115_600.0),
    "upper_head": (990.0, 1110.0),
    "lower_transmissivity": (63.1, 116.0),
    "lower_head": (700.0, 820.0),
    "length": (1120.0, 1680.0),
    "conductivity": (9855.0, 12_045.0),
}
_GROWING = "borehole_radius", "upper_transmissivity", "upper_head", "lower_transmissivity"


@dataclass(frozen=True)
class Borehole:
    """Water through a borehole (m^3 / year), eight dimensions; budgets mix in a cruder formula."""

    name: str = "borehole"
    sigma: float = 2.0

    @property
    def optimum(self) -> Configuration:
        """A corner: the flow is monotone in every dimension."""
        growing = {*_GROWING, "conductivity"}
        return {name: bounds[name in growing] for name, bounds in _BOUNDS.items()}

    def space(self) -> ConfigurationSpace:
        """The usual bounds."""
        space = ConfigurationSpace()
        space.add(*(Float(name, bounds) for name, bounds in _BOUNDS.items()))
        return space

    def loss(self, configuration: Configuration, epochs: int, training: Seed) -> float:
        """Minus the mixed flow, and normal noise."""
        z = epochs / MAX_EPOCHS
        crude = _flow(configuration, factor=5, one=1.5)
        value = z * self.quality(configuration) - (1 - z) * crude
        return value + _noise(self.sigma, epochs, training)

    def quality(self, configuration: Configuration) -> float:
        """Minus the flow."""
        return -_flow(configuration, factor=2 * math.pi, one=1)


def _flow(configuration: Configuration, factor: float, one: float) -> float:
    radius, influence, upper, high, lower, low, length, conductivity = (
        configuration[name] for name in _BOUNDS
    )
    spread = math.log(influence / radius)
    leak = 2 * length * upper / (spread * radius**2 * conductivity)
    return float(factor * upper * (high - low) / (spread * (one + leak + upper / lower)))
