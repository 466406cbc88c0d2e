"""Unmodified HpBandSter on the space ``counting``; imports nothing of ours.

``python -m benchmarks.dispatch.stock RUN_ID PORT WORKERS OPTIMIZER BRACKETS`` is a master with its
nameserver. No result logger is given, so nothing it does is durable: this is its fastest form.
"""

import logging
import sys
import warnings
from typing import Any

import ConfigSpace as CS  # noqa: N817 - as HpBandSter's documentation has it
import hpbandster.core.nameserver as hpns
from hpbandster.optimizers import HyperBand, RandomSearch
from hpbandster.optimizers.config_generators.random_sampling import RandomSampling

HOST = "127.0.0.1"
OPTIMIZERS = {"hyperband": HyperBand, "random": RandomSearch}


class PlainSampling(RandomSampling):
    """ConfigSpace 1.x hands out NumPy scalars, which HpBandSter cannot send: make them plain."""

    def get_config(self, budget: float) -> tuple[dict[str, Any], dict[str, Any]]:
        """A random configuration."""
        config = dict(self.configspace.sample_configuration())
        return {k: v.item() if hasattr(v, "item") else v for k, v in config.items()}, {}


def counting() -> CS.ConfigurationSpace:
    """The space of ``--space counting``."""
    space = CS.ConfigurationSpace(seed=0)
    for index in range(4):
        space.add(CS.Float(f"x{index}", (0.0, 1.0)), CS.Categorical(f"c{index}", [0, 1]))
    return space


def master(run_id: str, port: str, workers: str, optimizer: str, brackets: str) -> None:
    """Serves until it is killed."""
    warnings.simplefilter("ignore")
    names = hpns.NameServer(run_id=run_id, host=HOST, port=int(port))
    names.start()
    search = OPTIMIZERS[optimizer](
        configspace=counting(),
        run_id=run_id,
        host=HOST,
        nameserver=HOST,
        nameserver_port=int(port),
        min_budget=1,
        max_budget=81,
        logger=logging.getLogger("quiet"),
    )
    search.config_generator = PlainSampling(search.config_generator.configspace)
    search.run(n_iterations=int(brackets), min_n_workers=int(workers))


if __name__ == "__main__":
    master(*sys.argv[1:])
