import csv
import re
import shutil
import subprocess
import sys

import pytest
from helpers.journals import comparison, news, order, run
from helpers.recorded_run import Recorder, started, write_run

from bohb_seg.report import write_report
from bohb_seg.report.analysis.history import read
from bohb_seg.report.header import header, status
from bohb_seg.report.page import render
from bohb_seg.report.sections import outline
from bohb_seg.search.events import PlanChanged, StopRequested, WorkersChanged
from bohb_seg.search.plan import Plan
from bohb_seg.storage.journal_entries import RulesChanged

ANCHORS = [
    *("verdict", "configuration", "loss", "precision-recall", "values", "iou", "confusion"),
    *("best-patches", "worst-patches", "incumbent", "curves", "rungs", "budgets", "ranks"),
    *("picks", "hyperparameters", "workers", "failures", "cost", "evaluations", "glossary"),
]
"""The order of SPEC section 8; a runoff, if there was one, opens the search's part."""
WITH_RUNOFF = [*ANCHORS[:9], "runoff", *ANCHORS[9:]]


def anchors(html):
    return re.findall(r'<section id="([^"]+)">', html)


def rows(folder, name):
    with (folder / "report" / "tables" / f"{name}.csv").open() as file:
        return list(csv.DictReader(file))


def test_a_whole_run_fills_every_section_in_order(run_dir):
    html = (run_dir / "report" / "report.html").read_text()
    assert anchors(html) == WITH_RUNOFF
    assert 'class="empty"' not in html
    assert html.count("<img ") == len(list((run_dir / "report" / "figures").glob("*.png"))) == 20
    assert html.count("<figcaption>") == 20


def test_the_page_needs_nothing_from_outside(run_dir):
    html = (run_dir / "report" / "report.html").read_text()
    assert not re.findall(r'(?:src|href)="(?!data:|#)', html)
    assert not re.search(r"url\(|@import|<script", html)


def test_every_table_parses_and_is_rectangular(run_dir):
    files = list((run_dir / "report" / "tables").glob("*.csv"))
    assert len(files) == 27
    for file in files:
        first, *others = csv.reader(file.open())
        assert others, file.name
        assert all(len(row) == len(first) for row in others), file.name


def test_the_tables_tell_what_was_simulated(run_dir):
    found = rows(run_dir, "evaluations")
    assert len(found) == 27 + 9 + 3 + 1 + 9 + 3 + 1 + 6 + 2
    assert {row["outcome"] for row in found} == {"finished", "diverged"}
    assert {row["what happened"] for row in rows(run_dir, "failures")} == {
        *("diverged", "crashed", "lost"),
    }
    assert [row["seeds"] for row in rows(run_dir, "paired_differences")] == ["3"] * 4
    parts = {row["part"]: float(row["epochs trained"]) for row in rows(run_dir, "cost")}
    assert parts["runoff"] == 3 * 2 * 27
    assert parts["search"] + parts["runoff"] + parts["comparison"] == parts["all"]
    assert parts["comparison"] < 6 * 40  # patience


def test_the_winner_of_the_runoff_is_the_incumbent(run_dir):
    candidates = rows(run_dir, "runoff")
    (winner,) = [row for row in candidates if row["won"] == "True"]
    assert winner["candidate"] != "1"
    assert float(winner["mean of these"]) == min(float(row["mean of these"]) for row in candidates)
    best = {row["hyperparameter"]: row["incumbent"] for row in rows(run_dir, "configuration")}
    assert f"batch_size {best['batch_size']}, " in winner["differs from the default in"]
    html = (run_dir / "report" / "report.html").read_text()
    mean = f"{float(winner['mean of these']):.4f}"
    assert f"The incumbent is trial {winner['trial']}, " in html
    assert f"it has the lowest mean loss, {mean}; its loss in the search was" in html
    assert f"<strong>{mean}</strong><span>loss in the runoff" in html
    assert rows(run_dir, "incumbent")[-1]["trial"] == candidates[0]["trial"]


def test_what_ended_early_is_said(run_dir):
    html = (run_dir / "report" / "report.html").read_text()
    early = [row for row in rows(run_dir, "evaluations") if row["ended early"]]
    assert [(row["ended early"], row["loss"]) for row in early] == [("collapsed", "1.3")] * 2
    assert "2 of 61 evaluations end early" in html
    retrained = [row for row in rows(run_dir, "comparison_seeds") if row["part"] == "test"]
    assert all(1 <= int(row["best epoch"]) <= 40 for row in retrained)
    ended = sum(row["ended early"] == "patience" for row in retrained)
    assert 0 < ended < 6
    assert f"{ended} of 6 ended before their last epoch" in html


def test_what_did_not_fit_is_said(run_dir):
    html = (run_dir / "report" / "report.html").read_text()
    short = rows(run_dir, "micro_batches")
    assert {int(row["batch (patches)"]) // int(row["micro-batch (patches)"]) for row in short} == {
        2
    }
    assert {row["memory ran out"] for row in short} == {"in this evaluation", "in an earlier one"}
    assert f"{len(short)} evaluations were trained in micro-batches" in html
    reasons = [row["reason"] for row in rows(run_dir, "failures")]
    assert [each for each in reasons if each.startswith("DoesNotFitError: the configuration runs")]


def test_what_the_optimizer_knew_before_is_said(run_dir):
    html = (run_dir / "report" / "report.html").read_text()
    assert "the optimizer was given 2 evaluations of earlier runs (../runs/earlier)." in html


def test_what_was_trained_after_the_search_is_named_in_words(run_dir):
    names = {row["trial"] for row in rows(run_dir, "timeline")}
    assert {"candidate 3, seed 1", "default, seed 0", "incumbent, seed 2", "0-0-0"} <= names


def test_writing_again_removes_what_is_not_written_any_more(tmp_path, run_dir):
    copy = shutil.copytree(run_dir, tmp_path / "copy")
    stale = copy / "report" / "figures" / "stale.png"
    stale.write_bytes(b"")
    write_report(copy)
    assert not stale.exists()
    assert not list(copy.rglob(".*"))


def live(directory, *events):
    record = Recorder(directory / "events.jsonl")
    record(started())
    for event in events:
        record(event, at=record.clock.now - 1_790_000_000 + 60)
    record.journal.close()
    return directory


def test_a_runoff_that_goes_on_decides_nothing_yet(tmp_path):
    search = [order((0, 0, n), 1, configuration={"batch_size": n}) for n in (1, 2)]
    done = [news((0, 0, n), 1, n / 10) for n in (1, 2)]
    again = [order((-2, n - 1, 0), 1, configuration={"batch_size": n}) for n in (1, 2)]
    events = (*search, *done, *again, news((-2, 0, 0), 1, 0.9))
    html = write_report(live(tmp_path, *events)).read_text()
    assert anchors(html) == WITH_RUNOFF
    assert "The runoff has not ended yet" in html
    assert "The incumbent is trial 0-0-1, " in html


@pytest.mark.parametrize(
    "events",
    [
        (),
        (WorkersChanged(joined=("a",)),),
        (order((0, 0, 0), 1),),
        (order((0, 0, 0), 1), news((0, 0, 0), 1, None, outcome="diverged")),
        (order((0, 0, 0), 1), news((0, 0, 0), 1, 0.5)),
        (order((0, 0, 0), 1), news((0, 0, 0), 1, 0.5), order((0, 0, 0), 3)),
    ],
    ids=["no-worker", "worker", "running", "diverged", "one-loss", "promoted"],
)
def test_a_run_that_has_hardly_begun_has_a_page_with_reasons(tmp_path, events):
    html = write_report(live(tmp_path, *events)).read_text()
    assert anchors(html) == ANCHORS
    assert html.count('class="empty"') >= 8
    assert "There is no verdict yet" in html


def test_a_worker_that_tells_nothing_but_losses():
    its = comparison([0.5, 0.6, 0.7], [0.3, 0.4, 0.501], parts=())
    parts = outline.sections(its)
    html = render(header(its), parts)
    assert "is better than the default" in html
    assert [each.anchor for each in parts if each.empty] == [
        *("loss", "precision-recall", "values", "iou", "confusion", "best-patches"),
        *("worst-patches", "curves", "ranks", "hyperparameters"),
    ]


def test_only_the_default_was_retrained(tmp_path):
    directory = write_run(tmp_path / "r", brackets=(((1, 3), (3, 1)),), seeds=1, arms=("default",))
    html = write_report(directory).read_text()
    assert "best-patches" in html
    assert "collapsed, which" not in html
    assert "incumbent 0." not in html


def test_the_status_says_whether_the_run_goes_on(tmp_path):
    run = read(live(tmp_path, StopRequested("--max-hours is over")))
    assert "still going on or was interrupted" in status(run)
    assert "asked to stop (--max-hours is over)" in status(run)


def test_the_status_says_that_the_rules_have_changed(tmp_path):
    reason = "line 4: this order does not follow from the news; numpy 1 then and 2 now"
    run = read(live(tmp_path, RulesChanged(reason)))
    assert f"another version or another sampler ({reason})" in status(run)


def test_names_from_outside_cannot_write_html(tmp_path):
    html = write_report(live(tmp_path, WorkersChanged(joined=("<b>worker</b>",)))).read_text()
    assert "<b>worker" not in html
    assert "&lt;b&gt;worker" in html


@pytest.mark.parametrize("made", [True, False])
def test_bad_input_is_one_sentence_and_status_2(tmp_path, made):
    target = tmp_path if made else tmp_path / "missing"
    code = "from bohb_seg.commands.report import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, str(target)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith(f"bohb-report: {target} is not a run directory")
    assert len(done.stderr.splitlines()) == 1


def test_what_a_strange_worker_tells_does_not_break_the_page(tmp_path):
    strange = {"curves": ["x"], "epochs_trained": "many", "miou": "good", "parts": {}}
    strange |= {"stopped": ["x"], "best_epoch": "last", "micro_batch": "few", "micro_batches": 3}
    one = order((0, 0, 0), 1), news((0, 0, 0), 1, 0.5, **strange)
    odd = {"miou": "good", "iou": ["x"], "recall": {"road": "y"}, "confusion": [[1, 2], [3]]}
    strange |= {"parts": {"test": odd, "train": {"loss": True}}, "artefacts": "../../etc"}
    two = order((-1, 0, 0), 9), news((-1, 0, 0), 9, 0.5, **strange)
    assert anchors(write_report(live(tmp_path, *one, *two)).read_text()) == ANCHORS


def test_the_head_shows_what_was_planned_beforehand_and_the_brackets_of_the_latest_plan():
    told = "1 worker, 10 s an epoch: 6 brackets of 3..27: 2 h"
    its = run(
        (0, PlanChanged(Plan(4), "1 worker, 15 s an epoch: 4 brackets of 3..27")),
        *((1, order((0, 0, 0), 3)), (2, news((0, 0, 0), 3, 0.5))),
        settings={"n_iterations": 6},
        deadline={"plan": told},
    )
    facts = header(its).facts
    assert (facts["brackets"], facts["planned beforehand"]) == ("4", told)
