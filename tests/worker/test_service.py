"""Real ``bohb-worker`` processes, real signals, and a master's contract moved by the test."""

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import Pyro4
import pytest
from helpers.commands import free_port, only_sentence, processes
from helpers.fake_master import LONG, PREFIX, Dispatcher, Master, Ours, TellsToLeave, until

from bohb_seg.rpc import pyro
from bohb_seg.storage.checkpoint_store import CheckpointStore
from bohb_seg.worker.service import MOST_JOBS
from bohb_seg.worker.shutdown import FORWARDED

pytestmark = pytest.mark.loopback

PROGRAM = """
    import sys, time
    import numpy as np
    from hpbandster.core.worker import Worker

    class Mine(Worker):
        '''Knows nothing of interruptions: a worker as HpBandSter's documentation has it.'''

        def compute(self, config_id, config, budget, working_directory):
            try:
                print("computing", flush=True)
                time.sleep(config.get("sleep", 0))
            except Exception:
                time.sleep(1000)
            if config.get("does") == "exit":
                sys.exit("enough")
            if config.get("does") == "typo":
                return self.lossses
            if config.get("does") == "recall":
                return {"loss": 0.5, "info": self.micro_batches}
            if config.get("does") == "shout":
                return {"loss": 0.5, "info": list(range(10**6))}
            info = {"trial": config_id, "array": np.array([1.0, np.nan])}
            return {"loss": np.float32(0.5), "info": info}
"""


@pytest.fixture(scope="module", autouse=True)
def wire():
    pyro.set_up_pyro()


@pytest.fixture
def master():
    started = Master().start()
    yield started
    started.stop()


@pytest.fixture
def start(master, tmp_path):
    """Starts a worker of a program (or ``toy``) for the master's port."""
    (tmp_path / "mine.py").write_text(textwrap.dedent(PROGRAM))
    with processes(tmp_path) as started:

        def start(*flags, program="mine.py", port=None):
            where = ("--port", port or master.port, "--cache-dir", tmp_path / "cache")
            process = started.start("bohb_seg.commands.worker", *where, "--worker", program, *flags)
            process.log = lambda: started.log(process)
            return process

        yield start


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A master and a worker for tests after which both are idle again."""
    folder = tmp_path_factory.mktemp("shared")
    (folder / "mine.py").write_text(textwrap.dedent(PROGRAM))
    master = Master().start()
    with processes(folder) as started:
        flags = ("--port", master.port, "--worker", "mine.py", "--cache-dir", folder)
        started.start("bohb_seg.commands.worker", *flags)
        yield master, master.worker()
    master.stop()


@pytest.fixture
def pair(shared):
    master, worker = shared
    master.told.clear()
    master.unwanted.clear()
    return master, worker


def idle(worker):
    until(lambda: not worker.is_busy())
    assert worker.doing() == ""


def left(process, status=0):
    assert process.wait(LONG) == status, process.log()
    return process.log()


# --- orders and results -----------------------------------------------------------------------


def test_a_worker_introduces_itself_before_it_is_known(shared):
    master, worker = shared
    until(lambda: master.heard("look"))
    kinds = [kind for kind, *_ in master.told]
    assert kinds.index("hello") < kinds.index("look")
    ((name, facts),) = master.heard("hello")[:1]
    assert (name, facts) == (worker.__dict__["name"], {"version": "0.1.0"})


def test_a_result_goes_to_its_reply_as_plain_values(pair):
    master, worker = pair
    reply = master.order(worker, 1)
    assert reply.result() == {
        "result": {"loss": 0.5, "info": {"trial": [0, 0, 1], "array": [1.0, None]}},
        "exception": None,
    }
    idle(worker)
    assert master.heard("result for the dispatcher") == []


def test_what_others_learnt_about_memory_is_not_an_argument_of_compute(pair):
    master, worker = pair
    told = {"cpu | unet": 4}
    first = master.order(worker, 20, micro_batches=told, does="recall")
    assert first.result()["result"] == {"loss": 0.5, "info": told}
    idle(worker)
    assert master.order(worker, 21, does="recall").result()["result"] == {"loss": 0.5, "info": {}}


def test_an_order_that_is_brought_twice_is_done_once(pair):
    master, worker = pair
    first = master.order(worker, 2, sleep=0.5)
    assert master.order(worker, 2, sleep=0.5) is first
    second = master.order(worker, 2, attempt=2)
    assert worker.doing() == f"{PREFIX}reply.0-0-2.1.1"
    second.result()
    idle(worker)
    assert (len(first.offers), len(second.offers)) == (1, 1)


REPLY = Pyro4.Proxy(f"PYRO:{PREFIX}reply.9-9-9.1.1@127.0.0.1:1")
NO_ORDERS = {
    "no object": (None, (0, 0, 0)),
    "an address": (Pyro4.URI("PYRO:x@127.0.0.1:1"), (0, 0, 0)),
    "a name that no file can hold": (Pyro4.Proxy("PYRO:\ud800@127.0.0.1:1"), (0, 0, 0)),
    "a long name": (Pyro4.Proxy(f"PYRO:{'x' * 400}@127.0.0.1:1"), (0, 0, 0)),
    "no trial": (REPLY, None),
    "text": (REPLY, "123"),
    "numbers without end": (REPLY, (0, 0, 10**4200)),
    "too few": (REPLY, (0, 0)),
    "fractions": (REPLY, (0, 0, 0.5)),
}


@pytest.mark.parametrize("what", NO_ORDERS)
def test_what_is_no_order_is_refused_at_the_door(pair, what):
    """It was taken; some ended the worker when the result was to be kept."""
    master, worker = pair
    with pytest.raises(ValueError, match=r"a job must name|three numbers"):
        worker.start_computation(*NO_ORDERS[what], config={}, budget=1.0, working_directory=".")
    idle(worker)
    master.order(worker, 40 + list(NO_ORDERS).index(what)).result()


def test_only_so_many_jobs_may_wait(start, master):
    start()
    worker = master.worker()
    reply = master.order(worker, 0, sleep=1.0)
    for number in range(1, MOST_JOBS):
        master.order(worker, number)
    with pytest.raises(ValueError, match="jobs are waiting; try again later"):
        master.order(worker, MOST_JOBS)
    master.order(worker, 1)  # is there already
    reply.result()
    until(lambda: not worker.is_busy())
    master.order(worker, MOST_JOBS).result()


def test_signs_of_life_come_also_in_a_long_step(pair):
    master, worker = pair
    reply = master.order(worker, 3, sleep=2.0)
    renewal = (worker.__dict__["name"], f"{PREFIX}reply.0-0-3.1.1")
    until(lambda: master.heard("renew").count(renewal) >= 4)
    assert not reply.offers  # it was in its one long step all the time
    reply.result()
    until(lambda: master.heard("renew")[-1] == (worker.__dict__["name"], ""))


def test_a_result_is_offered_until_it_is_on_disk(pair):
    master, worker = pair
    reply = master.order(worker, 4, refusals=3)
    until(lambda: len(reply.offers) == 2)
    assert worker.doing() == f"{PREFIX}reply.0-0-4.1.1"
    reply.result()
    idle(worker)
    assert [offer == reply.offers[0] for offer in reply.offers] == [True] * 4


def test_a_result_that_nobody_wants_is_dropped(pair):
    master, worker = pair
    reply = master.order(worker, 5, sleep=0.5)
    master.forget(reply)
    idle(worker)
    assert reply.offers == []
    master.order(worker, 6).result()


@pytest.mark.parametrize(("does", "told"), [("exit", "SystemExit: enough"), ("other", None)])
def test_a_worker_always_answers(pair, does, told):
    master, worker = pair
    result = master.order(worker, 7, attempt=hash(does) % 999, does=does).result()
    assert (result["result"] is None) == (told is not None)
    assert told is None or told in result["exception"]


def test_only_a_fault_of_the_program_would_come_again(pair):
    master, worker = pair
    exits = master.order(worker, 30, does="exit").result()
    typo = master.order(worker, 31, does="typo").result()
    assert "final" not in exits
    assert typo["final"] is True
    assert "AttributeError: 'Mine' object has no attribute 'lossses'" in typo["exception"]


def test_a_program_that_never_asks_is_held_to_its_time(pair):
    master, worker = pair
    result = master.order(worker, 32, max_minutes=0.005, sleep=LONG).result()
    told = "given up: it took longer than --max-minutes-per-evaluation 0.005"
    assert result == {"result": None, "exception": told, "final": True}
    assert master.order(worker, 33, max_minutes=5).result()["result"]["loss"] == 0.5


def test_info_that_is_too_large_does_not_cost_the_result(pair):
    master, worker = pair
    result = master.order(worker, 8, does="shout").result()["result"]
    assert result["loss"] == 0.5
    assert "too large" in result["info"]["info"]


def test_a_forgotten_worker_introduces_and_registers_itself_again(pair):
    master, worker = pair
    name = worker.__dict__["name"]
    master.names.remove(name)
    until(lambda: name in master.known())
    assert master.heard("hello")
    until(lambda: ("look",) in master.told)
    master.order(worker, 9).result()


# --- masters that come and go -----------------------------------------------------------------


def test_a_worker_outlives_nameserver_and_master(start, tmp_path):
    master = Master()
    process = start(port=master.port)
    until(lambda: "does not know a run to serve yet" in process.log())
    for _ in range(2):
        master.start()
        worker = master.worker()
        assert master.order(worker, len(master.replies)).result()["result"]["loss"] == 0.5
        idle(worker)
        master.stop()
    assert process.poll() is None
    until(lambda: "does not answer" in process.log())


def test_a_result_finds_the_next_master_at_another_address(start, master):
    start()
    worker = master.worker()
    reply = master.order(worker, 0, sleep=1.0)
    until(lambda: worker.doing())
    master.stop()
    time.sleep(1.5)  # the result is ready, and nobody there to take it
    assert worker.doing() == f"{PREFIX}reply.0-0-0.1.1"
    master.start(apart=True)
    assert reply.result()["result"]["loss"] == 0.5
    idle(worker)


def test_a_stock_master_keeps_its_worker_when_the_nameserver_forgets(start):
    master = Master(Dispatcher).start()
    process = start("--run-id", "try", port=master.port)
    worker = master.worker()
    name = f"{PREFIX}worker.{worker.__dict__['name'].partition('.worker.')[2]}"
    callback = Pyro4.Proxy(master.names.lookup(f"{PREFIX}dispatcher"))
    for number in range(2):  # one callback for all: still two orders
        job = {"config": {"sleep": 0.5}, "budget": 1.0, "working_directory": "."}
        worker.start_computation(callback, (0, 0, number), **job)
    until(lambda: len(master.heard("result for the dispatcher")) == 2)
    master.names.remove(name)
    until(lambda: name in master.known())
    process.terminate()
    assert "left: told to by SIGTERM" in left(process)
    assert master.known() == {}
    master.stop()


@pytest.mark.parametrize("when", ["at first", "later", "at work"])
def test_a_refused_worker_ends_with_the_reason(start, master, when):
    if when == "at first":
        master.refusal = "its data is another"
    process = start(program="toy")
    if when != "at first":
        worker = master.worker()
        if when == "at work":
            master.order(worker, budget=1000.0, sleep=0.05, where=Path(process.args[-1]).parent)
            until(lambda: worker.doing())
        master.refusal = "its data is another"
        master.names.remove(worker.__dict__["name"])
    assert only_sentence(process.wait(LONG), process.log()) == (
        "bohb-worker: the master of run try refuses this worker: its data is another"
    )
    assert master.known() == {}


def test_a_master_with_other_settings_is_not_served(start, master):
    master.settings = {"seed": 1, "data": "/here"}
    process = start()
    worker = master.worker()
    master.stop()
    master.settings = {"seed": 2, "data": "/there"}
    master.start()
    said = only_sentence(process.wait(LONG), process.log())
    assert "has another --seed than when this worker began" in said
    assert worker.__dict__["name"] not in master.known()


def test_settings_of_another_version_are_one_sentence(start, master):
    master.settings = {"colour": "red"}
    process = start()
    said = only_sentence(process.wait(LONG), process.log())
    assert "does not understand (colour); install the same version" in said


def test_a_worker_without_shared_storage_goes_on_from_the_masters_checkpoint(
    start, master, tmp_path
):
    run_dir = tmp_path / "run"
    done = run_dir / "checkpoints/0-0-0/unit-00002"
    done.parent.mkdir(parents=True)
    done.write_bytes(b"trained\n")
    storage = CheckpointStore(run_dir)
    master.token = storage.token
    master._daemons[-1].register(storage, f"{PREFIX}storage")
    start(program="toy")
    worker = master.worker()
    reply = master.order(worker, budget=4.0, sleep=0.01, where="/not/on/this/machine")
    info = reply.result()["result"]["info"]
    assert info == {"epochs": 4.0, "epochs_trained": 2.0, "continued_from": 2}
    assert (done.parent / "unit-00004").read_bytes() == b"trained\n"


# --- leaving ----------------------------------------------------------------------------------


def said_goodbye(master):
    assert master.known() == {}
    return len(master.heard("goodbye")) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_worker_leaves_at_once(start, master, number):
    process = start("--notice", 1000)
    master.worker()
    process.send_signal(number)
    assert f"left: told to by {number.name}" in left(process)
    assert said_goodbye(master)


@pytest.mark.parametrize("dispatcher", [Ours, Dispatcher])
def test_a_worker_that_is_told_to_leave_while_it_joins_leaves_no_name(start, dispatcher):
    master = Master(dispatcher, TellsToLeave).start()
    process = start("--run-id", "try", port=master.port)
    assert "left: told to by SIGTERM" in left(process)
    assert master.known() == {}
    assert len(master.heard("goodbye")) == (dispatcher is Ours)
    master.stop()


def test_a_worker_that_waits_for_a_master_leaves_at_once(start):
    process = start(port=free_port())
    until(lambda: "does not know a run to serve yet" in process.log())
    process.terminate()
    left(process)


def test_a_dismissed_worker_leaves(start, master):
    process = start()
    with contextlib.suppress(Pyro4.errors.ConnectionClosedError):
        master.worker().shutdown()
    assert "nothing more to do" in left(process)
    assert said_goodbye(master)


def test_a_worker_leaves_when_it_was_idle_for_too_long(start, master):
    process = start("--idle-timeout", 1.5)
    worker = master.worker()
    master.order(worker).result()
    assert "left: idle for 1.5 s" in left(process)


def trained(folder, trial="0-0-0"):
    return len(list(folder.glob(f"checkpoints/{trial}/unit-*")))


@pytest.mark.parametrize("end", ["signal", "shutdown"])
def test_a_worker_ends_its_unit_leaves_and_another_goes_on(start, master, tmp_path, end):
    process = start("--notice", 1000, program="toy")
    worker = master.worker()
    order = {"budget": 30.0, "sleep": 0.2, "where": tmp_path}
    reply = master.order(worker, **order)
    until(lambda: trained(tmp_path) >= 2)
    process.terminate() if end == "signal" else worker.shutdown()
    left(process)
    done = trained(tmp_path)
    assert done < 30
    assert said_goodbye(master)
    assert reply.offers == []

    successor = start(program="toy")
    again = master.order(master.worker(successor.pid), attempt=2, **order)
    result = again.result()["result"]
    assert (result["info"]["continued_from"], result["info"]["epochs_trained"]) == (done, 30 - done)
    assert result["loss"] == 0.0  # of the configuration alone, wherever it was interrupted


def test_a_second_signal_ends_on_the_spot(start, master):
    process = start("--notice", 1000)
    worker = master.worker()
    master.order(worker, sleep=1000)
    until(lambda: "computing" in process.log())
    process.terminate()
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1)
    process.terminate()
    left(process, 128 + signal.SIGTERM)
    assert master.heard("goodbye") == []


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (1, 1)])
def test_a_notice_that_is_also_handed_on_is_one(start, master, tmp_path, order):
    process = start("--notice", 1000, program="toy")
    worker = master.worker()
    master.order(worker, budget=100.0, sleep=0.5, where=tmp_path)
    until(lambda: trained(tmp_path) >= 1)
    for which in order:
        process.send_signal((signal.SIGTERM, FORWARDED)[which])
        time.sleep(0.05)
    left(process)
    assert said_goodbye(master)


@pytest.mark.parametrize("joined", [True, False])
def test_a_notice_that_is_handed_on_late_does_not_spoil_the_end(start, master, joined):
    """It may reach a process that has left already, but not ended yet."""
    process = start(port=master.port if joined else free_port())
    if joined:
        master.worker()
    else:
        until(lambda: "does not know a run to serve yet" in process.log())
    process.terminate()
    while process.poll() is None:
        process.send_signal(FORWARDED)
        time.sleep(0.001)
    left(process)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_a_process_that_has_left_does_not_spoil_the_end(start, master, number):
    process = start()
    master.worker()
    process.send_signal(FORWARDED)
    until(lambda: "left:" in process.log())
    process.send_signal(number)
    left(process)


@pytest.mark.parametrize("notice", [0, 0.5])
def test_a_short_notice_ends_the_step_itself(start, master, notice):
    process = start("--notice", notice)
    worker = master.worker()
    reply = master.order(worker, sleep=1000)
    until(lambda: "computing" in process.log())
    time.sleep(0.1)  # it is asleep by now, and catches every Exception
    process.terminate()
    assert "left: told to by SIGTERM" in left(process)
    assert said_goodbye(master)
    assert reply.offers == []


def test_what_is_finished_within_the_notice_is_delivered(start, master):
    process = start("--notice", 1000)
    worker = master.worker()
    reply = master.order(worker, sleep=2.0)
    until(lambda: "computing" in process.log())
    process.terminate()
    assert reply.result()["result"]["loss"] == 0.5
    left(process)
    assert said_goodbye(master)


def test_a_worker_that_delivers_offers_once_more_and_leaves(start, master):
    process = start("--notice", 1000)
    worker = master.worker()
    reply = master.order(worker, refusals=10**6)
    until(lambda: len(reply.offers) >= 2)
    process.terminate()
    left(process)
    assert said_goodbye(master)
    assert reply.taken == []


# --- interruption -----------------------------------------------------------------------------


def test_an_attempt_that_nobody_wants_is_given_up_and_no_other(start, master, tmp_path):
    start(program="toy")
    worker = master.worker()
    order = {"sleep": 0.05, "where": tmp_path}
    reply = master.order(worker, 0, budget=1000.0, **order)
    until(lambda: trained(tmp_path) >= 1)
    next_one = master.order(worker, 1, budget=3.0, **order)
    master.unwanted.add(f"{PREFIX}reply.0-0-0.1000.1")
    told = {"result": None, "exception": "given up: nobody waits for the result any more"}
    assert reply.result() == told
    assert next_one.result()["result"]["info"]["epochs_trained"] == 3.0
    idle(worker)


def test_an_instant_toy_leaves_no_files(start, master, tmp_path):
    start(program="toy")
    where = tmp_path / "run"
    where.mkdir()
    info = master.order(master.worker(), where=where, budget=9.0).result()["result"]["info"]
    assert info == {"epochs": 9.0, "epochs_trained": 9.0, "continued_from": 0}
    assert [path for path in where.rglob("*") if path.is_file()] == []


# --- where it runs ----------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells of a parent's death")
def test_a_local_worker_dies_with_a_killed_master(start, master, tmp_path):
    code = (
        "import subprocess, sys, time; from bohb_seg import machine;"
        "subprocess.Popen(machine.tied('bohb_seg.commands.worker', *sys.argv[1:]));"
        "time.sleep(1000)"
    )
    flags = ("--port", str(master.port), "--worker", "toy")
    parent = subprocess.Popen([sys.executable, "-c", code, *flags])
    worker = master.worker()
    pid = int(worker.__dict__["name"].split(".")[-2])
    master.order(worker, budget=1000.0, sleep=0.5, where=tmp_path)
    os.kill(pid, signal.SIGSTOP)  # it cannot look for its parent: the kernel does it
    parent.kill()
    parent.wait()
    until(lambda: not alive(pid))


def alive(pid):
    """Whether a process runs; one that nobody waits for any more does not."""
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    return False


def test_a_host_name_that_resolves_to_nothing_is_no_matter(master, tmp_path):
    alone = ["unshare", "--uts", "sh", "-c", 'hostname no-such-host.invalid; exec "$@"', "sh"]
    probe = subprocess.run([*alone, "hostname"], capture_output=True, text=True, check=False)
    if probe.stdout.strip() != "no-such-host.invalid":
        pytest.skip(f"no host name of our own: {probe.stderr.strip() or 'unshare is missing'}")
    flags = ("--port", str(master.port), "--worker", "toy")
    process = subprocess.Popen([*alone, sys.executable, "-m", "bohb_seg.commands.worker", *flags])
    try:
        worker = master.worker()
        assert ".worker.no-such-host.invalid." in worker.__dict__["name"]
        assert master.order(worker).result()["result"]["loss"] == 0.0
    finally:
        process.kill()
        process.wait()
