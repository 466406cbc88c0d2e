"""The audit of the data, in a process that may be killed."""

import threading

import psutil
import pytest
from helpers.mailbox import until

from bohb_seg.errors import BohbSegError, SettingsError
from bohb_seg.master.data_check import check_data, refuse_folds
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


@pytest.mark.parametrize(
    ("folds", "most", "words"),
    [
        (9, 8, "--final-folds 9 cannot be dealt out from 8 groups; choose 2 to 8"),
        (1, 8, "--final-folds 1 cannot be dealt out from 8 groups; choose 2 to 8"),
        (3, 0, "--final-folds 3 cannot be dealt out from 8 groups; choose 0, or another --split"),
    ],
)
def test_folds_that_the_data_have_too_few_groups_for_are_one_sentence(folds, most, words):
    with pytest.raises(SettingsError, match=words):
        refuse_folds(folds, {"most_folds": most, "folded_units": "8 groups"})


def test_folds_that_the_data_have_groups_for_are_taken():
    for folds in (0, 2, 8):
        refuse_folds(folds, {"most_folds": 8, "folded_units": "8 groups"})
    refuse_folds(0, {"most_folds": 0, "folded_units": "2 groups"})
