"""The worked example of CONTRIBUTING.md: from an empty file to a passing contract."""

import re
import subprocess
import sys

import pytest
from helpers.commands import ROOT

from bohb_seg.testing.models import ModelContract

pytestmark = pytest.mark.training

PAGE = ROOT / "CONTRIBUTING.md"
FORGOTTEN = "kernel_initializer=start, dtype=precision)(x)", "dtype=precision)(x)"
"""The seed of the last layer."""


@pytest.fixture
def files(tmp_path):
    """A folder with the files that the page tells to write."""
    model, space = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.M)
    (tmp_path / "net.py").write_text(model)
    (tmp_path / "net_space.py").write_text(space)
    return tmp_path


def test_it_keeps_the_contracts(files):
    command = "-m bohb_seg.testing --model net.py --space net_space.py"
    assert command in PAGE.read_text()
    done = subprocess.run(
        [sys.executable, *command.split()],
        capture_output=True,
        text=True,
        check=False,
        cwd=files,
        timeout=500,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\b\d\d passed", done.stdout)


def test_a_forgotten_seed_is_told(files):
    contract = ModelContract()
    contract.test_the_seed_decides_the_weights(str(files / "net.py"))
    source = (files / "net.py").read_text()
    assert source.count(FORGOTTEN[0]) == 1
    (files / "forgot.py").write_text(source.replace(*FORGOTTEN))
    with pytest.raises(AssertionError):
        contract.test_the_seed_decides_the_weights(str(files / "forgot.py"))
    assert f"::{contract.test_the_seed_decides_the_weights.__name__}" in PAGE.read_text()
