"""Processes that end with the one that started them, whatever ends it, even if they are stopped.

Linux kills a child for us when its parent ends (``PR_SET_PDEATHSIG``); SIGKILL also ends a process
that SIGSTOP stopped. Three things are to be minded:

* The kernel looks at the thread that started the child, not at the process. So only the main
  thread may start one.
* The child keeps it over ``execve``, unless the program has a set-user-id bit or capabilities of
  its own. ``ip netns exec``, ``unshare`` and ``sh``, which lie before some commands, have none.
* It is not inherited. A grandchild needs it, too, or an own way to see that its parent is gone: the
  package's own children have ``commands/child.py``, ``unshare`` has ``--kill-child``.
"""

import os
import shutil
import threading

_UNLESS_GONE = '[ "$PPID" = "$0" ] && exec "$@"'
"""Ends a child whose parent was gone before the kernel knew that it matters."""


def with_us() -> tuple[str, ...]:
    """Words before a command that is to end with this process; none without ``setpriv``."""
    assert threading.current_thread() is threading.main_thread()
    if shutil.which("setpriv") is None:
        return ()
    return ("setpriv", "--pdeathsig", "KILL", "sh", "-c", _UNLESS_GONE, str(os.getpid()))
