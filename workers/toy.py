"""An instant objective to try a cluster: counting ones, with more noise at small budgets.

Run it with ``bohb-master --worker toy --space counting`` or, on another machine,
``bohb-worker --host MASTER --worker toy``. The objective is the one of the BOHB paper (Falkner et
al., 2018, section 5.1): the sum of all values, where each number is seen through ``budget``
Bernoulli draws.

With ``sleep`` in the configuration it "trains" one unit of budget after the other, each so many
seconds long, leaves a checkpoint after each and goes on from the last one, as a real one does.
"""

import contextlib
import random
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

from hpbandster.core.worker import Worker

from bohb_seg.files import write_whole
from bohb_seg.training.interruption import Interruption
from bohb_seg.trials import checkpoint_folder

NEEDS_DATA = False
"""Read without running this file; the master then begins without looking at any data."""


@final
class Toy(Worker):
    """Answers at once, or after ``sleep`` seconds a unit of budget if the configuration says so."""

    interruption = Interruption()

    def compute(
        self,
        config_id: tuple[int, int, int],
        config: Mapping[str, Any],
        budget: float,
        working_directory: str,
    ) -> dict[str, Any]:
        """Returns the share of zeros, between 0 (best) and 1."""
        folder = Path(working_directory, checkpoint_folder(config_id))
        sleep = float(config.get("sleep", 0.0))
        done = self._train(folder, max(1, round(budget)), sleep) if sleep else 0
        draws = random.Random(f"{config_id}{budget}")
        values = [value for name, value in config.items() if name != "sleep"]
        ones = sum(_seen(float(value), round(budget), draws) for value in values)
        info = {"epochs": budget, "epochs_trained": budget - done, "continued_from": done}
        return {"loss": 1 - ones / len(values), "info": info}

    def _train(self, folder: Path, units: int, sleep: float) -> int:
        """Trains until there are ``units``; returns how many there were before."""
        files = [folder / f"unit-{unit:05d}" for unit in range(1, units + 1)]
        done = max((unit for unit, file in enumerate(files, start=1) if file.exists()), default=0)
        for file in files[done:]:
            self.interruption.check()
            time.sleep(sleep)
            with contextlib.suppress(OSError):  # without it another begins again: so be it
                write_whole(file, lambda stream: stream.write(b"trained\n"), within=folder.parent)
        return done


def _seen(value: float, budget: int, draws: random.Random) -> float:
    """``value`` in [0, 1] as estimated from ``budget`` draws; exact for 0 and 1."""
    count = max(1, budget)
    return sum(draws.random() < value for _ in range(count)) / count
