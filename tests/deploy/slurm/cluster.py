"""A Slurm of our own: a controller and two nodes, each a machine of its own to all that runs on it.

A machine is a host of :mod:`helpers.hosts`, with its own address; it also has its own host name,
process numbers and /etc/hosts. The kernel ends all its processes with its first one, and that one
with us: whatever happens to a test, nothing of it stays. The disk is shared, as it has to be.
"""

import os
import re
import secrets
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from helpers import hosts
from helpers.cluster import Place
from helpers.hosts import Network

PATIENCE = 120.0
"""Seconds until something that should happen by itself counts as not happening."""
NODES = ("n1", "n2")

TOOLS = ("slurmctld", "slurmd", "sbatch", "munged", "unshare", "setpriv")
_WITH_US = ("setpriv", "--pdeathsig", "KILL")
_ALONE = ("unshare", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc")
_BOOT = 'mount --bind "$0" /etc/hosts && hostname "$1" && shift && "$@"; exit $?'
"""The shell stays, because the first process of a machine has to wait for all orphans."""

_CONFIGURATION = """
ClusterName=test
SlurmctldHost=ctl({ctl})
# A job that is requeued waits until its credential has expired.
AuthInfo=socket={folder}/munge.socket,cred_expire=5
SchedulerParameters=sched_interval=1,bf_interval=1
SlurmUser=root
# So that it matters what a job says of it.
JobRequeue=0
SlurmctldPidFile={folder}/slurmctld.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdPidFile={folder}/%n.pid
SlurmdLogFile={folder}/%n.log
SlurmdSpoolDir={folder}/%n
StateSaveLocation={folder}
SelectType=select/cons_tres
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
GresTypes=gpu
# Nodes are believed to have what stands here.
SlurmdParameters=config_overrides
NodeName=n1 NodeAddr={n1} CPUs=32 RealMemory=100000 Gres=gpu:2
NodeName=n2 NodeAddr={n2} CPUs=32 RealMemory=100000 Gres=gpu:2
PartitionName=all Nodes=n1,n2 Default=YES MaxTime=INFINITE
"""
_GPUS = "Name=gpu File=/dev/null,/dev/zero\n"
"""Two devices that can be handed out; nobody here computes on them."""

Found = TypeVar("Found")


def why_not() -> str:
    """Why no Slurm can be started here; "" if one can."""
    if absent := [tool for tool in TOOLS if shutil.which(tool) is None]:
        return f"{', '.join(absent)} not installed (Debian: slurm-wlm munge util-linux)"
    return hosts.missing()


@dataclass
class Slurm:
    """Its daemons and their machines.

    Args:
        folder: For configuration, state and logs.
        network: Three hosts: controller and nodes.
    """

    folder: Path
    network: Network
    daemons: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def start(self) -> None:
        """Starts everything and waits until both nodes are idle."""
        places = dict(zip(("ctl", *NODES), self.network.places, strict=True))
        addresses = {name: place.address for name, place in places.items()}
        names = [f"{address} {name}\n" for name, address in addresses.items()]
        (self.folder / "hosts").write_text("127.0.0.1 localhost\n" + "".join(names))
        configuration = _CONFIGURATION.format(folder=self.folder, **addresses)
        (self.folder / "slurm.conf").write_text(configuration)
        (self.folder / "gres.conf").write_text(_GPUS)
        self._start_munge()
        self._boot("ctl", places["ctl"], "slurmctld", "-D", "-c")
        for name in NODES:
            self._boot(name, places[name], "slurmd", "-D", "-N", name)
        self.until(lambda: self.call("sinfo", "-h", "-N", "-o", "%T") == "idle\nidle\n", "idle")

    def close(self) -> None:
        """Ends all machines, and with them every job."""
        for daemon in self.daemons:
            daemon.kill()
            daemon.wait()

    def call(self, *words: object, folder: Path | None = None, **environment: str) -> str:
        """Runs a command of Slurm's as a user on the controller's host would."""
        done = subprocess.run(
            [*self.network.places[0].enter, *map(str, words)],
            capture_output=True,
            text=True,
            cwd=folder or self.folder,
            env={**self._environment, **environment},
            timeout=PATIENCE,
            check=False,
        )
        return done.stdout if done.returncode == 0 else f"{done.stdout}{done.stderr}"

    def job(self, number: str) -> Mapping[str, str]:
        """What Slurm says of job ``7`` or of task ``7_0``."""
        line = self.call("scontrol", "show", "job", "--oneliner", number)
        assert line.startswith("JobId="), line
        return dict(re.findall(r"(\w+)=(\S*)", line))

    def until(self, condition: Callable[[], Found], what: str) -> Found:
        """Polls until ``condition()`` holds; tells what the daemons and the jobs said if never."""
        deadline = time.monotonic() + PATIENCE
        while not (found := condition()):
            assert time.monotonic() < deadline, f"waited in vain until {what}\n{self.logs}"
            time.sleep(0.2)
        return found

    @property
    def logs(self) -> str:
        """The last lines of every log."""
        files = sorted([*self.folder.glob("*.log"), *self.folder.glob("*/*.log")])
        tails = {file.name: file.read_text(errors="replace").splitlines()[-25:] for file in files}
        return "\n".join(f"--- {name}\n" + "\n".join(tail) for name, tail in tails.items())

    @property
    def _environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("SLURM", "SBATCH"))}
        return {**kept, "SLURM_CONF": str(self.folder / "slurm.conf")}

    def _start_munge(self) -> None:
        key, socket = self.folder / "munge.key", self.folder / "munge.socket"
        key.write_bytes(secrets.token_bytes(64))
        key.chmod(0o600)
        files = {"key-file": key, "socket": socket, "pid-file": self.folder / "munge.pid"}
        files |= {"seed-file": self.folder / "munge.seed", "log-file": self.folder / "munge.log"}
        flags = [f"--{name}={file}" for name, file in files.items()]
        self._start("munged", "munged", "--foreground", "--force", *flags)
        self.until(socket.exists, "munged serves")

    def _boot(self, name: str, place: Place, *words: str) -> None:
        shell = ("sh", "-c", _BOOT, str(self.folder / "hosts"), name)
        # Not by ip netns exec, which hides what is mounted in /sys, where slurmd looks for cgroups.
        enter = ("nsenter", f"--net=/run/netns/{place.enter[-1]}")
        self._start(name, *enter, *_ALONE, *shell, *words)

    def _start(self, name: str, *words: str) -> None:
        with (self.folder / f"{name}-says.log").open("wb") as stream:
            daemon = subprocess.Popen(
                [*_WITH_US, *words],
                stdout=stream,
                stderr=stream,
                env=self._environment,
            )
        self.daemons.append(daemon)
