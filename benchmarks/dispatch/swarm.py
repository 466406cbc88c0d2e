"""Many workers, each a process of its own, forked from one that has imported all they need.

``python -m benchmarks.dispatch.swarm ours|stock WORKERS RUN_ID PORT``. So 256 of them start within
seconds and share most of their memory; ours run the real ``bohb-worker``, in its main thread.
"""

import ctypes
import gc
import logging
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

HOST = "127.0.0.1"


def main() -> None:
    """Forks, and waits until all have left."""
    side, workers, run_id, port = sys.argv[1:]
    serve = {"ours": ours, "stock": stock}[side](run_id, port)
    gc.freeze()  # else the first collection in each child copies what all share
    for _ in range(int(workers)):
        if os.fork() == 0:
            die_with_parent()
            as_child(serve)
    for _ in range(int(workers)):
        os.wait()


def ours(run_id: str, port: str) -> Callable[[], object]:
    """What a child runs: our command."""
    from bohb_seg.commands import worker

    flags = {
        "--host": HOST,
        "--port": port,
        "--run-id": run_id,
        "--worker": str(Path(__file__).with_name("instant.py")),
        "--device": "cpu",
    }
    sys.argv = ["bohb-worker", *(word for pair in flags.items() for word in pair)]
    return worker.main


def stock(run_id: str, port: str) -> Callable[[], object]:
    """What a child runs: HpBandSter's worker."""
    from benchmarks.dispatch.instant import Instant

    def serve() -> None:
        where = {"nameserver": HOST, "nameserver_port": int(port), "host": HOST}
        Instant(run_id=run_id, logger=logging.getLogger("quiet"), **where).run()

    return serve


def as_child(serve: Callable[[], object]) -> NoReturn:
    """Never comes back to the loop that forks."""
    status = 1
    try:
        serve()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    finally:
        sys.stderr.flush()
        os._exit(status)


def die_with_parent() -> None:
    """Asks Linux to kill this process when the one that started it is gone, however it went."""
    if sys.platform == "linux":
        pr_set_pdeathsig = 1
        ctypes.CDLL(None).prctl(pr_set_pdeathsig, signal.SIGKILL)


if __name__ == "__main__":
    main()
