"""A worker leaves its result on its machine while the master is away: the result counts."""

import pytest
from helpers.audit import audit

pytestmark = pytest.mark.faults


def test_a_result_that_was_left_counts_for_the_next_master(cluster, tmp_path):
    cache = ("--cache-dir", tmp_path / "cache")
    flags = ("--min-budget", 3, "--max-budget", 3, "--n-iterations", 1, "--max-evaluations", 2)
    master = cluster.master(*flags)
    worker = cluster.worker(*cache)
    order = cluster.order_of(worker)
    master.kill()
    cluster.until(lambda: worker.said("does not take the result"), "the result is ready")
    worker.terminate()
    assert worker.status() == 0
    master = cluster.resume()
    cluster.worker(*cache)
    master.finish()
    assert cluster.result(order).attempt == order.attempt
    audit(cluster.run_dir)
