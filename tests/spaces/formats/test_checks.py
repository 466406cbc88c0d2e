"""Spaces that Python builds: what a run could not search is refused before it begins."""

import pytest

from bohb_seg.errors import PluginError, SpaceError
from bohb_seg.spaces.formats import loading


def space_of(tmp_path, *lines):
    path = tmp_path / "mine.py"
    body = "\n".join(f"    {line}" for line in ("s = ConfigurationSpace()", *lines, "return s"))
    path.write_text(
        f"import sys\nimport numpy as np\nfrom ConfigSpace import *\n\n\ndef space():\n{body}\n"
    )
    return path


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("s.add(Categorical('c', ['a', float('nan')]))", "c may not take the value nan"),
        ("s.add(Categorical('c', ['a', 'b\\x1b']))", r"c may not take the value 'b\x1b'"),
        ("s.add(Categorical('c', [np.float64(1), np.float64('inf')]))", "may not take the value"),
        ("s.add(Categorical('c', [True, 2]))", "c has the value True, which would be drawn as 1"),
        ("s.add(OrdinalHyperparameter('o', ['a\\0', 'b']))", r"may not take the value 'a\x00'"),
        ("s.add(Constant('k', float('inf')))", "k may not take the value inf"),
        ("s.add(Float('x', (0, float('inf')), default=1))", "x has upper inf, which is no finite"),
        ("s.add(Integer('x\\n', (1, 3)))", r"the name 'x\n' cannot be printed on one line"),
        (
            "s.add(Integer('x', (1, 3), meta={'why': {1, 2}}))",
            "TypeError: Object of type set is not",
        ),
        ("s.add(Integer('x', (1, 3), meta={1: 2}))", "is another space once it has been written"),
        (
            "class Mine(UniformFloatHyperparameter): pass\n    s.add(Mine('x', 0, 1))",
            "cannot be searched: ValueError: No found encoder",
        ),
    ],
    ids=lambda value: value[:40],
)
def test_a_space_that_cannot_be_searched(tmp_path, line, sentence):
    path = space_of(tmp_path, *line.split("\n    "))
    with pytest.raises(SpaceError) as error:
        loading.load(str(path))
    message = str(error.value)
    assert message.startswith(f"search space {path}")
    assert sentence in message
    assert message.isprintable()


def test_a_file_may_not_end_the_command(tmp_path):
    path = space_of(tmp_path, "sys.exit(0)")
    with pytest.raises(PluginError, match="fails in line 8: SystemExit: 0; correct the file"):
        loading.load(str(path))


def test_loading_leaves_the_random_state_alone(tmp_path):
    path = space_of(tmp_path, "s.add(Float('x', (0, 1)))", "s.seed(3)")
    first, second = (loading.load(str(path)).sample_configuration(2) for _ in range(2))
    assert first == second
