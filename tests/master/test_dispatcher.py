"""What workers are told, and what they are answered."""

import Pyro4
import pytest
from helpers.mailbox import HEARTBEAT, RUN, Own, dispatcher, finished, heard, nothing_more, order
from Pyro4 import message, util
from Pyro4.message import Message


def test_a_result_for_nobody_is_dropped(alone):
    with dispatcher(alone) as remote:
        remote.register_result([0, 0, 0], finished(0.5))
    nothing_more(alone)


@pytest.mark.parametrize("language", [util.PickleSerializer(), util.JsonSerializer()])
def test_only_serpent_is_understood(alone, language):
    with dispatcher(alone) as remote:
        remote._pyroBind()
        call = language.dumpsCall(remote._pyroUri.object, "terms", (), {})
        asked = Message(message.MSG_INVOKE, call, language.serializer_id, 0, 0)
        remote._pyroConnection.send(asked.to_bytes())
        with pytest.raises(Pyro4.errors.ConnectionClosedError):
            Message.recv(remote._pyroConnection, [message.MSG_RESULT])
    with dispatcher(alone) as remote:
        assert remote.terms()["token"] == "token"


def test_a_worker_is_told_the_settings_of_the_run(alone):
    with dispatcher(alone) as remote:
        assert remote.terms() == {
            "settings": {"patch_size": 64},
            "heartbeat": HEARTBEAT,
            "token": "token",
        }


def test_a_worker_with_other_data_is_refused(alone):
    with dispatcher(alone) as remote:
        assert remote.hello("w", {"version": "1.0", "fingerprint": "a" * 32}) == ""
        assert remote.hello("w", {"fingerprint": "b" * 32}).startswith("its data (bbbbbbbbbbbb)")


def test_a_renewal_is_answered_with_what_the_master_knows(patient, hire):
    worker = hire(patient, "w", Own)
    heard(patient, 1)
    with dispatcher(patient) as remote:
        assert remote.renew(f"{RUN}worker.nobody", "") == "unknown"
        assert remote.renew(worker.name, "") == ""
        patient.send(order(0, 1, worker.name))
        reply = worker.asked(0)[0].partition(":")[2].partition("@")[0]
        assert remote.renew(worker.name, reply) == ""
        patient.settled(order(0).evaluation)
        assert remote.renew(worker.name, reply) == "unwanted"
        assert remote.renew(worker.name, f"{RUN}reply.of.another.run") == "unwanted"
