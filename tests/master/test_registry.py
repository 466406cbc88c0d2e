"""The names of a run in a nameserver, which may be silent or somebody else's."""

import socket

import pytest
from helpers.mailbox import RUN, dispatcher, known, look, nothing_more, until

from bohb_seg.errors import ServiceError
from bohb_seg.master.transport import Transport
from bohb_seg.rpc import pyro


def elsewhere(**changed):
    usual = {"run_id": "b", "host": "127.0.0.1", "port": 0, "external": None}
    return Transport(**usual | changed, working_directory="", heartbeat=1)


def test_a_nameserver_that_is_not_there_is_one_sentence():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        place = probe.getsockname()
        with pytest.raises(ServiceError, match=f"{place[0]}:{place[1]} does not answer .*--names"):
            elsewhere(external=place).bind()
        elsewhere(external=place).bind(resuming=True)  # it was there before, and will be back


def test_a_second_master_of_the_same_run_is_refused(alone):
    until(lambda: dispatcher(alone))
    with pytest.raises(ServiceError, match="a master already serves this run at "):
        elsewhere(run_id="try", external=alone.nameserver).bind()


def test_a_name_that_never_answers_is_removed_with_a_complaint(alone, caplog):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        dead = f"{RUN}worker.dead"
        with pyro.nameserver(*alone.nameserver) as names:
            names.register(dead, f"PYRO:{dead}@127.0.0.1:{probe.getsockname()[1]}")
        look(alone)
        until(lambda: dead not in known(alone))
    nothing_more(alone)
    assert f"worker {dead} does not answer at 127.0.0.1:" in caplog.text
