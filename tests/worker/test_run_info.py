"""Where the nameserver is, by flags or by the run's directory; what a master tells its workers."""

import Pyro4
import pytest

from bohb_seg.errors import RunOverError, ServiceError
from bohb_seg.rpc import pyro
from bohb_seg.rpc.daemon import Daemon, serve_in_background
from bohb_seg.rpc.names import NAMESERVER
from bohb_seg.settings import WorkerSettings
from bohb_seg.worker import run_info
from bohb_seg.worker.run_info import RunInfo, nameserver_address


def told(folder, text):
    (folder / "nameserver.json").write_text(text)
    return WorkerSettings(run_dir=folder)


def test_flags_tell_where_the_nameserver_is():
    assert nameserver_address(WorkerSettings()) == ("127.0.0.1", 9090)
    assert nameserver_address(WorkerSettings(host="10.0.0.1", port=1)) == ("10.0.0.1", 1)


def test_the_runs_directory_tells_it_anew_at_every_call(tmp_path):
    settings = told(tmp_path, '["10.0.0.1", 9091]')
    assert nameserver_address(settings) == ("10.0.0.1", 9091)
    told(tmp_path, '["10.0.0.2", 9092]')
    assert nameserver_address(settings) == ("10.0.0.2", 9092)


def test_a_flag_is_stronger_than_the_directory(tmp_path):
    told(tmp_path, "null")
    settings = WorkerSettings(run_dir=tmp_path, host="10.0.0.3")
    assert nameserver_address(settings) == ("10.0.0.3", 9090)


def test_the_directory_says_that_the_run_is_finished(tmp_path):
    with pytest.raises(RunOverError, match=f"the run in {tmp_path} is finished"):
        nameserver_address(told(tmp_path, "null"))


def test_a_directory_may_not_tell_it_yet(tmp_path):
    with pytest.raises(FileNotFoundError):
        nameserver_address(WorkerSettings(run_dir=tmp_path))


@pytest.mark.parametrize("text", ["", "{", "7", "[]", '["host"]', '["host", "port"]', '{"a": 1}'])
def test_a_file_of_another_form_is_not_believed(tmp_path, text):
    with pytest.raises(OSError, match=r"nameserver\.json does not hold a host and a port"):
        nameserver_address(told(tmp_path, text))


def test_the_runs_settings_are_stronger_unless_machines_may_differ(tmp_path):
    run = RunInfo("r", "PYRO:d@h:1", True, {"seed": 7, "data": "/there", "patch_size": 32})
    own = WorkerSettings(seed=1, data="/here", log_level="debug", cache_dir=tmp_path)
    found = run.training_settings(own)
    assert (found.seed, found.patch_size, found.data) == (7, 32, "/here")
    assert (found.log_level, found.cache_dir) == ("debug", tmp_path)
    assert run.training_settings(WorkerSettings()).data == "/there"


def test_a_setting_that_this_version_does_not_know_is_one_sentence():
    with pytest.raises(ServiceError, match=r"does not understand \(colour\); install the same"):
        RunInfo("r", "PYRO:d@h:1", True, {"colour": "red"}).training_settings(WorkerSettings())


def test_the_storage_lies_where_the_dispatcher_does():
    assert RunInfo("r", "PYRO:x@h:1").storage == "PYRO:hpbandster.run_r.storage@h:1"


class Strange:
    """Is found where a nameserver and a master should be, and answers anything."""

    def __init__(self, said):
        self._said = said

    @Pyro4.expose
    def list(self, prefix):
        return self.terms()

    @Pyro4.expose
    def terms(self):
        if isinstance(self._said, Exception):
            raise self._said
        return self._said

    @Pyro4.expose
    def renew(self, name, doing):
        pass


TERMS = {"settings": {}, "heartbeat": 1.0, "token": ""}


@pytest.mark.parametrize(
    "said",
    [None, 7, ["a"], {1: "x"}, KeyError("x"), ValueError("\n")]
    + [TERMS | {"heartbeat": odd} for odd in (None, "x", -1, 0, float("inf"), float("nan"))],
)
def test_a_nameserver_or_a_master_that_is_none_is_asked_again(said):
    """Its answer is an error of the wire, as its silence would be; a traceback was the end."""
    pyro.set_up_pyro()
    daemon = Daemon("127.0.0.1", admits=())
    uri = daemon.register(Strange(said), NAMESERVER)
    serve_in_background(daemon, "strange")
    try:
        if not isinstance(said, dict) or 1 in said:
            with pytest.raises(pyro.TRANSIENT):
                run_info.runs(WorkerSettings(host="127.0.0.1", port=uri.port))
        with pytest.raises(pyro.TRANSIENT), pyro.proxy(str(uri)) as master:
            run_info.ask("r", master)
    finally:
        daemon.shutdown()
