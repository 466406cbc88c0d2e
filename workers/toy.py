"""An instant objective for trying a cluster: counting ones, with more noise at small budgets.

Run it with ``bohb-master --worker toy --space counting`` or, on another machine,
``bohb-worker --host MASTER --worker toy``. The objective is the one of the BOHB paper (Falkner et
al., 2018, section 5.1): the sum of all values, where each number is seen through ``budget``
Bernoulli draws.
"""

import random
import time
from collections.abc import Mapping
from typing import Any, final

from hpbandster.core.worker import Worker


@final
class Toy(Worker):
    """Answers at once, or after ``sleep`` seconds a unit of budget if the configuration says so."""

    def compute(
        self,
        config_id: tuple[int, int, int],
        config: Mapping[str, Any],
        budget: float,
        working_directory: str,
    ) -> dict[str, Any]:
        """Returns the share of zeros, between 0 (best) and 1."""
        time.sleep(float(config.get("sleep", 0.0)) * budget)
        draws = random.Random(f"{config_id}{budget}")
        values = [value for name, value in config.items() if name != "sleep"]
        ones = sum(_seen(float(value), round(budget), draws) for value in values)
        loss = 1 - ones / len(values)
        return {"loss": loss, "info": {"epochs": budget, "epochs_trained": budget}}


def _seen(value: float, budget: int, draws: random.Random) -> float:
    """``value`` in [0, 1] as estimated from ``budget`` draws; exact for 0 and 1."""
    count = max(1, budget)
    return sum(draws.random() < value for _ in range(count)) / count
