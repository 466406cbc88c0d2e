"""``python -m bohb_seg.testing``, as somebody with a file of his own runs it."""

import re
import subprocess
import sys

import pytest

SPACE = """
from ConfigSpace import ConfigurationSpace
def space():
    return ConfigurationSpace({"rings": (0.5, 2.5)})
"""
OWN = """
from hpbandster.core.worker import Worker
class Own(Worker):
    def compute(self, config_id, config, budget, working_directory):
        return {"loss": config["rings"] / budget}
"""

pytestmark = pytest.mark.loopback


def contracts(folder, *flags):
    command = [sys.executable, "-m", "bohb_seg.testing", *map(str, flags)]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, check=False)


def counted(done):
    return {word: int(number) for number, word in re.findall(r"(\d+) (\w+)", done.stdout[-200:])}


def test_plugins_that_keep_their_contracts(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    (tmp_path / "space.py").write_text(SPACE)
    done = contracts(
        tmp_path, *("--optimizer", "random", "--space", "space.py", "--worker", "own.py:Own")
    )
    assert done.returncode == 0, done.stdout
    # The space is for a worker with hyperparameters of its own: no model is asked.
    assert counted(done) == {"passed": 30, "skipped": 3} | seconds(done)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["own.py", "space.py"]


def seconds(done):
    """The time that stands in the same line."""
    return {word: number for word, number in counted(done).items() if word in ("in", "s")}


def test_a_plugin_that_does_not(tmp_path):
    (tmp_path / "space.py").write_text(SPACE)
    done = contracts(tmp_path, "--space", "space.py")
    assert done.returncode == 1
    assert "test_training_understands_every_configuration" in done.stdout
    assert "neither training nor the model unet knows" in done.stdout


def test_a_file_that_is_not_there(tmp_path):
    done = contracts(tmp_path, "--model", "gone.py")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"bohb_seg.testing: --model gone.py: there is no file {tmp_path}/gone.py; check the path\n"
    )


def test_no_plugin_at_all(tmp_path):
    done = contracts(tmp_path)
    assert done.returncode == 2
    assert "name a plug-in" in done.stderr
