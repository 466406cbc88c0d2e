"""JSON and YAML of which nothing is taken for something else."""

import pytest

from bohb_seg.errors import SpaceError
from bohb_seg.spaces.formats import text


def parsed(tmp_path, content, name="s.yaml"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return text.parsed(path, "space s")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        *[("1e-4", 1e-4), ("1E5", 1e5), ("1.5e3", 1.5e3), ("-2e-3", -2e-3), (".5", 0.5)],
        *[("3.", 3.0), ("17", 17), ("-17", -17), ("0x1F", 31), ("0", 0), ("-.inf", float("-inf"))],
        *[("true", True), ("False", False), ("~", None), ("null", None), ('"no"', "no")],
        *[("'1e-4'", "1e-4"), ("None", "None"), ("1e", "1e"), ("adam", "adam"), ("1.2.3", "1.2.3")],
    ],
)
def test_yaml_means_what_it_says(tmp_path, written, meant):
    found = parsed(tmp_path, f"# a comment\nx: {written}  # and another\n")["x"]
    assert (found, type(found)) == (meant, type(meant))


@pytest.mark.parametrize(
    "word",
    [
        *("no", "on", "Yes", "OFF", "010", "0b11", "1_000", "1:30", "1_0.5", "1:30.5"),
        *("2026-11-26", "2026-11-26 10:00:00"),
    ],
)
def test_words_that_versions_of_yaml_read_differently_are_refused(tmp_path, word):
    with pytest.raises(
        SpaceError, match=rf"is broken: line 2: '{word}' would be taken for"
    ) as error:
        parsed(tmp_path, f"y: [a]\nx: [b, {word}]\n")
    assert "write it in quotation marks" in str(error.value)


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("s.json", '{"a": 1, "b": 2, "a": 3}', "'a' stands 2 times in one table"),
        ("s.yaml", "b: 1\na: {x: 1, x: 2}\n", "line 2: 'x' stands 2 times in one table"),
        ("s.json", '{"a": NaN}', "NaN is no number"),
        ("s.json", '{"a": -Infinity}', "-Infinity is no number"),
        ("s.json", '{"a": 1} // comment', "Extra data"),
        ("s.json", f'{{"a": {"1" * 5000}}}', "Exceeds the limit"),
        ("s.json", " " * 1_000_001, "more than 1000000 bytes"),
        ("s.json", b"\xff\xfe{\x00}\x00", "'utf-8' codec can't decode"),
        ("s.yaml", "a: &a [*a]", "it means more than 100000 values"),
        (
            "s.yaml",
            "a0: &a0 [1, 1]\n"
            + "".join(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]\n" for n in range(1, 40)),
            "it means more than 100000 values",
        ),
        ("s.yaml", "a: !!binary x", "is broken"),
        ("s.yaml", "a: !!map x", "is broken"),
        ("s.yaml", "? [a]\n: 1", "is broken"),
    ],
    ids=lambda value: value[:30] if isinstance(value, str) else "",
)
def test_broken_texts_are_one_sentence(tmp_path, name, content, complaint):
    with pytest.raises(SpaceError) as error:
        parsed(tmp_path, content, name)
    assert complaint in str(error.value)
    assert str(error.value).isprintable()


def test_a_byte_order_mark_is_no_fault(tmp_path):
    assert parsed(tmp_path, b'\xef\xbb\xbf{"a": 1}', "s.json") == {"a": 1}


def test_aliases_merges_and_tuples_are_kept(tmp_path):
    found = parsed(
        tmp_path, "a: &a {x: 1, y: 2}\nb: {<<: *a, x: 3}\nc: !!python/tuple [1, 2]\nd: *a\n"
    )
    assert found == {"a": {"x": 1, "y": 2}, "b": {"x": 3, "y": 2}, "c": [1, 2], "d": found["a"]}


def test_an_empty_file_is_nothing(tmp_path):
    assert parsed(tmp_path, "") is None
