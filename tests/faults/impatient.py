"""``bohb-master`` that misses its workers after a second instead of half a minute."""

from bohb_seg import master, progress

if __name__ == "__main__":
    progress.NO_WORKER_EVERY = 1.0
    master.main()
