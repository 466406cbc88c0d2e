"""One wrong bit in a file of a run directory: the right outcome or one sentence, nothing else."""

import contextlib
import shutil

import pytest
from helpers.simulated_runs import simulated
from hypothesis import given, settings
from hypothesis import strategies as st

from bohb_seg.errors import BohbSegError
from bohb_seg.master.executor import incumbent_record
from bohb_seg.master.run_setup import assemble
from bohb_seg.report.analysis import history
from bohb_seg.settings import SearchSettings
from bohb_seg.storage import resume
from bohb_seg.storage.run_directory import RunDirectory

FILES = ("events.jsonl", "settings.yaml", "nameserver.json", "results.json", "configs.json")
WRITTEN = ("results.json", "configs.json", "incumbent.json")


def gone_on_with(run_dir):
    """What a master makes of a run directory before it serves, and at its end."""
    given = SearchSettings(run_dir=run_dir, resume=True)
    with contextlib.closing(resume.opened(given)) as journal:
        past = resume.past(journal)
        chosen = resume.resumed(given, {"resume": True}, past)
        run = assemble(chosen, past)
        directory = RunDirectory(chosen, run.start, past, journal)
        directory.write_results(incumbent_record(run.scheduler))
    written = [(run_dir / name).read_bytes() for name in WRITTEN]
    return run.scheduler.progress, run.due, run.changes, written


@pytest.fixture(scope="module", params=["finished", "interrupted"])
def whole(tmp_path_factory, request):
    """A run directory, and what comes of it."""
    run_dir = tmp_path_factory.mktemp(request.param) / "run"
    chosen, events = simulated(run_dir)
    directory = RunDirectory(chosen, events[0], [])
    directory.record(events[1:] if request.param == "finished" else events[1:70])
    directory.tell_nameserver(("127.0.0.1", 9090))
    directory.close()
    return run_dir, gone_on_with(run_dir), history.read(run_dir)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(FILES), st.integers(0, 7), st.floats(0, 1))
def test_a_flipped_bit_is_told_or_does_not_matter(whole, file, bit, share):
    run_dir, outcome, record = whole
    content = (run_dir / file).read_bytes()
    damaged = bytearray(content)
    damaged[round(share * (len(damaged) - 1))] ^= 1 << bit
    kept = {name: (run_dir / name).read_bytes() for name in FILES}
    (run_dir / file).write_bytes(damaged)
    try:
        for look, expected in ((gone_on_with, outcome), (history.read, record)):
            with contextlib.suppress(BohbSegError):
                assert look(run_dir) == expected
    finally:
        for name, its in kept.items():
            (run_dir / name).write_bytes(its)


def test_a_flipped_bit_in_a_copy_is_mended(whole, tmp_path):
    run_dir = shutil.copytree(whole[0], tmp_path / "copy")
    (run_dir / "results.json").write_bytes(b"\xff")
    assert gone_on_with(run_dir)[0] == whole[1][0]
    assert (run_dir / "results.json").read_bytes() == (whole[0] / "results.json").read_bytes()
