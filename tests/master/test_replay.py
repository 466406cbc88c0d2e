"""A killed master finds everything it did in its journal."""

import contextlib
import dataclasses

import pytest
from helpers.simulated_runs import finish, simulated

from bohb_seg.errors import JournalError, SettingsError
from bohb_seg.master.run_setup import assemble
from bohb_seg.search.events import Evaluate, Evaluated, Finish, Order, Settled
from bohb_seg.storage import settings_record
from bohb_seg.storage.consistency import Consistency
from bohb_seg.storage.journal import FILE_NAME, Journal, read
from bohb_seg.storage.journal_entries import RulesChanged, RunResumed
from bohb_seg.storage.repair import repair
from bohb_seg.trials import Attempt


def entries(events, folder):
    """As a master finds them after a restart."""
    file = folder / FILE_NAME
    file.unlink(missing_ok=True)
    journal = Journal(file)
    journal.append(events)
    journal.close()
    return read(file)


def test_a_master_owes_exactly_what_a_cut_kept_from_its_journal(tmp_path):
    chosen, events = simulated(tmp_path)
    assert isinstance(events[-1], Finish)
    past = entries(events, tmp_path)
    for cut in range(1, len(past) + 1, 7):
        owed = []
        for event in events[cut:]:
            if not isinstance(event, Order):
                break
            owed.append(event)
        assert assemble(chosen, past[:cut]).due == owed


def test_a_master_refuses_a_journal_that_is_not_its_own(tmp_path):
    chosen, events = simulated(tmp_path)
    line = next(i for i, event in enumerate(events) if isinstance(event, Evaluate))
    order = events[line]
    events[line] = Evaluate(order.evaluation, order.attempt, "someone else", order.configuration)
    with pytest.raises(JournalError, match=f"line {line + 1}: this order does not follow"):
        assemble(chosen, entries(events, tmp_path))


def test_an_order_too_many_is_refused(tmp_path):
    chosen, events = simulated(tmp_path)
    with pytest.raises(JournalError, match=f"line {len(events) + 1}: this order does not follow"):
        assemble(chosen, entries([*events, events[-1]], tmp_path))


# --- other rules ------------------------------------------------------------------------------


def other_draws(events):
    """The same run with another configuration for each trial but the default."""
    changed = []
    for event in events:
        if isinstance(event, Evaluate) and event.evaluation.trial != (0, 0, 0):
            number = event.evaluation.trial.number
            configuration = dict.fromkeys(event.configuration, number / 100)
            event = dataclasses.replace(event, configuration=configuration)
        changed.append(event)
    return changed


@pytest.mark.parametrize("cut", [4, 10, 40, 90])
def test_a_run_of_another_sampler_goes_on_from_its_results(tmp_path, cut, caplog):
    chosen, events = simulated(tmp_path)
    past = other_draws(events[:cut])
    run = assemble(chosen, entries(past, tmp_path))
    assert [type(each) for each in run.changes] == [RulesChanged]
    assert "going on from its results" in caplog.text
    settled = {event.evaluation for event in past if isinstance(event, Settled)}
    written = [*past, *run.changes, *run.due, RunResumed()]
    rest = finish(run)
    assert isinstance(rest[-1], Finish)
    again = {event.evaluation for event in rest if isinstance(event, Evaluate)}
    assert not again & settled, "trained although it was settled"
    assert Consistency().first_objection([*written, *rest]) == ""
    replayed = assemble(chosen, entries([*written, *rest], tmp_path))
    assert (replayed.changes, replayed.due, replayed.scheduler.finished) == ((), [], True)
    configurations = {}
    for event in [*written, *rest]:
        if isinstance(event, Evaluate):
            known = configurations.setdefault(event.evaluation.trial, event.configuration)
            assert known == event.configuration


def test_a_finished_run_of_another_sampler_stays_finished(tmp_path):
    chosen, events = simulated(tmp_path)
    run = assemble(chosen, entries(other_draws(events), tmp_path))
    assert (run.scheduler.finished, run.due) == (True, [])
    assert [type(each) for each in run.changes] == [RulesChanged]


def test_a_run_of_the_published_bohb_that_was_called_bohb_goes_on(tmp_path):
    """As versions before the Gaussian process recorded it."""
    published, events = simulated(tmp_path, optimizer="bohb-kde", n_iterations=8)
    begun = dataclasses.replace(events[0], settings={**events[0].settings, "optimizer": "bohb"})
    last = max(i for i, e in enumerate(events) if isinstance(e, Evaluate) and e.model_based)
    past = entries([begun, *events[1 : last + 1]], tmp_path)
    run = assemble(published.model_copy(update={"optimizer": "bohb"}), past)
    assert [type(each) for each in run.changes] == [RulesChanged]
    rest = finish(run)
    assert isinstance(rest[-1], Finish)
    assert Consistency().first_objection([e.event for e in past] + [*run.changes, *rest]) == ""


def test_an_edited_setting_is_named_and_no_change_of_rules(tmp_path):
    chosen, events = simulated(tmp_path)
    (tmp_path / "settings.yaml").write_text(settings_record.text(events[0]))
    edited = dataclasses.replace(events[0], settings={**events[0].settings, "seed": 7})
    other = chosen.model_copy(update={"seed": 7})
    with pytest.raises(SettingsError, match=r"has --seed 7 in its journal and 0 in settings\.yaml"):
        assemble(other, entries([edited, *events[1:]], tmp_path))


def two_masters(tmp_path):
    """A run that a second master went on with while the first was still at work."""
    chosen, events = simulated(tmp_path)
    fork = 30
    second = assemble(chosen, entries([*events[:fork], RunResumed()], tmp_path))
    others = [*second.due, RunResumed(), *finish(second)]
    mixed, rest = events[:fork], [events[fork:80], others[:60]]
    while any(rest):
        for writer in rest:
            mixed += [writer.pop(0) for _ in range(min(len(writer), 2))]
    return chosen, mixed


def test_a_journal_of_two_masters_is_refused_and_can_be_repaired(tmp_path, caplog):
    chosen, mixed = two_masters(tmp_path)
    with pytest.raises(JournalError, match=r"does not follow|contradicts") as error:
        assemble(chosen, entries(mixed, tmp_path))
    assert f"'bohb-master --repair --run-dir {tmp_path}'" in str(error.value)
    before = (tmp_path / FILE_NAME).read_bytes()
    with contextlib.closing(Journal(tmp_path / FILE_NAME)) as journal:
        repair(journal)
    assert (tmp_path / f"{FILE_NAME}.1").read_bytes() == before
    past = read(tmp_path / FILE_NAME)
    assert f"{len(mixed) - len(past)} of {len(mixed)} lines are dropped" in caplog.text
    run = assemble(chosen, past)
    settled = [entry.event.evaluation for entry in past if isinstance(entry.event, Settled)]
    assert len(settled) == len(set(settled)) > 10
    rest = finish(run)
    assert isinstance(rest[-1], Finish)
    assert not {e.evaluation for e in rest if isinstance(e, Evaluate)} & set(settled)


def test_a_whole_journal_needs_no_repair(tmp_path):
    _, events = simulated(tmp_path)
    entries(events, tmp_path)
    before = (tmp_path / FILE_NAME).read_bytes()
    with contextlib.closing(Journal(tmp_path / FILE_NAME)) as journal:
        repair(journal)
    assert (tmp_path / FILE_NAME).read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


@pytest.mark.parametrize("cut", [1, 2, 3, 4, 20])
def test_what_the_workers_of_the_past_were_doing(tmp_path, cut):
    """Also if the crash came between news and orders: the order is due then."""
    chosen, events = simulated(tmp_path)
    run = assemble(chosen, entries([*events[:cut], RunResumed()], tmp_path))
    orders = [e for e in [*events[:cut], *run.due] if isinstance(e, Evaluate)]
    ended = {Attempt(e.evaluation, e.attempt) for e in events[:cut] if isinstance(e, Evaluated)}
    expected = dict.fromkeys(("a", "b") if cut > 1 else ())
    for order in orders:
        if Attempt(order.evaluation, order.attempt) not in ended:
            expected[order.worker] = order
    assert run.workers == expected
