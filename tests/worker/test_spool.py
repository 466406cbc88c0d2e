"""Results on this machine's disk: held by one, damaged by a bit, or left to the next."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bohb_seg.worker.spool import Record, Spool

TOKEN, OTHER = "a" * 32, "b" * 32
RESULT = {"result": {"loss": 0.1 + 0.2, "info": {"curves": [1.5, None]}}, "exception": None}
RECORD = Record("run", TOKEN, "hpbandster.run_run.reply.0-0-1.3.1", (0, 0, 1), RESULT)

HOLDER = """
import sys
from pathlib import Path
from test_spool import RECORD, Spool

held = Spool(Path(sys.argv[1])).keep(RECORD)
print("held", flush=True)
sys.stdin.read()
"""


def left(spool, token=None):
    found = []
    for record, held in spool.left(token):
        held.release(settled=False)
        found.append(record)
    return found


def test_a_record_is_read_as_it_was_written_until_it_is_settled(tmp_path):
    spool = Spool(tmp_path)
    assert spool.is_empty
    held = spool.keep(RECORD)
    assert left(spool) == []  # it is being offered
    held.release(settled=False)
    assert left(spool) == left(spool, TOKEN) == [RECORD]
    assert left(spool, OTHER) == left(spool, "") == left(spool, "../*") == []
    ((_, held),) = spool.left(TOKEN)
    held.release(settled=True)
    assert spool.is_empty


def test_a_loss_that_is_no_number_is_kept(tmp_path):
    lost = Record("run", TOKEN, "reply", (0, 0, 2), {"result": {"loss": float("nan"), "info": {}}})
    Spool(tmp_path).keep(lost).release(settled=False)
    (found,) = left(Spool(tmp_path))
    assert str(found.result) == str(lost.result)


def test_a_record_of_a_living_process_is_its_own(tmp_path):
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
    )
    with holder:
        assert holder.stdout.readline() == b"held\n"
        assert left(Spool(tmp_path)) == []
        holder.kill()
        holder.wait()
        assert left(Spool(tmp_path)) == [RECORD]


@settings(deadline=None)
@given(st.integers(0, 1 << 13))
def test_a_bit_that_flips_is_never_another_result(bit):
    with tempfile.TemporaryDirectory() as folder:
        spool = Spool(Path(folder))
        spool.keep(RECORD).release(settled=False)
        (path,) = Path(folder).glob("*.json")
        content = bytearray(path.read_bytes())
        content[bit // 8 % len(content)] ^= 1 << bit % 8
        path.write_bytes(content)
        assert left(spool) == []
        assert path.exists()


@pytest.mark.parametrize("what", ["a file", "no folder", "a pipe"])
def test_a_spool_that_cannot_be_used_costs_nothing_else(tmp_path, what, caplog):
    spool = Spool(tmp_path / "spool")
    if what == "a file":
        (tmp_path / "spool").write_text("")
        spool.keep(RECORD).release(settled=True)
        assert "the result waits in memory" in caplog.text
    elif what == "a pipe":
        (tmp_path / "spool").mkdir()
        os.mkfifo(tmp_path / "spool" / f"{TOKEN}-0.json")
    assert left(spool) == left(spool, TOKEN) == []


def test_a_result_of_a_run_without_a_token_is_not_written(tmp_path):
    Spool(tmp_path).keep(Record("run", "", "reply", (0, 0, 1), RESULT)).release(settled=False)
    assert list(tmp_path.iterdir()) == []
