"""A worker and a master as HpBandSter's documentation writes them; imports nothing of ours.

``python stock.py worker RUN_ID HOST PORT ADDRESS`` or
``python stock.py master RUN_ID HOST PORT MIN_BUDGET MAX_BUDGET``. The master prints, as JSON, the
losses it got.
"""

import json
import logging
import sys

import ConfigSpace as CS  # noqa: N817 - as HpBandSter's documentation has it
import hpbandster.core.nameserver as hpns
from hpbandster.core.worker import Worker
from hpbandster.optimizers import BOHB
from hpbandster.optimizers.config_generators.bohb import BOHB as Generator  # noqa: N811


class MyWorker(Worker):
    def compute(self, config, budget, **kwargs):
        loss = sum(float(value) for value in config.values())
        return {"loss": loss, "info": {"budget": budget}}


def plain(value):
    return value.item() if hasattr(value, "item") else value


class PlainGenerator(Generator):
    """ConfigSpace 1.x hands out NumPy scalars, which HpBandSter cannot send: make them plain."""

    def get_config(self, budget):
        config, info = super().get_config(budget)
        return {str(key): plain(value) for key, value in config.items()}, info


def worker(run_id, host, port, address):
    MyWorker(
        run_id=run_id,
        nameserver=host,
        nameserver_port=int(port),
        host=address,
        id="stock",
        logger=logging.getLogger("stock"),
    ).run()


def master(run_id, host, port, min_budget, max_budget):
    space = CS.ConfigurationSpace(seed=1)
    space.add(CS.Float("learning_rate", (1e-3, 1e-2), log=True), CS.Integer("batch_size", (4, 8)))
    names = hpns.NameServer(run_id=run_id, host=host, port=int(port))
    names.start()
    bohb = BOHB(
        configspace=space,
        run_id=run_id,
        nameserver=host,
        nameserver_port=int(port),
        min_budget=float(min_budget),
        max_budget=float(max_budget),
        ping_interval=1,
        logger=logging.getLogger("stock"),
    )
    bohb.config_generator = PlainGenerator(space)
    result = bohb.run(n_iterations=1, min_n_workers=1)
    bohb.shutdown(shutdown_workers=True)
    names.shutdown()
    print(json.dumps([[run.budget, run.loss] for run in result.get_all_runs()]))


if __name__ == "__main__":
    {"worker": worker, "master": master}[sys.argv[1]](*sys.argv[2:])
