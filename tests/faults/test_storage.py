"""Workers that do not share the master's storage: checkpoints travel through the master."""

import subprocess
import sys

import pytest
from helpers.audit import audit
from helpers.cluster import Place, checkpoints

from bohb_seg.search.events import Evaluate, Evaluated

pytestmark = pytest.mark.faults


@pytest.fixture
def certs(tmp_path):
    command = [sys.executable, "-m", "bohb_seg.commands.certs", str(tmp_path / "certs")]
    subprocess.run(command, check=True, capture_output=True)
    return tmp_path / "certs"


@pytest.fixture
def elsewhere(cluster, disk):
    """A machine on which the run directory is another, empty disk."""
    cluster.run_dir.mkdir()
    hide = ("sh", "-c", 'mount -t tmpfs none "$0" && exec "$@"', str(cluster.run_dir))
    return Place(enter=("unshare", "--mount", *hide))


def test_a_trial_goes_on_from_the_checkpoint_of_a_worker_that_shares_no_disk(
    cluster, elsewhere, certs, tmp_path
):
    cluster.heartbeat, cluster.sleep = 5, 0.2
    search = ("--min-budget", 3, "--max-budget", 9, "--n-iterations", 1, "--tls", certs)
    master = cluster.master(*search, "--min-workers", 2)
    flags = ("--tls", certs, "--cache-dir")
    workers = [cluster.worker(*flags, tmp_path / n, place=elsewhere) for n in ("one", "two")]
    order = cluster.until(lambda: climbed(cluster), "somebody has the promoted trial")
    victim, other = sorted(workers, key=lambda worker: cluster.name(worker) != order.worker)
    assert any(name.startswith("unit-") for name in checkpoints(cluster.run_dir)[trial(order)])
    victim.terminate()
    victim.finish()
    master.finish()
    other.finish()
    audit(cluster.run_dir)
    assert cluster.result(order).info["continued_from"] >= 3
    trained = [news.info["epochs_trained"] for news in cluster.events(Evaluated)]
    assert sum(trained) <= 3 * 3 + 6 + 1  # nothing is trained twice, but a unit that TERM tore


def climbed(cluster):
    orders = cluster.running().values()
    return next((order for order in orders if order.evaluation.budget > 3), None)


def trial(order: Evaluate):
    return order.evaluation.trial
