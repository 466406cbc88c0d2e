"""The simulated clusters of ``benchmarks.deadline``: a few of them, each with another luck."""

import pytest

from benchmarks.deadline import CLUSTERS, LEAST, MOST, run

BY_NAME = {cluster.name: cluster for cluster in CLUSTERS}


@pytest.mark.parametrize(
    "name",
    [
        *("2 workers", "4 unlike workers", "1 slow worker"),
        *("16 workers, half of them leave midway", "2 workers, 8 more after a third"),
    ],
)
def test_a_run_ends_in_the_time_that_it_was_given(name):
    its = run(BY_NAME[name], seed=7)
    assert LEAST <= its.share <= MOST
    assert its.is_whole


def test_there_are_ten_clusters_of_one_to_thirty_two_workers():
    counts = {len(cluster.epochs) for cluster in CLUSTERS}
    assert len(CLUSTERS) >= 10
    assert (min(counts), max(counts)) == (1, 32)
