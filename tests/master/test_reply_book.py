"""Every result is news of exactly its attempt, and is kept until it is recorded."""

import Pyro4
import pytest
from helpers.mailbox import LONG, Own, finished, heard, nothing_more, order


def test_a_doubled_message_is_refused(transport, hand):
    worker = hand()
    heard(transport, 1)
    transport.send(order(0, 1, worker.name))
    first = worker.answer(0, finished(0.25))
    assert [news.loss for news in heard(transport, 1)] == [0.25]
    assert first.result(LONG) is None
    with pytest.raises(Pyro4.errors.CommunicationError, match="unknown object"):
        worker.answer(0, finished(-1.0)).result(LONG)
    nothing_more(transport)


def test_a_late_message_is_news_of_its_own_attempt(transport, hand):
    worker = hand()
    heard(transport, 1)
    for attempt, budget in ((1, 3.0), (2, 3.0), (1, 9.0)):
        transport.send(order(0, attempt, worker.name, budget))
    for number in (2, 1, 0):
        worker.answer(number, finished(float(number)))
    told = {(n.evaluation.budget, n.attempt, n.loss) for n in heard(transport, 3)}
    assert told == {(9.0, 1, 2.0), (3.0, 2, 1.0), (3.0, 1, 0.0)}


def test_a_malformed_message_crashed_its_attempt(transport, hand):
    worker = hand()
    heard(transport, 1)
    transport.send(order(3, 1, worker.name))
    worker.answer(0, "done")
    (news,) = heard(transport, 1)
    assert (news.evaluation.trial.number, news.attempt, news.outcome) == (3, 1, "crashed")


def test_a_worker_is_answered_when_its_result_is_recorded(transport, hand):
    worker = hand()
    heard(transport, 1)
    transport.send(order(0, 1, worker.name))
    answer = worker.answer(0, finished(0.5))
    (news,) = transport.receive(LONG)
    assert not answer.done()
    transport.recorded(news)
    assert answer.result(LONG) is None


def test_a_result_that_is_not_recorded_in_time_is_offered_again(transport, hand, monkeypatch):
    monkeypatch.setattr("bohb_seg.master.reply.RECORDED_WITHIN", 0.1)
    worker = hand()
    heard(transport, 1)
    transport.send(order(0, 1, worker.name))
    with pytest.raises(TimeoutError, match="not on the master's disk yet"):
        worker.answer(0, finished(0.5)).result(LONG)
    (news,) = transport.receive(LONG)
    transport.recorded(news)
    nothing_more(transport)


def test_a_worker_cannot_say_that_it_does_the_work_of_another(transport, hand):
    """It would be waited for although nobody trains, once the other is gone."""
    worker = hand("honest", Own).keep_renewing()
    heard(transport, 1)
    transport.send(order(0, 1, worker.name))
    reply = worker.asked(0)[0].partition(":")[2].partition("@")[0]
    hand("liar", Own, doing=reply)
    nothing_more(transport)
    worker.answer(0, finished(0.5))
    assert [news.worker for news in heard(transport, 1)] == [worker.name]
