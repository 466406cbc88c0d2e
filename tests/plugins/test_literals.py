import pytest

from bohb_seg.plugins.literals import LiteralError, Literals


@pytest.fixture
def read(tmp_path):
    def read(text):
        file = tmp_path / "plugin.py"
        file.write_text(text)
        return Literals(file)

    return read


def value(literals, name):
    return literals.value(literals.node(name), name)


def test_literals_are_read_without_running_the_file(read):
    literals = read(
        "import no_such_module\nNUMBERS: tuple = (1, -2.5)\nTABLE = {'a': [None, True]}"
    )
    assert value(literals, "NUMBERS") == (1, -2.5)
    assert value(literals, "TABLE") == {"a": [None, True]}
    assert literals.node("OTHER") is None


def test_only_the_top_level_counts_and_the_last_assignment_wins(read):
    literals = read("A = 1\nA = 2\ndef f():\n    A = 3\nB: int\n")
    assert value(literals, "A") == 2
    assert literals.node("B") is None


def test_what_is_missing_is_named_with_an_example(read):
    with pytest.raises(LiteralError, match=r"plugin.py states no DEPTH; add a line like DEPTH = 4"):
        read("").needed("DEPTH", "DEPTH = 4")


@pytest.mark.parametrize("text", ["A = 2 ** 3", "A = len('x')", "A = B", "A = [i for i in ()]"])
def test_what_is_computed_is_refused_with_its_line(read, text):
    literals = read(f"\n\n{text}")
    with pytest.raises(LiteralError, match=r"plugin.py, line 3: A must be written out"):
        value(literals, "A")


def test_entries_of_a_table_are_read_one_by_one(read):
    literals = read("A = {\n  'x': 1,\n  'y': len('x'),\n}")
    (_, one), (key, other) = literals.entries(literals.node("A"), "A")
    assert literals.value(one, "x") == 1
    assert key.lineno == 3
    with pytest.raises(LiteralError, match="line 3: y must be written out"):
        literals.value(other, "y")


@pytest.mark.parametrize(
    ("text", "problem"),
    [("A = dict(x=1)", "A must be a dictionary"), ("A = {**B}", r"A must be written out, without")],
)
def test_a_table_must_be_written_out(read, text, problem):
    literals = read(text)
    with pytest.raises(LiteralError, match=problem):
        list(literals.entries(literals.node("A"), "A"))


def test_a_file_that_is_no_python_is_one_sentence(read, tmp_path):
    with pytest.raises(LiteralError, match=r"plugin.py, line 2: .*; correct it"):
        read("A = 1\nB = = 2")
    with pytest.raises(LiteralError, match=r"plugin.py: source code .* null bytes; correct it"):
        read("A = 1\0")
    with pytest.raises(LiteralError, match=r"no.py cannot be read: No such file"):
        Literals(tmp_path / "no.py")
