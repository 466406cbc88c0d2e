"""A report for every run that has results: what cannot be made is a sentence in its place."""

import io
import os
import re
import shutil
import sys
import unicodedata
import zipfile
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from helpers import limits
from helpers.commands import refused
from helpers.commands import run as start
from helpers.journals import OTHER, news, order
from helpers.recorded_run import DEFAULT, Recorder, started, write_run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bohb_seg.master import conclusion
from bohb_seg.report import page
from bohb_seg.report.analysis.history import read
from bohb_seg.report.sections import patches, precision_recall
from bohb_seg.report.sections.section import Gap, Picture, Section, listed, picture, stands_alone
from bohb_seg.search.events import Finish, StopRequested, WorkersChanged
from bohb_seg.trials import PREDICTIONS_FILE, VALIDATION_FILE, Info

LARGEST = sys.float_info.max
HOSTILE = "cost $a_{$ \x1b[31m\n<b>x</b> \udcdf [/x]"
SHOWN = "cost $a_{$ \\x1b[31m\\n&lt;b&gt;x&lt;/b&gt; \\xdf [/x]"


def anchors(html):
    return re.findall(r'<section id="([^"]+)">', html)


def gaps(html):
    return re.findall(r'<p class="gap">(.*?)</p>', html)


# --- one part ---------------------------------------------------------------------------------


def fails():
    raise ValueError("no \x1b such number")


def test_a_part_that_fails_is_a_sentence():
    drawn = picture("rungs", fails, "caption", "alt")
    assert drawn == Gap("The picture rungs could not be made: ValueError: no \\x1b such number")
    assert listed("cost", fails).sentence.startswith("The table cost could not be made: ValueE")


def test_a_section_that_fails_keeps_its_place():
    found = stands_alone("cost", "Cost")(lambda run: fails())(None)
    assert found == Section("cost", "Cost", pictures=found.gaps)
    assert found.gaps[0].sentence.startswith("This section could not be made: ValueError: no")


# --- numbers ----------------------------------------------------------------------------------


def recorded(directory, *events):
    record = Recorder(directory / "events.jsonl")
    record(started())
    for event in events:
        record(event, at=record.clock.now - 1_790_000_000 + 60)
    record.journal.close()
    return directory


def trials(losses, bracket=0, **info):
    """Trials of two rungs, whose losses are the same at both."""
    for number, loss in enumerate(losses):
        for budget in (1, 3):
            own = {**OTHER, "batch_size": number + 1}
            yield order((bracket, 0, number), budget, configuration=own, model=number % 2 == 1)
            yield news((bracket, 0, number), budget, loss, **info)


def final(default, incumbent, runoff=()):
    """A runoff of the search's first trials and a comparison with these losses."""
    for rank, losses in enumerate(runoff):
        for seed, loss in enumerate(losses):
            again = {**OTHER, "batch_size": rank + 1}
            yield order((-2, rank, seed), 3, configuration=again)
            yield news((-2, rank, seed), 3, loss)
    for arm, losses in enumerate((default, incumbent)):
        for seed, loss in enumerate(losses):
            yield order((-1, arm, seed), 9, configuration=(DEFAULT, OTHER)[arm])
            scores = {"loss": loss, "miou": loss, "iou": {"land": 0.5}}
            yield news((-1, arm, seed), 9, loss, parts={"test": scores, "validation": scores})


CURVES = {"epoch": [1, 2], "train_loss": [LARGEST, 1.0], "validation_loss": [-LARGEST, LARGEST]}


@pytest.mark.parametrize(
    "losses",
    [
        [0.1, -LARGEST, 0.3, LARGEST, 0.2, -LARGEST, 0.4, LARGEST, 0.5],
        [LARGEST] * 9,
    ],
    ids=["both", "only"],
)
def test_the_largest_losses_leave_no_gap(tmp_path, losses):
    told = {"curves": CURVES, "epochs_trained": LARGEST, "miou": LARGEST}
    runoff = [(losses[0], LARGEST), (LARGEST, LARGEST)]
    both = (LARGEST, 0.5, LARGEST), (0.1, -LARGEST, LARGEST)
    written = page.write(recorded(tmp_path, *trials(losses, **told), *final(*both, runoff)))
    assert written.gaps == ()
    html = written.page.read_text()
    assert gaps(html) == []
    assert len(anchors(html)) == 22
    assert max(map(len, re.findall(r"\d+", re.sub(r'"data:.*?"', "", html)))) < 20
    table = (tmp_path / "report/tables/evaluations.csv").read_text()
    assert str(losses[1]) in table, "tables hold every number as it was told"


# --- texts ------------------------------------------------------------------------------------


def searched(worker, configuration, **told):
    """Nine trials of a worker."""
    for number in range(9):
        own = {**configuration, "batch_size": number}
        yield order((0, 0, number), 3, worker, configuration=own)
        yield news((0, 0, number), 3, number / 10, worker, **told)


def test_texts_from_outside_are_text(tmp_path):
    named, classes = {HOSTILE: HOSTILE}, [{"name": HOSTILE}, {"name": "b"}]
    space = {"hyperparameters": [{"name": HOSTILE, "log": True}]}
    told = {"device": HOSTILE, "micro_batch": 1, "micro_batches": {HOSTILE: 1}}
    scores = {"iou": {HOSTILE: 0.5}, "precision": {HOSTILE: 0.5}, "confusion": [[1, 2], [3, 4]]}
    record = Recorder(tmp_path / "events.jsonl")
    begin = started(run_id=HOSTILE, data=HOSTILE)
    record(replace(begin, space=space, data={**begin.data, "classes": classes}))
    record(WorkersChanged(joined=(HOSTILE,)), *searched(HOSTILE, named, **told))
    record(order((0, 1, 0), 3, HOSTILE), news((0, 1, 0), 3, None, HOSTILE, outcome="crashed"))
    for arm in (0, 1):
        record(order((-1, arm, 0), 9, configuration=named))
        record(news((-1, arm, 0), 9, 0.5, parts={"test": scores}))
    record(StopRequested(HOSTILE), Finish("done"))
    record.journal.close()
    written = page.write(tmp_path)
    assert written.gaps == ()
    html = written.page.read_text(encoding="utf-8")
    for place in ("<h1>{}</h1>", "stopped early ({})", "<dd>{}</dd>", "<td>{}</td>"):
        assert place.format(SHOWN) in html, place
    for file in (written.page, *(tmp_path / "report/tables").iterdir()):
        kinds = {unicodedata.category(each) for each in file.read_text(encoding="utf-8")}
        assert not kinds & {"Cs", "Zl", "Zp"}, file.name
        assert "\x1b" not in file.read_text(encoding="utf-8"), file.name


# --- files ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run with its files; its report is quickly made."""
    folder = tmp_path_factory.mktemp("gaps")
    return write_run(folder / "run", brackets=(((1, 3), (3, 1)),), seeds=1, candidates=0)


@pytest.fixture
def copy(whole, tmp_path):
    return shutil.copytree(whole, tmp_path / "run")


def packed(**arrays):
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def bomb(path):
    """A few kilobytes that unpack to 768 megabytes, as an array of the right type."""
    header = {"descr": "|u1", "fortran_order": False, "shape": (768, 1 << 10, 1 << 10)}
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("validation.npy", "w", force_zip64=True) as member,
    ):
        np.lib.format.write_array_header_1_0(member, header)
        for _ in range(768):
            member.write(bytes(1 << 20))


def lie(path):
    """An array that says it holds two gigabytes, and holds nothing."""
    with zipfile.ZipFile(path, "w") as archive, archive.open("validation.npy", "w") as member:
        header = {"descr": "|u1", "fortran_order": False, "shape": (1 << 31,)}
        np.lib.format.write_array_header_1_0(member, header)


def turned(path):
    """One bit in the middle of the compressed values is the other one."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def renamed(path):
    """One bit of a name in the list of parts, so that the part seems never to have been there."""
    content = bytearray(path.read_bytes())
    content[content.rindex(b"validation_positive")] ^= 1
    path.write_bytes(content)


def of_objects(path):
    path.write_bytes(packed(validation=np.array([{}] * 36, dtype=object)))


DAMAGES = {
    "empty": lambda path: path.write_bytes(b""),
    "text": lambda path: path.write_text("no archive"),
    "half": lambda path: os.truncate(path, path.stat().st_size // 2),
    "bit": turned,
    "name": renamed,
    "objects": of_objects,
    "other": lambda path: path.write_bytes(packed(validation=np.zeros((36, 8, 8), np.uint8))),
    "lie": lie,
}


def of_the_arrays(directory):
    """The sections that are made of arrays."""
    its = read(directory)
    return precision_recall.section(its), *patches.sections(its)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_leaves_what_it_does_not_hold(copy, damage):
    path = copy / "comparison/incumbent-0" / PREDICTIONS_FILE
    DAMAGES[damage](path)
    found = [gap.sentence for section in of_the_arrays(copy) for gap in section.gaps]
    assert found
    assert all(f"could not be made: {path}" in sentence for sentence in found)


def test_a_damaged_file_of_one_arm_leaves_the_curves_of_the_other(copy):
    DAMAGES["text"](copy / "comparison/incumbent-0" / PREDICTIONS_FILE)
    curves = of_the_arrays(copy)[0]
    assert [type(each) for each in curves.pictures] == [Gap, Picture, Gap, Picture]
    assert curves.tables[0].columns == ("part", "class", "default")


def test_a_missing_file_is_no_damage(copy):
    (copy / "comparison/incumbent-0" / PREDICTIONS_FILE).unlink()
    curves, best, worst = of_the_arrays(copy)
    assert [each.name for each in curves.pictures] == [
        *("precision_recall_validation", "precision_recall_test"),
    ]
    assert best.empty
    assert worst.empty


@pytest.mark.parametrize("damage", ["bit", "other"])
def test_damaged_patches_leave_all_but_the_sheets(copy, damage):
    DAMAGES[damage](copy / VALIDATION_FILE)
    curves, best, worst = of_the_arrays(copy)
    assert curves.gaps == ()
    assert best.gaps == worst.gaps
    assert VALIDATION_FILE in best.gaps[0].sentence


@pytest.mark.parametrize("make", [bomb, lie])
def test_what_unpacks_to_gigabytes_is_not_unpacked(copy, make):
    make(copy / "comparison/default-0" / PREDICTIONS_FILE)
    done = limits.child(
        "from helpers.limits import leave\n"
        "from pathlib import Path\n"
        "from bohb_seg.report.analysis.history import read\n"
        "from bohb_seg.report.sections import patches\n"
        "leave(300)\n"
        f"print(patches.sections(read(Path({str(copy)!r})))[0].gaps)"
    )
    assert done.returncode == 0, done.stderr
    assert "the array validation is not of the form that belongs to this run" in done.stdout


@pytest.mark.loopback
def test_the_page_has_the_sentence_in_its_place_and_the_exit_status_says_so(copy):
    (copy / VALIDATION_FILE).write_bytes(b"")
    done = start("bohb_seg.commands.report", copy.name, folder=copy.parent)
    assert done.returncode == 1
    assert done.stdout == "run/report/report.html\n"
    (sentence,) = done.stderr.splitlines()
    assert sentence.startswith("bohb-report: This section could not be made: run/comparison/valid")
    html = (copy / "report/report.html").read_text()
    assert len(anchors(html)) == 21
    assert gaps(html) == [sentence.removeprefix("bohb-report: ")] * 2, "of both sheets"
    assert html.index("The best-predicted patches</h2>") < html.index(gaps(html)[0])
    figures = {file.stem for file in (copy / "report/figures").iterdir()}
    assert {"verdict", "precision_recall_test", "confusion", "incumbent", "rungs"} <= figures
    assert "best_patches" not in figures


@pytest.mark.parametrize("told", ["x\0y", "x" * 5000])
def test_a_folder_that_a_worker_names_is_not_looked_into(tmp_path, told):
    events = (order((-1, 0, 0), 9), news((-1, 0, 0), 9, 0.5, artefacts=told))
    written = page.write(recorded(tmp_path, *trials([0.5]), *events))
    assert written.gaps == ()
    assert "The predictions of the final comparison are not in this" in written.page.read_text()


def test_a_place_that_cannot_be_written_is_a_sentence(tmp_path):
    recorded(tmp_path)
    (tmp_path / "report").write_text("a file")
    said = refused("bohb_seg.commands.report", tmp_path)
    assert said.startswith(f"bohb-report: {tmp_path}/report")
    assert "Traceback" not in said


# --- anything ---------------------------------------------------------------------------------

SCALARS = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
)
TEXTS = st.text(st.characters(codec=None, categories=None), max_size=8)
VALUES = st.recursive(
    SCALARS | TEXTS,
    lambda its: st.lists(its, max_size=3) | st.dictionaries(TEXTS, its, max_size=3),
    max_leaves=6,
)
NAMES = st.sampled_from([*Info().plain(), "own"])
INFOS = st.dictionaries(NAMES, VALUES, max_size=8)
LOSSES = st.floats(allow_nan=False, allow_infinity=False)


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(LOSSES, INFOS, VALUES), min_size=9, max_size=20))
def test_whatever_workers_tell_there_is_a_page_with_every_section(tmp_path_factory, told):
    folder = tmp_path_factory.mktemp("any")
    record = Recorder(folder / "events.jsonl")
    record(started())
    for number, (loss, info, value) in enumerate(told):
        final = number % 4 == 3
        trial = (-1, number % 8 // 4, number // 8) if final else (0, 0, number)
        own = {"batch_size": value if not isinstance(value, list | dict) else str(value)}
        record(order(trial, 3, f"w{number % 3}", configuration=own))
        record(news(trial, 3, loss, f"w{number % 3}", **info))
    record.journal.close()
    html = page.write(folder).page.read_text(encoding="utf-8")
    assert len(anchors(html)) == 21


def test_a_master_whose_report_has_a_gap_says_so_and_has_that_status(copy, caplog):
    (copy / VALIDATION_FILE).write_bytes(b"")
    assert conclusion._do("the report", partial(conclusion._report, copy), "again") == 1
    assert "the report is not complete (This section could not be made: " in caplog.text
    assert (copy / "report/report.html").is_file()
