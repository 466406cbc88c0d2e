"""A child process that ends with the process that started it, whatever ends that one.

``python -m bohb_seg.commands.child PARENT MODULE ARGUMENTS`` ties itself to its parent, and then
runs the module. The tie comes before all that takes time: a parent may be killed at any moment.
:func:`bohb_seg.machine.tied` makes the command.
"""

import contextlib
import os
import runpy
import signal
import sys
import threading
import time

LOOK_AT_PARENT = 1.0
"""Seconds between two looks whether the parent is there, where the kernel does not tell."""
_PR_SET_PDEATHSIG = 1
"""Number by which Linux' ``prctl`` sets the signal that a process gets when its parent dies."""


def tie(parent: int) -> None:
    """Makes this process end when its parent is gone; ends it at once if that is so already.

    Linux kills a tied process even if it is stopped. Its parent is then gone when the *thread* that
    started it is, so that thread must last.

    Args:
        parent: Process number of the parent, from the parent. This process must not ask for it: its
            parent may be gone by then, and its new one is number 1 as a master in a container is.
    """
    told = _told_by_the_kernel()
    if os.getppid() != parent:
        os._exit(0)
    if not told:
        threading.Thread(target=_look, args=(parent,), name="parent", daemon=True).start()


def main() -> None:
    """Ties this process to its parent, then runs a module as ``python -m`` does."""
    _, parent, module, *words = sys.argv
    tie(int(parent))
    sys.argv[1:] = words
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _told_by_the_kernel() -> bool:
    if sys.platform == "linux":
        with contextlib.suppress(ImportError, OSError, AttributeError):  # whatever a libc lacks
            import ctypes

            return int(ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)) == 0
    return False


def _look(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_AT_PARENT)
    os._exit(0)


if __name__ == "__main__":
    main()
