"""What was appended is read again exactly, whatever a crash or a bad disk did to the file."""

import contextlib
import json
import logging
import os
import zlib

import pytest
from helpers.scheduler_world import LADDERS, Repeating, happenings, plans, play
from hypothesis import given, settings
from hypothesis import strategies as st

from bohb_seg.errors import JournalError
from bohb_seg.search.events import (
    BracketFinished,
    Discard,
    Evaluate,
    Evaluated,
    Finish,
    IncumbentChosen,
    Order,
    PlanChanged,
    Settled,
    StopRequested,
    WorkersChanged,
)
from bohb_seg.search.plan import Plan
from bohb_seg.search.scheduler import Scheduler
from bohb_seg.storage.journal import Journal, read, tail
from bohb_seg.storage.journal_entries import Entry, RulesChanged, RunResumed, RunStarted, counted
from bohb_seg.trials import Attempt, EvaluationId, Observation, TrialId

numbers = st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | st.integers() | numbers | st.text(max_size=5)
plain = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)
tables = st.dictionaries(st.text(max_size=5), plain, max_size=3)
names = st.text(max_size=8)
workers = st.lists(names, max_size=3).map(tuple)
trials = st.builds(TrialId, st.integers(-2, 99), st.integers(0, 5), st.integers(0, 999))
evaluations = st.builds(EvaluationId, trials, numbers)
configurations = st.dictionaries(names, scalars, max_size=3)
observations = st.builds(Observation, configurations, numbers, st.none() | numbers)
attempts = st.integers(1, 9)
results = st.builds(
    Evaluated, evaluations, attempts, names, st.just("finished"), numbers, tables
) | st.builds(
    Evaluated,
    evaluations,
    attempts,
    names,
    st.sampled_from(["diverged", "crashed"]),
    st.none(),
    tables,
    st.none() | names,
)
new_plans = st.builds(
    Plan,
    n_iterations=st.integers(1, 99),
    comparison_epochs=st.none() | st.floats(1, 100),
    comparison_seeds=st.integers(1, 9),
    folds=st.integers(0, 9),
    target_loss=st.none() | st.floats(0, 1),
    continuing=st.booleans(),
)
events = st.one_of(
    st.builds(
        *(RunStarted, tables, tables, tables, configurations),
        st.lists(observations, max_size=3).map(tuple),
    ),
    st.builds(RunResumed),
    st.builds(RulesChanged, names),
    st.builds(
        WorkersChanged,
        workers,
        workers,
        st.dictionaries(names, st.builds(Attempt, evaluations, attempts), max_size=2),
    ),
    results,
    st.builds(StopRequested, names),
    st.builds(PlanChanged, new_plans, names),
    st.builds(Evaluate, evaluations, attempts, names, configurations, st.booleans()),
    st.builds(Settled, evaluations, attempts, names),
    st.builds(Discard, trials),
    st.builds(BracketFinished, st.integers(0, 99)),
    st.builds(IncumbentChosen, trials, st.integers(0, 9)),
    st.builds(Finish, names),
)
histories = st.lists(events, min_size=1, max_size=6)
shares = st.floats(0, 1)  # of the file: its length varies with the digits of the time


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """One file for all examples of a property: each writes it anew."""
    return tmp_path_factory.mktemp("journal") / "events.jsonl"


def write(file, *batches):
    file.unlink(missing_ok=True)
    journal = Journal(file)
    entries = [entry for batch in batches for entry in journal.append(batch)]
    journal.close()
    return entries


def whole_lines(text, cut):
    """How many lines are left, and whether a part of one; a line break alone is not missed."""
    ends = [place for place, byte in enumerate(text) if byte == ord("\n")]
    whole = sum(cut >= end for end in ends)
    return whole, cut > (ends[whole - 1] + 1 if whole else 0)


def said(entries):
    """Tells 1 from 1.0 and True, and 0.0 from -0.0, which ``==`` does not."""
    return [repr(entry) for entry in entries]


@contextlib.contextmanager
def warnings():
    messages = []
    handler = logging.Handler(logging.WARNING)
    handler.emit = lambda record: messages.append(record.getMessage())
    logger = logging.getLogger("bohb_seg.storage.journal")
    logger.addHandler(handler)
    try:
        yield messages
    finally:
        logger.removeHandler(handler)


@settings(max_examples=60, deadline=None)
@given(histories, histories)
def test_every_event_is_read_as_it_was_appended(file, first, second):
    entries = write(file, first, second)
    assert [entry.event for entry in entries] == first + second
    with warnings() as messages:
        assert said(read(file)) == said(entries)
    assert messages == []


def test_every_kind_of_event_is_tried_here():
    kinds = {RunStarted, RunResumed, WorkersChanged, Evaluated, StopRequested, PlanChanged}
    kinds |= {Evaluate, Settled, Discard, BracketFinished, IncumbentChosen, Finish, RulesChanged}
    from bohb_seg.storage import journal_entries

    assert set(journal_entries._KINDS.values()) == kinds


@settings(max_examples=60, deadline=None)
@given(numbers)
def test_a_number_survives_to_its_last_bit(file, number):
    result = Evaluated(EvaluationId(TrialId(0, 0, 0), number), 1, "w", "finished", number)
    write(file, [result])
    (entry,) = read(file)
    assert entry.event.loss.hex() == entry.event.evaluation.budget.hex() == number.hex()


def test_lines_are_what_the_head_of_the_file_says(file):
    (entry,) = write(file, [Discard(TrialId(0, 1, 2))])
    (line,) = file.read_text().splitlines()
    told = {"time": entry.time, "kind": "Discard", "trial": [0, 1, 2]}
    text = json.dumps(told, separators=(",", ":"))
    assert json.loads(line) == {**told, "check": f"{zlib.crc32(text.encode()):08x}"}


def test_lines_of_earlier_versions_have_no_check(file):
    file.write_text('{"time":1.0,"kind":"Discard","trial":[0,1,2]}\n')
    assert read(file) == [Entry(1.0, Discard(TrialId(0, 1, 2)))]


@settings(max_examples=60, deadline=None)
@given(histories, shares)
def test_a_journal_cut_anywhere_is_read_up_to_the_last_whole_line(file, history, share):
    entries = write(file, history)
    text = file.read_bytes()
    cut = round(share * len(text))
    file.write_bytes(text[:cut])
    whole, torn = whole_lines(text, cut)
    with warnings() as messages:
        assert said(read(file)) == said(entries[:whole])
    assert messages == ([f"{file}: dropped the torn last line {whole + 1}"] if torn else [])


@settings(max_examples=60, deadline=None)
@given(histories, histories, shares)
def test_a_cut_journal_is_gone_on_with(file, history, more, share):
    entries = write(file, history)
    text = file.read_bytes()
    cut = round(share * len(text))
    file.write_bytes(text[:cut])
    whole, _ = whole_lines(text, cut)
    journal = Journal(file)
    added = journal.append(more)
    journal.close()
    with warnings() as messages:
        assert said(read(file)) == said(entries[:whole] + added)
    assert messages == []


# Neither is valid anywhere in a line; a line break halves it, and a half is never an entry.
@settings(max_examples=60, deadline=None)
@given(histories, st.sampled_from([b"\x00", b"\xff", b"\n"]), shares)
def test_a_damaged_byte_names_file_and_line(file, history, bad, share):
    write(file, history, [Finish("last line")])
    text = file.read_bytes()
    last = text.rindex(b"\n", 0, -1)
    places = [place for place in range(last) if text[place : place + 1] != b"\n"]
    place = places[round(share * (len(places) - 1))]
    file.write_bytes(text[:place] + bad + text[place + 1 :])
    with pytest.raises(JournalError) as error:
        read(file)
    line = text[:place].count(b"\n") + 1
    assert (error.value.path, error.value.line) == (file, line)
    assert f"{file}, line {line}: " in str(error.value)
    assert "\n" not in str(error.value)


@settings(max_examples=300, deadline=None)
@given(histories, st.integers(0, 7), shares)
def test_a_flipped_bit_is_never_another_entry(file, history, bit, share):
    entries = write(file, history)
    content = bytearray(file.read_bytes())
    content[round(share * (len(content) - 1))] ^= 1 << bit
    file.write_bytes(content)
    with contextlib.suppress(JournalError):
        assert said(read(file)) == said(entries)


def test_an_edited_line_is_told_from_a_torn_one(file):
    write(file, [Finish("end"), RunResumed()])
    file.write_text(file.read_text().replace("end", "And"))
    with pytest.raises(JournalError, match=r"line 1: .* changed after it had been written"):
        read(file)
    with pytest.raises(JournalError, match="line 1"):
        tail(file, 2)


@pytest.mark.parametrize(
    "line",
    [
        "[]",
        "null",
        "{}",
        '{"time": 1.0}',
        '{"time": 1.0, "kind": "Unheard"}',
        '{"time": 1.0, "kind": ["Discard"], "trial": [0, 0, 0]}',
        '{"time": "soon", "kind": "BracketFinished", "bracket": 0}',
        '{"time": 1e300, "kind": "BracketFinished", "bracket": 0}',
        '{"time": ' + "9" * 400 + ', "kind": "BracketFinished", "bracket": 0}',
        "[" * 100_000,
        '{"time": 1.0, "kind": "Discard", "trial": [0, 0]}',
        '{"time": 1.0, "kind": "BracketFinished"}',
        '{"time": 1.0, "kind": "Evaluated", "evaluation": [[0, 0, 0], 1.0], "attempt": 1,'
        ' "worker": "w", "outcome": "finished", "loss": null}',
    ],
)
def test_what_is_json_but_no_entry_is_damage_too(file, line):
    write(file, [RunResumed()])
    with file.open("a") as stream:
        stream.write(line + "\n")
    with pytest.raises(JournalError, match="line 2: not an entry of a journal"):
        read(file)


def test_a_misspelt_field_is_damage_too(file):
    write(file, [WorkersChanged(joined=("w",)), Finish("end")])
    file.write_text(file.read_text().replace('"joined"', '"joimed"'))
    with pytest.raises(JournalError, match="line 1"):
        read(file)


def test_what_append_returns_is_on_the_disk(file, monkeypatch):
    """A recorder around fsync: at its last call the file held every byte that it holds now."""
    durable, fsync = [], os.fsync

    def recorded(descriptor):
        fsync(descriptor)
        durable.append(os.fstat(descriptor).st_size)

    monkeypatch.setattr(os, "fsync", recorded)
    file.unlink(missing_ok=True)
    journal = Journal(file)
    for number in range(3):
        journal.append([BracketFinished(number), RunResumed()])
        assert len(durable) == number + 1
        assert durable[-1] == file.stat().st_size == len(file.read_bytes())
    journal.close()


def test_nothing_is_written_of_a_batch_with_a_nan(file):
    entries = write(file, [RunResumed()])
    journal = Journal(file)
    crashed = Evaluated(EvaluationId(TrialId(0, 0, 0), 1.0), 1, "w", "crashed", info={"x": 1e999})
    with pytest.raises(ValueError, match="JSON"):
        journal.append([RunResumed(), crashed])
    entries += journal.append([Finish("end")])
    journal.close()
    assert read(file) == entries


# --- a run out of its journal -----------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(LADDERS), plans, happenings, shares)
def test_a_run_cut_at_any_entry_goes_on_the_same(file, ladder, plan, story, share):
    world = play(ladder, plan, story)
    entries = write(file, *([news, *orders] for news, orders in world.told))
    cut = round(share * len(entries))
    text = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(text[:cut]))
    past = read(file)
    scheduler = Scheduler(Repeating(ladder), plan, {"x": 0})
    due = replay(scheduler, past)
    heard = sum(not isinstance(entry.event, Order) for entry in past)
    told = [order for _, orders in world.told[:heard] for order in orders]
    assert due == told[sum(isinstance(entry.event, Order) for entry in past) :]
    for news, orders in world.told[heard:]:
        assert scheduler.handle(news) == orders
    assert scheduler.progress == world.scheduler.progress


def replay(scheduler, past):
    """Feeds the news again; the orders of the past must follow. Returns what is still to come."""
    due = []
    for entry in past:
        if isinstance(entry.event, Order):
            assert due.pop(0) == entry.event
        else:
            due += scheduler.handle(entry.event)
    return due


def test_a_run_that_an_earlier_version_began_has_the_present_names(tmp_path):
    settings = {"preset": "seed", "objective": "seed", "space": "seed-bohb", "seed": 5}
    line = {"settings": settings, "space": {}, "data": {}, "default": {}, "earlier": []}
    path = tmp_path / "events.jsonl"
    path.write_text(json.dumps({"time": 1.0, "kind": "RunStarted", **line}) + "\n")
    assert read(path)[0].event.settings == {
        "preset": "milestone3",
        "objective": "milestone3",
        "space": "milestone3-bohb",
        "seed": 5,
    }


# --- results that count -----------------------------------------------------------------------


def at(seconds, event):
    return Entry(float(seconds), event)


def told(number, loss=0.5, attempt=1):
    outcome = "crashed" if loss is None else "finished"
    return Evaluated(EvaluationId(TrialId(0, 0, number), 3.0), attempt, "w", outcome, loss)


def settles(news):
    return Settled(news.evaluation, news.attempt, news.worker)


def test_a_result_counts_when_its_order_follows():
    first, crashed, second = told(0), told(1, None), told(1, 0.25, attempt=2)
    begun = Evaluate(second.evaluation, 2, "w", {})
    entries = [
        *(at(1, first), at(1, settles(first)), at(2, crashed), at(3, begun)),
        *(at(4, second), at(5, settles(second)), at(6, Discard(second.evaluation.trial))),
    ]
    assert list(counted(entries)) == [(first, 1.0), (second, 4.0)]


def test_a_result_that_came_late_does_not_count():
    counts, late = told(0), told(0, 0.1, attempt=2)
    entries = [at(1, counts), at(1, settles(counts)), at(2, late)]
    assert list(counted(entries)) == [(counts, 1.0)]


def test_an_order_without_its_news_counts_nothing():
    """As at the beginning of a part of a journal."""
    news, other = told(0), told(1)
    assert list(counted([at(1, settles(news)), at(2, other), at(2, settles(news))])) == []


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(LADDERS), plans, happenings)
def test_what_counts_is_what_the_cluster_counted(ladder, plan, story):
    world = play(ladder, plan, story)
    entries = [at(0, event) for news, orders in world.told for event in (news, *orders)]
    assert {n.evaluation: n for n, _ in counted(entries)} == world.counted


# --- the end of a journal ---------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(histories, st.integers(1, 8), st.integers(1, 400), st.booleans())
def test_the_tail_is_the_end_of_the_whole(file, history, count, block, torn):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bohb_seg.storage.journal._BLOCK", block)
        write(file, history)
        whole = file.read_bytes()
        if torn:
            file.write_bytes(whole + b'{"time":')
        found = tail(file, count)
    assert list(found.values()) == read(file)[-count:]
    for place in found:
        assert place == 0 or whole[place - 1 : place] == b"\n"


def test_the_tail_names_the_line_that_is_damaged(file):
    write(file, [RunResumed()] * 5)
    file.write_bytes(file.read_bytes() + b"{}\n")
    with pytest.raises(JournalError) as damage:
        tail(file, 3)
    assert damage.value.line == 6


def test_a_text_that_is_no_text_is_read(file):
    """A file's name of other bytes than UTF-8, in an error that a worker reported."""
    error = "FileNotFoundError: 'Stra\udcdfe.png', \U0001f600, \ud800"
    identity = EvaluationId(TrialId(0, 0, 0), 1.0)
    write(file, [Evaluated(identity, 1, "w", "crashed", error=error)])
    (entry,) = read(file)
    assert entry.event.error == "FileNotFoundError: 'Stra\\xdfe.png', \U0001f600, \\ud800"
