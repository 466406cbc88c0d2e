"""Workers are looked for when they ask for it, however many ask and however often."""

import time

import pytest
from helpers.mailbox import dispatcher, heard

from bohb_seg.master.discovery import REST, Discovery


@pytest.mark.loopback
def test_workers_that_ask_without_end_share_few_looks(patient, monkeypatch):
    looks, find = [], Discovery._find
    monkeypatch.setattr(Discovery, "_find", lambda self: (looks.append(self), find(self)))
    began = time.monotonic()
    with dispatcher(patient) as remote:
        for _ in range(5000):
            remote.trigger_discover_worker()
        remote.terms()  # is answered after all of them
    assert 1 <= len(looks) <= 2 + (time.monotonic() - began) / REST


@pytest.mark.loopback
def test_a_worker_that_asks_right_after_a_look_is_found_by_the_next(patient, hire):
    names = {hire(patient, f"w{number}").name for number in range(3)}
    assert {name for news in heard(patient, 3) for name in news.joined} == names
