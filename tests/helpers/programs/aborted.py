"""A test run that is aborted: ``outer`` starts ``inner``, which starts a cluster and freezes it.

``python -m helpers.programs.aborted outer FOLDER`` prints "frozen" and then waits for its end.
"""

import signal
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

from helpers import hosts
from helpers.cluster import HERE, Cluster
from helpers.commands import free_port
from helpers.with_us import with_us


def outer(folder: Path) -> None:
    """As pytest starts a benchmark."""
    here = (sys.executable, "-m", __spec__.name)
    subprocess.run([*with_us(), *here, "inner", str(folder)], check=True)


def inner(folder: Path) -> None:
    """As a benchmark starts a cluster; with grandchildren, and on other hosts if there are any."""
    cluster = Cluster(folder, sleep=0.3)
    with ExitStack() as stack:
        places = [HERE]
        if not hosts.missing():
            twin = hosts.renamed(HERE, "worker", alone=True)
            places += [*stack.enter_context(hosts.hosts(1)).places, twin]
        stack.callback(cluster.close)
        flags = ("--local-workers", 1, "--dashboard", free_port(), "--n-iterations", 1000)
        cluster.master(*flags)
        cluster.until(lambda: cluster.running(), "the local worker is at work")
        for place in places:
            cluster.worker(place=place)
        for command in cluster.commands:
            cluster.until(lambda log=command: log.log, "it has begun")
            command.freeze()
        print("frozen", flush=True)
        signal.sigwait({signal.SIGTERM})


if __name__ == "__main__":
    {"outer": outer, "inner": inner}[sys.argv[1]](Path(sys.argv[2]))
