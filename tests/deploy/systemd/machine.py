"""A machine of our own: a Debian root that systemd-nspawn boots, with bohb-seg installed in it.

bohb-seg is installed from its wheel, by pip, into /opt/bohb-seg; what it depends on is lent
by the virtual environment that runs the tests. Its network is a loopback of its own.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest
from helpers import debian

ROOT = Path(__file__).parents[3]
UNITS = ROOT / "deploy" / "systemd"
PACKAGES = ("dbus", "iproute2", "python3-venv", "systemd", "systemd-sysv")
PREFIX = "/opt/bohb-seg"
"""Where the units expect bohb-seg."""
LENT = "/opt/dependencies"
"""In the machine: where the packages of these tests' virtual environment are seen."""
PATIENCE = 120.0
"""Seconds until something that should happen by itself counts as not happening."""

Found = TypeVar("Found")


def why_not() -> str:
    """Why no machine can be booted here; "" if one can."""
    if missing := [tool for tool in ("systemd-nspawn", "nsenter") if shutil.which(tool) is None]:
        return f"{' and '.join(missing)} not installed"
    return debian.why_not()


def blocks() -> list[str]:
    """What the units' README tells to type: to install, to start a master, to check."""
    readme = (UNITS / "README.md").read_text()
    return re.findall(r"^```sh\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Machine:
    """One that runs.

    Args:
        root: Its files, as seen from here.
        leader: Its process 1, as seen from here.
    """

    root: Path
    leader: int

    def run(self, *command: str, check: bool = True) -> str:
        """Runs a command as the machine's root; returns what it said.

        Raises:
            AssertionError: its status was not 0 although ``check``; tells what it said.
        """
        enter = ["nsenter", f"--target={self.leader}", "--all", "--wdns=/"]
        done = subprocess.run(
            [*enter, "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert done.returncode == 0 or not check, f"{command}: {done.stdout}"
        return done.stdout

    def state(self, unit: str, *names: str) -> dict[str, str]:
        """Some properties of a unit."""
        shown = self.run("systemctl", "show", unit, f"--property={','.join(names)}")
        return dict(line.split("=", 1) for line in shown.splitlines())

    def journal(self, unit: str = "bohb-*") -> str:
        """What units have said."""
        return self.run("journalctl", "--output=cat", f"--unit={unit}")

    def until(self, condition: Callable[[], Found], what: str) -> Found:
        """Polls until ``condition()`` holds; tells what all units said if it never does."""
        deadline = time.monotonic() + PATIENCE
        while not (found := condition()):
            in_vain = time.monotonic() > deadline
            assert not in_vain, f"waited in vain until {what}\n{self.journal()[-9000:]}"
            time.sleep(0.1)
        return found


@contextmanager
def booted(folder: Path) -> Iterator[Machine]:
    """A machine with bohb-seg and our units, installed as the README tells; gone afterwards."""
    root = debian.root(folder / "root", PACKAGES)
    if debian.python(root) != sys.version_info[:2]:
        debian.remove(root)
        pytest.skip("Debian's own Python cannot use the packages that these tests run with")
    _install(root)
    shutil.copytree(UNITS, root / "root" / "systemd")
    nspawn = ["systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit"]
    options = ("--private-network", f"--bind-ro={_site_packages()}:{LENT}")
    with (folder / "console.log").open("wb") as console:
        process = subprocess.Popen(
            [*nspawn, *options, f"--directory={root}"],
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
            start_new_session=True,
        )
    try:
        machine = Machine(root, _leader(process))
        _wait_for_boot(machine)
        machine.run("sh", "-ec", f"cd /root/systemd && {blocks()[0]}")
        machine.run("sh", "-ec", blocks()[1].partition("systemctl")[0])  # the certificates
        yield machine
    finally:
        _kill(process)
        debian.remove(root)


def _install(root: Path) -> None:
    """Our wheel by pip, and a path to the dependencies."""
    wheels = root / "root" / "wheels"
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*build, f"--wheel-dir={wheels}", ROOT], check=True)
    wheel = f"/root/wheels/{next(wheels.iterdir()).name}"
    debian.inside(root, "python3", "-m", "venv", PREFIX)
    debian.inside(root, f"{PREFIX}/bin/pip", "install", "--no-index", "--no-deps", wheel)
    (own,) = root.glob(f"{PREFIX.lstrip('/')}/lib/python*/site-packages")
    (own / "dependencies.pth").write_text(f"{LENT}\n")


def _site_packages() -> str:
    return sysconfig.get_paths()["platlib"]


def _leader(nspawn: subprocess.Popen[bytes]) -> int:
    """Process 1 of the machine that nspawn has started."""
    deadline = time.monotonic() + PATIENCE
    while not (found := [child for child in _children(nspawn.pid) if _is_first(child)]):
        assert nspawn.poll() is None, "nspawn ended"
        assert time.monotonic() < deadline, "nspawn starts nothing"
        time.sleep(0.05)
    return found[0]


def _children(process: int) -> list[int]:
    return [
        int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()
    ]


def _is_first(process: int) -> bool:
    """Whether it is process 1 of a namespace of its own."""
    try:
        status = Path(f"/proc/{process}/status").read_text()
    except OSError:  # nspawn's helper, gone already
        return False
    numbers = next(line for line in status.splitlines() if line.startswith("NSpid:")).split()[1:]
    return len(numbers) > 1 and numbers[-1] == "1"


def _wait_for_boot(machine: Machine) -> None:
    def ready() -> bool:
        said = machine.run("systemctl", "is-system-running", check=False).strip()
        return said in ("running", "degraded")

    deadline = time.monotonic() + PATIENCE
    while not ready():
        assert time.monotonic() < deadline, "the machine does not boot"
        time.sleep(0.1)


def _kill(nspawn: subprocess.Popen[bytes]) -> None:
    """With process 1 all of the machine ends, and its mounts with its last process."""
    for child in _children(nspawn.pid):
        os.kill(child, signal.SIGKILL)
    nspawn.kill()
    nspawn.wait()
