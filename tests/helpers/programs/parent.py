"""Starts a tied worker for a port that nobody serves, says its number, and obeys.

``parent.py SECONDS PORT`` kills itself after so many seconds; ``parent.py stay PORT`` waits for the
end of its standard input, and ends well if the worker lived until then.
"""

import os
import signal
import subprocess
import sys
import time

from bohb_seg import machine

when, port = sys.argv[1:]
words = ("--port", port, "--worker", "toy")
child = subprocess.Popen(machine.tied("bohb_seg.commands.worker", *words))
print(child.pid, flush=True)
if when == "stay":
    sys.stdin.read()
    sys.exit(child.poll() is not None)
time.sleep(float(when))
os.kill(os.getpid(), signal.SIGKILL)
