"""Evaluations that end early, and others that go on: nothing may tell from the result."""

import contextlib
import logging
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
from helpers import scenes
from helpers.commands import TESTS

from bohb_seg.files import write_whole
from bohb_seg.training import artefacts, evaluation
from bohb_seg.training.evaluation import evaluate
from bohb_seg.training.interruption import Interrupted, Interruption

pytestmark = pytest.mark.training

EVERYTHING = {
    **{"batch_size": 4, "base_filters": 8, "depth": 2, "learning_rate": 3e-3},
    **{"optimizer": "adamw", "weight_decay": 1e-3, "schedule": "cosine", "norm": "batch"},
    **{"dropout": 0.3, "loss": "dice+focal", "augmentation": 0.5, "activation": "relu"},
}
EPOCHS = 4
TRIAL = (0, 0, 4)
COMPARISON = (-1, 1, 0)
LONG = 120.0


@pytest.fixture
def train(settings, data, tmp_path):
    def train(interruption=None, trial=TRIAL, folder=tmp_path, epochs=EPOCHS):
        job = scenes.job(trial, EVERYTHING, float(epochs), folder)
        return evaluate(settings(), data, job, interruption)

    return train


@pytest.fixture
def expected(train, tmp_path_factory):
    """What an evaluation that nothing disturbed gives; made once."""
    if not _expected:
        _expected.append(train(folder=tmp_path_factory.mktemp("undisturbed")))
    return _expected[0]


_expected = []


@contextlib.contextmanager
def on_log(text, act):
    """Calls ``act`` when the evaluation has logged ``text``."""

    class Listener(logging.Handler):
        def emit(self, record):
            if text in record.getMessage():
                act()

    listener, logger = Listener(), logging.getLogger("bohb_seg")
    level = logger.level
    logger.addHandler(listener)
    logger.setLevel(logging.INFO)
    yield
    logger.removeHandler(listener)
    logger.setLevel(level)


def after(epoch, interruption):
    return on_log(f"epoch {epoch}/", lambda: interruption.request("told to"))


def files(folder, trial=TRIAL):
    place = folder / "checkpoints" / "-".join(map(str, trial))
    return sorted(path.name for path in place.iterdir()) if place.exists() else []


def assert_same(result, expected, continued_from):
    info = result["info"]
    facts = [info[name] for name in ("epochs", "continued_from", "epochs_trained")]
    assert facts == [EPOCHS, continued_from, EPOCHS - continued_from]
    for name, curve in expected["info"]["curves"].items():
        if name != "seconds":
            assert info["curves"][name] == pytest.approx(curve, abs=1e-5), name
    assert result["loss"] == pytest.approx(expected["loss"], abs=1e-5)


@pytest.mark.parametrize("epoch", range(1, EPOCHS))
def test_interrupted_after_any_epoch_and_continued_is_undisturbed(train, expected, tmp_path, epoch):
    interruption = Interruption()
    with after(epoch, interruption), pytest.raises(Interrupted, match="told to"):
        train(interruption)
    assert files(tmp_path) == [f"epoch-{epoch:05d}.npz"]
    assert_same(train(), expected, continued_from=epoch)


def test_an_interruption_after_the_last_epoch_is_too_late(train):
    interruption = Interruption()
    with after(2, interruption):
        result = train(interruption, epochs=2)
    assert interruption.reason == "told to"
    assert result["info"]["epochs_trained"] == 2


def test_an_interruption_that_came_before_trains_nothing(train, tmp_path):
    interruption = Interruption()
    interruption.request("first")
    interruption.request("second")
    with pytest.raises(Interrupted, match="first"):
        train(interruption)
    assert files(tmp_path) == []


def test_what_a_killed_worker_had_on_disk_is_continued(train, expected, tmp_path, monkeypatch):
    """Nobody can act on its end: only what is written counts."""
    monkeypatch.setattr(evaluation.checkpoints, "LONGEST_LOSS", 0.0)
    monkeypatch.setattr(evaluation.checkpoints, "SHARE", 1e9)

    class Killed(BaseException):
        pass

    def kill():
        raise Killed

    with on_log("epoch 3/", kill), pytest.raises(Killed):
        train()
    assert files(tmp_path) == ["epoch-00003.npz"]
    assert_same(train(), expected, continued_from=3)


def test_the_comparison_is_continued_too(train, tmp_path):
    expected = train(folder=tmp_path / "in one go", trial=COMPARISON)
    interruption = Interruption()
    with after(3, interruption), pytest.raises(Interrupted):
        train(interruption, COMPARISON)
    assert files(tmp_path, COMPARISON) == ["epoch-00003.npz"]
    assert not (tmp_path / "comparison").exists()
    result = train(trial=COMPARISON)
    assert_same(result, expected, continued_from=3)
    assert (tmp_path / result["info"]["artefacts"] / "model.keras").is_file()


def test_a_comparison_of_another_length_has_another_schedule(train):
    train(trial=COMPARISON, epochs=2)
    assert train(trial=COMPARISON)["info"]["continued_from"] == 0


# --- a process that is told to leave ----------------------------------------------------------

LEAVES = """
import importlib.util, logging, sys
from pathlib import Path
from bohb_seg.training import devices
devices.prepare("cpu", threads=1)
from bohb_seg.data.audit import Audit
from bohb_seg.training.evaluation import evaluate
from bohb_seg.training.interruption import Interrupted, Interruption
from bohb_seg.worker.shutdown import Shutdown
sys.path.insert(0, sys.argv[1])
from helpers import scenes
logging.basicConfig(level="INFO", stream=sys.stdout, format="%(message)s")
shutdown = Shutdown()
shutdown.notice = float(sys.argv[3])
shutdown.evaluation = Interruption()
shutdown.listen()
data = scenes.data(Audit(18, 3, {}, 0, {}, 0.0, 0.0, {}, (), ()))
job = scenes.job((0, 0, 4), eval(sys.argv[4]), float(sys.argv[5]), Path(sys.argv[2]))
try:
    evaluate(scenes.settings(cache_dir=sys.argv[2]), data, job, shutdown.evaluation)
except Interrupted as reason:
    print("ended:", reason)
"""


@pytest.mark.parametrize("notice", [0, 1000])
def test_a_process_that_is_told_to_leave_in_an_epoch(train, tmp_path, notice):
    """Without notice the epoch is lost, with one it is finished; either way nothing else is."""
    epochs = 400
    here = str(TESTS)
    arguments = (here, str(tmp_path), str(notice), repr(EVERYTHING), str(epochs))
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", LEAVES, *arguments], stdout=subprocess.PIPE, text=True
    )
    said = []
    for line in process.stdout:
        said.append(line)
        if "epoch 2/" in line:
            process.send_signal(signal.SIGTERM)
    assert process.wait(LONG) == 0
    assert said[-1] == "ended: told to by SIGTERM\n"
    done = sum("epoch" in line for line in said)
    assert 2 <= done < epochs
    assert files(tmp_path) == [f"epoch-{done:05d}.npz"]
    if notice:
        return
    # Of an epoch that was cut off nothing is left: it goes on like one that never stopped.
    more = done + 2
    expected = train(folder=tmp_path / "in one go", epochs=more)["info"]
    info = train(epochs=more)["info"]
    assert info["continued_from"] == done
    # It had one thread, so sums differ in their last digits, and a pixel may tip over in Dice.
    for name, tolerance in {"train_loss": 1e-5, "validation_loss": 2e-3}.items():
        assert info["curves"][name] == pytest.approx(expected["curves"][name], abs=tolerance), name


# --- a damaged checkpoint ---------------------------------------------------------------------


def test_a_bit_that_flips_costs_a_checkpoint_and_not_the_result(train, expected, tmp_path):
    train(epochs=2)
    (path,) = (tmp_path / "checkpoints").glob("*/*.npz")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    result = train()
    assert_same(result, expected, continued_from=0)
    assert result["info"]["checkpoint"] == (
        "the checkpoint after epoch 2 was lost (its bits are not those that were written), so"
        " training began again"
    )


# --- a full disk ------------------------------------------------------------------------------


@pytest.fixture
def disk(tmp_path):
    """A disk of 1 MiB that is full, and the file to be removed for some room."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs root")
    ballast = place / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    yield place, ballast
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_costs_the_checkpoint_and_not_the_result(train, expected, disk):
    place, _ = disk
    result = train(folder=place)
    assert_same(result, expected, continued_from=0)
    assert result["info"]["checkpoint"].startswith("after epoch 4 the disk of ")
    assert expected["info"]["checkpoint"] is None


@pytest.mark.parametrize("ends", ["room", "interruption"])
def test_the_comparison_waits_for_room(train, disk, monkeypatch, ends):
    place, ballast = disk
    monkeypatch.setattr(artefacts, "RETRY_INTERVAL", 0.2)
    waits, results, interruption = threading.Event(), [], Interruption()

    def compare():
        try:
            results.append(train(interruption, COMPARISON, place, epochs=1))
        except Interrupted as reason:
            results.append(str(reason))

    thread = threading.Thread(target=compare)
    with on_log("is full; waiting for room", waits.set):
        thread.start()
        assert waits.wait(LONG)
        time.sleep(0.5)  # some tries in vain
        assert not results
        ballast.unlink() if ends == "room" else interruption.request("told to")
        thread.join(LONG)
    (result,) = results
    if ends == "interruption":
        assert result == "told to"
    else:
        assert (place / result["info"]["artefacts"] / "predictions.npz").is_file()
        assert not list(place.rglob(".*"))


# --- a run directory that is away -------------------------------------------------------------


def writes_below(run_dir):
    return lambda: write_whole(run_dir / "comparison/default-0/file", b"", within=run_dir)


def test_the_comparison_waits_until_the_run_directory_is_back(tmp_path, monkeypatch):
    monkeypatch.setattr(artefacts, "RETRY_INTERVAL", 0.05)
    run_dir = tmp_path / "run"
    with on_log("run is away; waiting until it is back", run_dir.mkdir):
        artefacts.when_there_is_room(writes_below(run_dir), run_dir, Interruption())
    assert (run_dir / "comparison/default-0/file").exists()


def test_the_comparison_waits_so_long_and_no_longer(tmp_path, monkeypatch):
    monkeypatch.setattr(artefacts, "RETRY_INTERVAL", 0.05)
    monkeypatch.setattr(artefacts, "AWAY_AT_MOST", 0.2)
    run_dir = tmp_path / "run"
    with pytest.raises(FileNotFoundError):
        artefacts.when_there_is_room(writes_below(run_dir), run_dir, Interruption())
    assert not run_dir.exists()
