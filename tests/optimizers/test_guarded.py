"""An optimizer of one's own may fail; the run then ends with a sentence about its file."""

import pytest

from bohb_seg import optimizers
from bohb_seg.errors import PluginError
from bohb_seg.search.hyperband import Ladder, Rung
from bohb_seg.spaces.formats import loading
from bohb_seg.trials import Suggestion

MINE = """
import numpy as np
from bohb_seg.search.hyperband import Rung
from bohb_seg.trials import Suggestion


class Mine:
    def rungs(self, bracket):
        return {rungs}

    def suggest(self):
        return {suggestion}

    def observe(self, configuration, budget, loss):
        {observe}


def build(space, ladder, seed):
    return Mine()
"""
GOOD = {"rungs": "[Rung(1, 2)]", "suggestion": "Suggestion({'x0': 1})", "observe": "pass"}


def mine(tmp_path, **parts):
    path = tmp_path / "mine.py"
    path.write_text(MINE.format(**{**GOOD, **parts}))
    return optimizers.build(str(path), loading.load("counting"), Ladder(1, 9), 0), path


def test_what_is_right_passes(tmp_path):
    optimizer, _ = mine(tmp_path, suggestion="Suggestion({'x0': np.float32(0.5), 'c': None}, True)")
    assert optimizer.rungs(0) == (Rung(1, 2),)
    suggestion = optimizer.suggest()
    assert suggestion == Suggestion({"x0": 0.5, "c": None}, model_based=True)
    assert type(suggestion.configuration["x0"]) is float
    optimizer.observe({"x0": 1}, 1.0, None)


@pytest.mark.parametrize(
    ("parts", "call", "complaint"),
    [
        ({"rungs": "1 / 0"}, "rungs", "fails in line 9: ZeroDivisionError: division by zero"),
        (
            {"rungs": "[]"},
            "rungs",
            "rungs(0) returned (), not Rungs of a budget and of trials above",
        ),
        ({"rungs": "[Rung(float('nan'), 1)]"}, "rungs", "rungs(0) returned (Rung(budget=nan"),
        ({"rungs": "[Rung(1, 0)]"}, "rungs", "not Rungs of a budget and of trials above 0"),
        ({"rungs": "[Rung(3, 1), Rung(1, 1)]"}, "rungs", "not Rungs whose budgets rise"),
        ({"suggestion": "exit()"}, "suggest", "fails in line 12: SystemExit"),
        ({"suggestion": "{'x0': 1}"}, "suggest", "returned {'x0': 1}, not a Suggestion"),
        (
            {"suggestion": "Suggestion({1: 2})"},
            "suggest",
            "not a configuration of names and values",
        ),
        (
            {"suggestion": "Suggestion({'x': np.nan})"},
            "suggest",
            "not a finite number or a line of",
        ),
        ({"suggestion": "Suggestion({'x': [1]})"}, "suggest", "a line of text as 'x'; correct the"),
        ({"observe": "raise KeyError(budget)"}, "observe", "fails in line 15: KeyError: 1.0"),
    ],
)
def test_what_is_wrong_is_one_sentence(tmp_path, parts, call, complaint):
    optimizer, path = mine(tmp_path, **parts)
    arguments = {"rungs": (0,), "suggest": (), "observe": ({"x0": 1}, 1.0, None)}[call]
    with pytest.raises(PluginError) as error:
        getattr(optimizer, call)(*arguments)
    assert str(error.value).startswith(f"--optimizer {path}")
    assert complaint in str(error.value)
    assert str(error.value).isprintable()
