"""An evaluation raises, or its loss is no number: the one is tried elsewhere, the other is bad."""

import pytest
from helpers.audit import audit
from helpers.commands import PROGRAMS

from bohb_seg.errors import EXIT_FAILED
from bohb_seg.search.events import Evaluate, Evaluated

pytestmark = pytest.mark.faults

STUMBLING = ("--worker", PROGRAMS / "stumbling.py")
ONE_RUNG = ("--min-budget", 3, "--max-budget", 3)


def test_what_raises_on_one_worker_is_done_by_another(cluster):
    master = cluster.master(*ONE_RUNG, "--n-iterations", 6, "--min-workers", 2)
    bad = cluster.worker(*STUMBLING, RAISES="out of luck")
    good = cluster.worker(*STUMBLING)
    master.finish()
    for worker in (bad, good):
        worker.finish()
    audit(cluster.run_dir)
    crashed = [news for news in cluster.events(Evaluated) if news.outcome == "crashed"]
    assert crashed
    assert all("out of luck" in news.error for news in crashed)
    assert {news.worker for news in crashed} == {cluster.name(bad)}
    assert {cluster.again(news).worker for news in crashed} == {cluster.name(good)}


def test_what_raises_everywhere_has_failed_with_its_traceback(cluster):
    flags = ("--n-iterations", 1, "--min-workers", 2, "--max-attempts", 3)
    master = cluster.master(*ONE_RUNG, *flags)
    workers = [cluster.worker(*STUMBLING, RAISES="out of luck") for _ in range(2)]
    assert master.status() == EXIT_FAILED
    assert master.said("no evaluation finished (RuntimeError: out of luck)")
    for worker in workers:
        worker.finish()
    audit(cluster.run_dir, bad=["crashed"])
    orders, news = cluster.events(Evaluate), cluster.events(Evaluated)
    assert [order.attempt for order in orders] == [1, 2, 3]
    assert {order.worker for order in orders[:2]} == set(map(cluster.name, workers))
    assert all("Traceback" in item.error and "out of luck" in item.error for item in news)


@pytest.mark.parametrize("loss", ["nan", "inf"])
def test_a_loss_that_is_no_number_is_bad_at_once(cluster, loss):
    master = cluster.master(*ONE_RUNG, "--n-iterations", 2)
    worker = cluster.worker(*STUMBLING, LOSS=loss)
    assert master.status() == EXIT_FAILED
    assert master.said("no evaluation finished (no loss was a number)")
    worker.finish()
    audit(cluster.run_dir, bad=["diverged"])
    assert [order.attempt for order in cluster.events(Evaluate)] == [1, 1]
    assert [news.outcome for news in cluster.events(Evaluated)] == ["diverged"] * 2
