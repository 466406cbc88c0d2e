"""A storm of messages at every remote method of a real run; nobody minds, and no result is lost.

The same with a million messages: ``python -m benchmarks.door --messages 1000000``.
"""

from collections import Counter

import pytest
from helpers.door import besiege

pytestmark = pytest.mark.faults

MESSAGES = 20_000


def test_a_storm_of_messages_moves_nobody(tmp_path):
    figures = besiege(tmp_path, MESSAGES, seed=1)
    assert figures.sent.total() >= MESSAGES
    assert {"Pyro.Daemon.info", "Pyro.NameServer.register"} <= figures.sent.keys()
    methods = Counter()
    for kind, number in figures.sent.items():
        methods[kind.rpartition(".")[2]] += number
    for method in ("renew", "hello", "store", "register_result", "start_computation", "doing"):
        assert methods[method] > 20, method
