"""``bohb-worker --check`` against real masters and nameservers: what it says, and its status."""

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import dataclass

import Pyro4
import pytest
import yaml
from helpers.commands import (
    PROGRAMS,
    STOCK,
    TOY,
    free_port,
    only_sentence,
    processes,
    refused,
    wait_until,
)

from bohb_seg.datasets import synthetic
from bohb_seg.rpc import certificates
from bohb_seg.storage import journal
from bohb_seg.worker import service

pytestmark = pytest.mark.loopback

STRANGE = PROGRAMS / "strange.py"
LINE = re.compile(r"(ok|note|FAIL) +(\S+) +(\S.*)")
NO_BACKEND = {"KERAS_BACKEND": "torch"}
"""Fails at once, so that what has nothing to do with Keras can be looked at without it."""
UNSEEN = {"CUDA_VISIBLE_DEVICES": "no-such-gpu", "KERAS_BACKEND": ""}
"""The machine seems to have a GPU, and the backend sees none."""


@dataclass(frozen=True)
class Report:
    """What a check said."""

    status: int
    marks: dict[str, str]
    texts: dict[str, str]
    last: str

    @property
    def failed(self) -> list[str]:
        return [name for name, mark in self.marks.items() if mark == "FAIL"]


def check(*flags: object, **environment: str) -> Report:
    command = [sys.executable, "-m", "bohb_seg.commands.worker", "--check", *map(str, flags)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=120, env={**os.environ, **environment}
    )
    assert "Traceback" not in done.stderr, done.stderr
    *lines, last = done.stdout.splitlines()
    found = [LINE.fullmatch(line) for line in lines]
    assert all(found), done.stdout
    marks = {match[2]: match[1] for match in found}
    return Report(done.returncode, marks, {match[2]: match[3] for match in found}, last)


def reaches(host: str, port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((host, port)) == 0


@pytest.fixture(scope="module")
def started(tmp_path_factory):
    with processes(tmp_path_factory.mktemp("check")) as commands:
        yield commands


@pytest.fixture(scope="module")
def certs(tmp_path_factory):
    """Our authority's, another's, and such as have expired or are about to."""
    folder = tmp_path_factory.mktemp("certificates")
    for name, days in {"ours": 3650, "another": 3650, "expired": 0, "ending": 5}.items():
        certificates.make(folder / name, days=days)
    return folder


@pytest.fixture(scope="module")
def master(started, certs):
    """Starts a master that waits for its first worker; returns its port."""

    def start(run_id, *flags):
        port = free_port()
        common = ("--run-id", run_id, "--port", port, "--local-workers", 0)
        process = started.start("bohb_seg.commands.master", *common, *flags)
        ready = f"--port {port} --run-id {run_id}"
        wait_until(lambda: ready in started.log(process) or process.poll() is not None)
        assert process.poll() is None, started.log(process)
        return port

    return start


@pytest.fixture(scope="module")
def toy(master):
    return master("toy", *TOY)


@pytest.fixture(scope="module")
def secured(master, certs):
    return master("secured", *TOY, "--tls", certs / "ours")


@pytest.fixture(scope="module")
def aerial(master):
    """With data, cut otherwise than by default; the fingerprint is in its settings."""
    return master("aerial", "--patch-size", 32)


@pytest.fixture(scope="module")
def pyro(started):
    """Pyro4's own nameserver, knowing nobody."""
    port = free_port()
    started.start("Pyro4.naming", "--host", "127.0.0.1", "--port", port)
    wait_until(lambda: reaches("127.0.0.1", port))
    return port


@pytest.fixture
def names(pyro):
    """The nameserver's proxy; what a test registers is gone after it."""
    with Pyro4.Proxy(f"PYRO:Pyro.NameServer@127.0.0.1:{pyro}") as remote:
        yield remote
        remote.remove(prefix="hpbandster")


# --- everything -------------------------------------------------------------------------------


def test_a_worker_that_could_start_trained_nothing_and_joined_nothing(aerial, started):
    report = check("--port", aerial, **UNSEEN)
    assert (report.status, report.last) == (0, "ready"), report
    assert list(report.marks.items()) == [
        ("versions", "ok"),
        ("machine", "ok"),
        ("certificates", "ok"),
        ("nameserver", "ok"),
        ("run", "ok"),
        ("address", "ok"),
        ("program", "ok"),
        ("backend", "ok"),
        ("device", "note"),
        ("cache", "ok"),
        ("data", "ok"),
        ("admission", "ok"),
    ]
    run_dir = started.folder / "results/aerial"
    fingerprint = yaml.safe_load((run_dir / "settings.yaml").read_text())["data_fingerprint"]
    texts = report.texts
    assert re.match(r"bohb-seg \S+, hpbandster 0.7.4, Pyro4 4.82, Python 3\.1", texts["versions"])
    assert "1 NVIDIA GPUs" in texts["machine"]
    assert re.fullmatch(r"(tensorflow|jax) \d\S+, Keras 3\.\S+", texts["backend"])
    assert re.fullmatch(
        r"cpu \(.*\), (float32|mixed_bfloat16): \S+ sees none of .*", texts["device"]
    )
    assert f"127.0.0.1:{aerial} answers and knows aerial" in texts["nameserver"]
    assert "synthetic, 96 images, patches: 272 train, 56 validation, 56 test" in texts["data"]
    assert texts["data"].endswith(f"fingerprint {fingerprint[:12]}")
    assert len(journal.read(run_dir / journal.FILE_NAME)) == 1


def test_everything_is_looked_at_whatever_has_failed(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "broken.py").write_text("import no_such_module\n")
    flags = ("--worker", tmp_path / "broken.py", "--cache-dir", tmp_path / "file/cache")
    report = check(
        *flags, "--port", free_port(), "--device", "gpu", "--bind", "192.0.2.1", **UNSEEN
    )
    assert report.status == 2
    assert report.failed == ["nameserver", "address", "program", "device", "cache"]
    assert report.last == f"not ready: {', '.join(report.failed)}"
    assert "--bind 192.0.2.1 is no address of this machine" in report.texts["address"]
    assert "No module named 'no_such_module'" in report.texts["program"]
    assert re.match(r"--device gpu: \S+ sees no GPU here", report.texts["device"])
    assert "file/cache cannot be written (Not a directory)" in report.texts["cache"]


def test_the_worker_itself_refuses_to_train_on_the_processor_instead(tmp_path):
    command = [sys.executable, "-m", "bohb_seg.commands.worker", "--device", "gpu"]
    environment = {**os.environ, **UNSEEN}
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment)
    assert "sees no GPU here" in only_sentence(done.returncode, done.stderr)


def test_a_program_that_does_not_train_with_keras_needs_none(toy):
    report = check("--port", toy, "--worker", "toy")
    assert report.status == 0
    assert set(report.marks.values()) == {"ok"}
    assert "not loaded" in report.texts["backend"]
    assert "device" not in report.marks
    assert report.texts["data"] == "none"


def test_a_program_that_fails_when_it_is_asked(toy, tmp_path):
    program = tmp_path / "faulty.py"
    program.write_text(
        f"{STRANGE.read_text()}\n    def facts(self):\n        raise ValueError('1\\n2')\n"
    )
    report = check("--port", toy, "--worker", program)
    assert (report.status, report.failed) == (2, ["data"])
    assert report.texts["data"] == "ValueError: 1 2"
    assert report.marks["admission"] == "ok"


def test_it_ends_by_a_signal_without_success():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        flags = ("--check", "--only", "nameserver", "--port", silent.getsockname()[1])
        command = [sys.executable, "-m", "bohb_seg.commands.worker", *map(str, flags)]
        with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout.readline().startswith(b"ok    certificates")
            process.terminate()
            assert process.wait(60) == -signal.SIGTERM


# --- only the nameserver ----------------------------------------------------------------------


def test_the_nameserver_alone_is_asked_without_keras(toy):
    code = (
        "import sys; from bohb_seg.commands import worker\n"
        f"sys.argv = 'bohb-worker --check --only nameserver --port {toy}'.split()\n"
        "try: worker.main()\n"
        "except SystemExit as end: print(end.code)\n"
        "print(sorted({'keras', 'tensorflow', 'jax', 'cv2', 'ConfigSpace'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *lines, status, heavy = done.stdout.splitlines()
    assert [line.split()[:2] for line in lines[:-1]] == [
        ["ok", "certificates"],
        ["ok", "nameserver"],
    ]
    assert (lines[-1], status, heavy) == ("ready", "0", "[]")


def nameserver(*flags):
    """What is found of the nameserver alone, which must be a failure."""
    report = check("--only", "nameserver", *flags)
    assert (report.status, report.failed) == (2, ["nameserver"]), report
    return report.texts["nameserver"]


def test_nobody_is_there():
    port = free_port()
    said = nameserver("--port", port)
    assert f"--host 127.0.0.1 --port {port} cannot be reached (Connection refused)" in said
    assert "start the master" in said


def test_a_name_that_means_nothing_and_is_not_this_machine():
    report = check("--host", "no such host", "--worker", "toy")
    assert report.failed == ["nameserver", "address"]
    assert "--host no such host" in report.texts["nameserver"]
    assert "no way leads to --host no such host" in report.texts["address"]


def test_who_takes_connections_and_says_nothing():
    with socket.create_server(("127.0.0.1", 0)) as silent:
        said = nameserver("--port", silent.getsockname()[1])
    assert "does not answer as a nameserver" in said
    assert "timed out" in said or "timeout" in said


def test_another_service_on_the_port():
    with socket.create_server(("127.0.0.1", 0)) as other:

        def answer():
            for _ in range(2):
                peer, _ = other.accept()
                peer.sendall(b"HTTP/1.1 400 Bad Request\r\nServer: something else\r\n\r\n" * 2)
                peer.close()

        threading.Thread(target=answer, daemon=True).start()
        said = nameserver("--port", other.getsockname()[1])
    assert "does not answer as a nameserver" in said
    assert "check --port" in said


def test_a_nameserver_on_the_network_without_tls_is_noted(started):
    try:
        own = service.address_towards("192.0.2.1", 9)
    except OSError:
        pytest.skip("this machine has no network")
    port = free_port()
    started.start("Pyro4.naming", "--host", own, "--port", port)
    wait_until(lambda: reaches(own, port))
    report = check("--only", "nameserver", "--host", own, "--port", port)
    assert (report.status, report.marks["nameserver"]) == (0, "note")
    assert "nothing is encrypted" in report.texts["nameserver"]


def test_a_run_directory_tells_where_the_master_is(toy, started, tmp_path):
    report = check("--run-dir", started.folder / "results/toy", "--only", "nameserver")
    assert report.status == 0
    assert f"127.0.0.1:{toy} answers and knows toy" in report.texts["nameserver"]
    unknown = check("--run-dir", tmp_path, "--worker", "toy")
    assert unknown.failed == ["nameserver", "address"]
    assert f"--run-dir {tmp_path} does not tell where the master is" in unknown.texts["nameserver"]
    (tmp_path / "nameserver.json").write_text("null")
    over = check("--run-dir", tmp_path, "--only", "nameserver")
    assert over.texts["nameserver"] == f"the run in {tmp_path} is finished"


# --- certificates -----------------------------------------------------------------------------


def test_with_tls_on_both_sides_and_no_more_files_than_a_worker_needs(secured, certs, tmp_path):
    for name in ("ca.pem", "worker.pem", "worker.key"):
        shutil.copy(certs / "ours" / name, tmp_path)
    report = check("--port", secured, "--worker", "toy", "--tls", tmp_path)
    assert (report.status, set(report.marks.values())) == (0, {"ok"}), report
    assert report.texts["admission"] == "the master of secured would take this worker"
    assert re.search(r" are valid until 20\d\d-\d\d-\d\d$", report.texts["certificates"])


def test_with_tls_on_one_side_only(secured, toy, certs):
    assert "give --tls if the master has it" in nameserver("--port", secured)
    said = nameserver("--port", toy, "--tls", certs / "ours")
    assert "takes connections" in said
    assert "give both sides --tls" in said


def test_with_certificates_of_another_authority(secured, certs):
    said = nameserver("--port", secured, "--tls", certs / "another")
    assert "another (" in said
    assert "certificate verify failed" in said
    assert "bohb-certs" in said


def test_certificates_that_have_expired(secured, certs):
    report = check("--port", secured, "--tls", certs / "expired", "--only", "nameserver")
    assert (report.status, report.marks) == (2, {"certificates": "FAIL"})
    assert re.search(r"expired on 20\d\d-\d\d-\d\d; make new ones", report.texts["certificates"])


def test_certificates_that_will_soon_expire_and_a_key_for_all_to_read(certs, tmp_path):
    folder = tmp_path / "ending"
    shutil.copytree(certs / "ending", folder)
    (folder / "worker.key").chmod(0o644)
    report = check("--port", free_port(), "--tls", folder, "--only", "nameserver")
    assert report.marks["certificates"] == "note"
    assert "make new ones" in report.texts["certificates"]
    assert "chmod 600" in report.texts["certificates"]


# --- the run ----------------------------------------------------------------------------------


def test_a_nameserver_without_runs_is_no_failure(pyro):
    report = check("--port", pyro, "--worker", "toy")
    assert (report.status, report.last) == (0, "ready")
    assert report.texts["nameserver"].endswith("knows no run yet")
    assert report.marks["run"] == "note"
    assert "admission" not in report.marks


def test_nor_is_a_run_that_is_not_there_yet(toy):
    report = check("--port", toy, "--worker", "toy", "--run-id", "tomorrow")
    assert (report.status, report.marks["run"]) == (0, "note")
    assert "tomorrow is not there yet" in report.texts["run"]


def test_several_runs_and_a_master_that_is_gone(pyro, names):
    for run_id in "ab":
        names.register(f"hpbandster.run_{run_id}.dispatcher", f"PYRO:x@127.0.0.1:{free_port()}")
    undecided = check("--port", pyro, "--worker", "toy")
    assert (undecided.status, undecided.failed) == (2, ["run"])
    assert "choose --run-id a or b" in undecided.texts["run"]
    decided = check("--port", pyro, "--worker", "toy", "--run-id", "b")
    assert (decided.status, decided.failed) == (2, ["run"])
    assert "the master of b does not answer at 127.0.0.1:" in decided.texts["run"]
    assert "Connection refused" in decided.texts["run"]


def test_a_master_of_hpbandster(started):
    port = free_port()
    started.start(STOCK, "master", "old", "127.0.0.1", port, 1, 3)

    def knows():
        try:
            with Pyro4.Proxy(f"PYRO:Pyro.NameServer@127.0.0.1:{port}") as remote:
                return "hpbandster.run_old.dispatcher" in remote.list()
        except Pyro4.errors.PyroError:
            return False

    wait_until(knows)
    report = check("--port", port, "--worker", "toy")
    assert report.status == 0
    assert report.texts["run"] == "the stock HpBandSter master of old answers"
    assert "admission" not in report.marks


@pytest.mark.parametrize(
    ("lie", "words"),
    [
        ({"FINGERPRINT": "f" * 64}, "its data (ffffffffffff) is not the run's"),
        ({"VERSION": "0.0.0"}, "its bohb-seg (0.0.0) is not the run's"),
    ],
)
def test_what_the_master_would_refuse(aerial, lie, words):
    report = check("--port", aerial, "--worker", STRANGE, **lie)
    assert (report.status, report.failed) == (2, ["admission"])
    assert "the master of aerial would refuse this worker" in report.texts["admission"]
    assert words in report.texts["admission"]


def test_other_data_than_the_run_has(aerial, tmp_path):
    synthetic.make(tmp_path / "scenes", 12, 192, 128, seed=1)
    report = check("--port", aerial, "--data", tmp_path / "scenes", **NO_BACKEND)
    assert (report.status, report.failed) == (2, ["backend", "admission"])
    assert f"{tmp_path / 'scenes'}, 24 images" in report.texts["data"]
    found = report.texts["data"].rpartition(" ")[2]
    assert f"its data ({found}) is not the run's" in report.texts["admission"]


def test_a_cache_that_is_there_and_cannot_be_written_by_anybody(toy):
    report = check("--port", toy, "--worker", "toy", "--cache-dir", "/proc")
    assert (report.status, report.failed) == (2, ["cache"])
    assert report.texts["cache"].startswith("--cache-dir /proc cannot be written")


def test_data_and_cache_that_are_not_there(toy, tmp_path):
    (tmp_path / "file").touch()
    report = check("--port", toy, "--cache-dir", tmp_path / "file/cache", **NO_BACKEND)
    assert report.failed == ["backend", "cache", "data"]
    missing = check("--port", toy, "--data", tmp_path / "nowhere", **NO_BACKEND)
    assert missing.failed == ["backend", "data"]
    assert "nowhere is neither a folder nor a data set" in missing.texts["data"]


# --- bad input --------------------------------------------------------------------------------


def test_only_one_thing_can_be_asked_for_alone():
    assert "--only everything" in refused(
        "bohb_seg.commands.worker", "--check", "--only", "everything"
    )
