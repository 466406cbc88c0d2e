"""A killed master finds everything it did in its journal."""

import pytest

from bohb_seg.errors import JournalError
from bohb_seg.master.run_setup import assemble
from bohb_seg.search.events import Evaluate, Evaluated, Finish, Order, WorkersChanged
from bohb_seg.settings import SearchSettings
from bohb_seg.storage.journal import FILE_NAME, Journal, RunResumed, read
from bohb_seg.trials import Attempt


def entries(events, folder):
    """As a master finds them after a restart."""
    file = folder / FILE_NAME
    file.unlink(missing_ok=True)
    journal = Journal(file)
    journal.append(events)
    journal.close()
    return read(file)


def simulated(run_dir):
    """A whole run of the real scheduler, optimizer and space: two workers, no fault."""
    chosen = SearchSettings(
        run_id="r", run_dir=run_dir, worker="toy", space="counting", min_budget=1, max_budget=9
    )
    run = assemble(chosen, [])
    events, waiting = [run.start], [WorkersChanged(joined=("a", "b"))]
    while waiting:
        news = waiting.pop(0)
        orders = run.scheduler.handle(news)
        events += [news, *orders]
        for order in orders:
            if isinstance(order, Evaluate):
                loss = sum(map(float, order.configuration.values())) / order.evaluation.budget
                key = order.evaluation, order.attempt, order.worker
                waiting.append(Evaluated(*key, "finished", loss))
    return chosen, events


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
