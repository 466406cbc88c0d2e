"""``bohb-master`` that misses its workers after a second instead of half a minute."""

from bohb_seg.commands import master
from bohb_seg.master import console

if __name__ == "__main__":
    console.NO_WORKER_EVERY = 1.0
    master.main()
