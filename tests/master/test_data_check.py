"""The audit of the data, in a process that may be killed."""

import threading

import psutil
import pytest
from helpers.mailbox import until

from bohb_seg.errors import BohbSegError
from bohb_seg.master.data_check import check_data
from bohb_seg.settings import SearchSettings


def audits():
    return [
        child
        for child in psutil.Process().children()
        if "bohb_seg.commands.data" in child.cmdline()
    ]


def kill_the_audit():
    until(audits)
    for child in audits():
        child.kill()


@pytest.mark.loopback
def test_an_audit_that_the_kernel_kills_is_told_as_such(tmp_path):
    killer = threading.Thread(target=kill_the_audit)
    killer.start()
    sentence = "the check of the data was ended by SIGKILL, as the kernel does when memory is short"
    with pytest.raises(BohbSegError, match=f"{sentence}; give .* --downscale"):
        check_data(SearchSettings(cache_dir=tmp_path))
    killer.join()
