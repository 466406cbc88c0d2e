"""What the README tells to type on a Debian that has Python and nothing to compile with."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers import debian

pytestmark = pytest.mark.deploy

ROOT = Path(__file__).parents[2]
PACKAGES = ("ca-certificates", "python3-venv")
SUPPORTED = ((3, 11), (3, 12))
LEFT_BEHIND = shutil.ignore_patterns(".*", "__pycache__", "results", "tests", "benchmarks", "docs")
TOY = "--worker toy --space counting --n-iterations 1 --no-comparison --local-workers 1"


@pytest.fixture(scope="module")
def machine(tmp_path_factory):
    """A function that runs commands of the shell on such a Debian, with bohb-seg installed."""
    if reason := debian.why_not():
        pytest.skip(reason)
    if shutil.which("systemd-nspawn") is None:
        pytest.skip("systemd-nspawn not installed")
    root = debian.root(tmp_path_factory.mktemp("bare") / "root", PACKAGES)
    if debian.python(root) not in SUPPORTED:
        debian.remove(root)
        pytest.skip("Debian's own Python is not one that the README asks for")
    shutil.copytree(ROOT, root / "root/source", ignore=LEFT_BEHIND)

    def run(script):
        enter = "cd /root/source && export PIP_NO_COMPILE=1 PIP_PROGRESS_BAR=off"
        return debian.inside(root, "sh", "-euc", f"{enter}\n{script}", folders=_pip_cache())

    yield run
    debian.remove(root)


def test_it_is_installed_without_a_compiler_and_runs(machine):
    assert "none" in machine("command -v cc gcc c++ clang || echo none")

    machine(_install())

    said = machine(f"/opt/bohb-seg/bin/bohb-master {TOY} --run-dir /root/run")
    assert "done; the report is /root/run/report/report.html" in said
    # There is no master, of which the check complains; all else is as it must be.
    said = machine("/opt/bohb-seg/bin/bohb-worker --check || true")
    assert re.findall(r"^FAIL +(\w+)", said, re.MULTILINE) == ["nameserver"], said
    assert re.search("^ok +backend +tensorflow", said, re.MULTILINE), said


def _install() -> str:
    """The one block of the README that installs with pip."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", (ROOT / "README.md").read_text(), re.M | re.S)
    (found,) = [block for block in blocks if "pip install" in block]
    return found


def _pip_cache() -> dict[Path, str]:
    """This machine's, so that TensorFlow is loaded once."""
    command = [sys.executable, "-m", "pip", "cache", "dir"]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    Path(found).mkdir(parents=True, exist_ok=True)
    return {Path(found): "/root/.cache/pip"}
