"""A result that nobody takes is left on the machine, and brought later: real worker processes."""

import signal

import pytest
from helpers.commands import processes, run
from helpers.fake_master import LONG, Master, until

from bohb_seg.rpc import pyro
from bohb_seg.storage.checkpoint_store import CheckpointStore

pytestmark = pytest.mark.loopback


@pytest.fixture(scope="module", autouse=True)
def wire():
    pyro.set_up_pyro()


class Story:
    """A run's master that comes and goes, and workers of one machine."""

    def __init__(self, started, folder):
        self._started, self._folder = started, folder
        self.run_dir = folder / "run"
        self.run_dir.mkdir()
        self.master = Master()
        self.master.token = CheckpointStore(self.run_dir).token
        self.master.start()

    @property
    def flags(self):
        where = ("--port", self.master.port, "--cache-dir", self._folder / "cache")
        return (*where, "--worker", "toy")

    @property
    def spool(self):
        return list((self._folder / "cache/spool").glob("*.json"))

    def worker(self, *flags):
        return self._started.start("bohb_seg.commands.worker", *self.flags, *flags)

    def log(self, process):
        return self._started.log(process)

    def deliver(self):
        return run("bohb_seg.commands.worker", *self.flags, "--deliver", folder=self._folder)

    def ready(self, process):
        """Gives a worker an order, and leaves it alone with its result; returns the reply."""
        remote = self.master.worker(process.pid)
        reply = self.master.order(remote, budget=3.0, sleep=0.2, where=self.run_dir)
        until(lambda: remote.doing())
        self.master.stop()
        until(lambda: "does not take the result" in self.log(process))
        return reply


@pytest.fixture
def story(tmp_path):
    with processes(tmp_path) as started:
        told = Story(started, tmp_path)
        yield told
        told.master.stop()


def test_a_worker_whose_result_nobody_takes_goes_home_and_the_next_one_brings_it(story):
    worker = story.worker("--idle-timeout", 2)
    reply = story.ready(worker)
    assert worker.wait(LONG) == 0
    (path,) = story.spool
    assert f"the result of trial 0-0-0 lies in {path}" in story.log(worker)
    assert "left: no master took its result for 2 s" in story.log(worker)
    story.master.start()
    story.worker()
    assert reply.result()["result"]["info"]["epochs"] == 3.0
    until(lambda: not story.spool)
    assert len(reply.offers) == 1


def test_the_result_of_a_killed_worker_is_brought_by_its_neighbour(story):
    worker = story.worker()
    story.master.worker(worker.pid)
    neighbour = story.worker()
    story.master.worker(neighbour.pid)
    reply = story.ready(worker)
    worker.kill()
    worker.wait()
    story.master.start()
    assert reply.result()["result"]["info"]["epochs"] == 3.0
    until(lambda: not story.spool)
    assert neighbour.poll() is None


def test_what_a_worker_left_can_be_delivered_by_hand(story):
    worker = story.worker()
    reply = story.ready(worker)
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(LONG) == 0
    (path,) = story.spool
    nobody = story.deliver()
    assert nobody.returncode == 2
    assert nobody.stderr.startswith("bohb-worker: no master answers (")
    story.master.token, token = "f" * 32, story.master.token  # another run of the same name
    story.master.start()
    other = story.deliver()
    assert (other.returncode, reply.offers) == (2, [])
    assert f"run try: the result of trial 0-0-0 waits in {path}" in other.stdout
    story.master.token = token
    done = story.deliver()
    assert (done.returncode, done.stdout) == (0, "run try: the result of trial 0-0-0 was taken\n")
    assert reply.result()["result"]["loss"] == 0.0
    again = story.deliver()
    assert (again.returncode, again.stdout) == (0, "no results are left here\n")
