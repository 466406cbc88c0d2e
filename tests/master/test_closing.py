"""Workers that are still being found while the master closes."""

import logging
import threading

from bohb_seg.master.attendance import Attendance
from bohb_seg.master.micro_batches import MicroBatches
from bohb_seg.master.worker_link import Surroundings
from bohb_seg.rpc.complaints import Complaints

NOBODY = "PYRO:w@127.0.0.1:1"
WORKERS = 30


def attendance():
    return Attendance(
        Surroundings(
            heartbeat=60.0,
            working_directory="/nowhere",
            post=lambda news: None,
            replies=None,
            registry=None,
            micro_batches=MicroBatches(),
            complaints=Complaints(logging.getLogger(__name__)),
        )
    )


def test_a_master_closes_while_workers_are_still_being_found():
    for _ in range(20):
        attending = attendance()
        begun = threading.Event()

        def look(attending=attending, begun=begun):
            for number in range(WORKERS):
                attending.find({f"w{number}": NOBODY})
                begun.set()

        looking = threading.Thread(target=look)
        looking.start()
        begun.wait()
        attending.close(dismiss=False, seconds=5)
        looking.join()


def test_no_link_is_started_once_the_master_has_closed():
    attending = attendance()
    attending.close(dismiss=True, seconds=0)
    attending.find({"late": NOBODY})
    assert not attending.is_looked_after("late")
