"""The pages that a run has, served by a real process."""

import re

import pytest
from helpers.commands import wait_until
from helpers.dashboards import WORKER, shown
from helpers.journals import news, order

from bohb_seg.search.events import (
    BracketFinished,
    Discard,
    Finish,
    Settled,
    StopRequested,
    WorkersChanged,
)
from bohb_seg.storage.journal_entries import RunResumed
from bohb_seg.trials import TrialId

pytestmark = pytest.mark.loopback


def test_the_report_is_that_of_bohb_report_and_leaves_the_run_directory_alone(here):
    page = here.get().text
    assert "<h1>demo</h1>" in page
    assert "data:image/png;base64," in page
    assert 'id="live"' in page
    assert not (here.run_dir / "report").exists()


def test_a_page_that_has_not_changed_is_not_sent_again(here):
    for path in ("/", "/journal"):
        first = here.get(path)
        again = here.get(path, If_None_Match=first.headers["ETag"])
        assert (again.status, again.text) == (304, "")
        assert here.get(path, If_None_Match='"older"').status == 200


def test_every_entry_of_the_journal_is_a_line(tmp_path):
    with shown(tmp_path) as its:
        first = order((1, 0, 0), 9, WORKER, attempt=2)
        crash = news((1, 0, 0), 9, None, WORKER, outcome="crashed")
        hostile = StopRequested("<script>alert(1)</script> & more")
        its.record(first, crash, RunResumed(), WorkersChanged(joined=("b",), left=(WORKER,)))
        its.record(Settled(first.evaluation, 2, WORKER), Discard(TrialId(1, 0, 0)))
        its.record(BracketFinished(1), hostile, Finish("all is done"))
        page = its.get("/journal").text
    texts = re.findall(r'<p class="line (\w+)".*?<span>(.*?)</span>', page)
    expected = [
        ("news", "finished: all is done"),
        ("news", "no new configurations: &lt;script&gt;alert(1)&lt;/script&gt; &amp; more"),
        ("news", "bracket 1: finished"),
        ("order", "trial 1-0-0: goes no further"),
        ("order", "trial 1-0-0 after 9 epochs: settled by attempt 2"),
        ("bad", "worker alpha.101 left; worker b joined"),
        ("news", "a new master goes on with the run"),
        ("bad", "trial 1-0-0 after 9 epochs: crashed (ValueError: crashed)"),
        ("order", "trial 1-0-0 after 9 epochs: given to alpha.101, attempt 2"),
        ("order", "trial 0-0-1 after 3 epochs: settled by attempt 1"),
        ("news", "trial 0-0-1 after 3 epochs: loss 0.3333"),
        ("order", "trial 0-0-1 after 3 epochs: given to alpha.101"),
    ]
    assert texts[: len(expected)] == expected
    assert texts[-2:] == [("news", "worker alpha.101 joined"), ("news", "run demo begins")]
    assert "<span>finished</span>" in page


def test_the_report_follows_the_journal(tmp_path):
    with shown(tmp_path) as its:
        before = its.get()
        its.train(2, 3)
        wait_until(lambda: its.get().headers["ETag"] != before.headers["ETag"])
        assert "<strong>2</strong><span>evaluations" in before.text
        assert "<strong>4</strong><span>evaluations" in its.get().text


def test_a_journal_that_cannot_be_read_is_told_and_the_last_report_stays(tmp_path):
    with shown(tmp_path) as its:
        its.get()
        whole = its.record.path.read_bytes()
        its.record.path.write_bytes(whole + b"{}\n")
        wait_until(lambda: "the report cannot be made now" in its.get().text)
        assert "<h1>demo</h1>" in its.get().text
        number = whole.count(b"\n") + 1
        assert f"events.jsonl, line {number}" in its.get("/journal").text
        its.record.path.write_bytes(whole)
        wait_until(lambda: "the report cannot be made now" not in its.get().text)
        assert "trial 0-0-1" in its.get("/journal").text
