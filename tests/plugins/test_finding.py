"""Plug-ins by name and by path: found, checked without being run, imported, blamed."""

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bohb_seg import plugins
from bohb_seg.errors import DataError, PluginError, SettingsError, UnknownPluginError

NEEDS_ARGUMENTS = "def build(*arguments):\n    return arguments\n"
SEEN = "import sys\nsys.seen_by_test = getattr(sys, 'seen_by_test', 0) + 1\n"


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes a file below the working directory and returns its name."""
    monkeypatch.chdir(tmp_path)

    def write(text: str, name: str = "mine.py") -> str:
        (tmp_path / name).write_text(text)
        return name

    return write


# --- by name ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", plugins.KINDS)
def test_every_name_finds_a_file_that_defines_the_entry(kind):
    assert plugins.names(kind)
    for name in plugins.names(kind):
        file = plugins.file_of(kind, name)
        assert file.stem.replace("_", "-") == name
        assert not name.startswith("-")
        assert hasattr(plugins.find(kind, name), plugins.KINDS[kind].entry or "Worker")


@pytest.mark.parametrize("kind", plugins.KINDS)
def test_an_unknown_name_lists_the_known_ones(kind):
    for use in (plugins.file_of, plugins.find):
        with pytest.raises(UnknownPluginError, match=", ".join(plugins.names(kind))):
            use(kind, "no-such-thing")


def test_underscores_mean_hyphens():
    assert plugins.file_of("spaces", "milestone3_bohb") == plugins.file_of(
        "spaces", "milestone3-bohb"
    )


def test_a_name_is_the_module_of_the_package():
    import bohb_seg.spaces.quick

    by_path = str(Path(bohb_seg.spaces.quick.__file__))
    assert plugins.find("spaces", "quick") is bohb_seg.spaces.quick
    assert plugins.find("spaces", by_path) is bohb_seg.spaces.quick


# --- by path ----------------------------------------------------------------------------------


def test_a_file_anywhere_is_called_with_what_its_kind_gets(write):
    spec = write(NEEDS_ARGUMENTS)
    assert plugins.call("optimizers", spec, 1, "two") == (1, "two")
    assert plugins.call("optimizers", str(Path(spec).absolute()), 3) == (3,)


def test_a_file_is_run_once_and_again_when_it_has_changed(write, monkeypatch):
    monkeypatch.setattr(sys, "seen_by_test", 0, raising=False)
    spec = write(SEEN + NEEDS_ARGUMENTS)
    first, again = plugins.find("models", spec), plugins.find("models", spec)
    assert first is again
    assert sys.seen_by_test == 1
    write(SEEN + "build = 3\n")
    assert plugins.find("models", spec).build == 3
    assert sys.seen_by_test == 2


def test_a_check_runs_nothing_and_leaves_nothing(write):
    spec = write("raise SystemExit\ndef build(): pass\n")
    assert plugins.file_of("models", spec) == Path(spec)
    write(NEEDS_ARGUMENTS)
    plugins.find("models", spec)
    assert [path.name for path in Path().iterdir()] == ["mine.py"]


@pytest.mark.parametrize(
    "text",
    [
        "def build(): pass",
        "build = print",
        "from os import getcwd as build",
        "from os.path import join, split\nfrom shutil import copy as build",
    ],
)
def test_an_entry_may_be_defined_assigned_or_imported(write, text):
    assert callable(plugins.find("models", write(text)).build)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            None,
            "--model mine.py: there is no file {folder}/mine.py; check the path",
        ),
        (
            "def built(): pass\nclass Net:\n    def build(self): pass",
            "--model mine.py: mine.py does not define build(), by which a model is found; add it at"
            " the top level of the file",
        ),
        (
            "x = 1\ndef build(:",
            "--model mine.py: mine.py, line 2, is not Python: invalid syntax; correct the file",
        ),
        (
            "x = '\0'",
            "--model mine.py: mine.py is not Python: source code string cannot contain null bytes;"
            " correct the file",
        ),
        (
            "import os\n\nos.nonsense\ndef build(): pass",
            "--model mine.py fails in line 3: AttributeError: module 'os' has no attribute"
            " 'nonsense'; correct the file",
        ),
    ],
)
def test_a_wrong_file_is_one_sentence(write, tmp_path, text, sentence):
    if text is not None:
        write(text)
    with pytest.raises(PluginError) as error:
        plugins.find("models", "mine.py")
    assert str(error.value) == sentence.format(folder=tmp_path)


def test_what_a_call_raises_is_one_sentence_with_the_last_line_of_the_file(write):
    spec = write("import json\ndef build(text):\n    return json.loads(text)\n")
    with pytest.raises(PluginError) as error:
        plugins.call("optimizers", spec, "{")
    assert str(error.value).startswith("--optimizer mine.py fails in line 3: JSONDecodeError: Exp")
    assert "\n" not in str(error.value)
    with pytest.raises(PluginError) as error:
        plugins.call("optimizers", spec)
    assert "mine.py fails: TypeError: build() missing 1 required" in str(error.value)


def test_an_error_of_ours_passes_as_it_is(write):
    spec = write(
        "from bohb_seg.errors import SettingsError\n"
        "def build():\n    raise SettingsError('said by the file')\n"
    )
    with pytest.raises(SettingsError, match=r"^said by the file$"):
        plugins.call("optimizers", spec)


def test_a_fault_of_the_package_is_loud():
    with pytest.raises(TypeError):
        plugins.call("optimizers", "bohb")


def test_a_module_that_failed_is_run_again(write, tmp_path):
    spec = write("open('needed').close()\ndef build(): pass\n")
    with pytest.raises(PluginError, match="in line 1: FileNotFoundError"):
        plugins.find("models", spec)
    (tmp_path / "needed").touch()
    assert plugins.find("models", spec).build() is None


def test_a_digest_tells_files_apart_and_says_nothing_of_names(write):
    first = plugins.digest("models", write(NEEDS_ARGUMENTS))
    assert len(first) == 32
    assert plugins.digest("models", write(NEEDS_ARGUMENTS, "other.py")) == first
    assert plugins.digest("models", write(NEEDS_ARGUMENTS + "\n")) != first
    assert plugins.digest("models", "unet") == ""


# --- what stands behind the colon ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "spec", "parts"),
    [
        ("workers", "toy", ("toy", "")),
        ("workers", "toy:Toy", ("toy", "Toy")),
        ("workers", "/a:b/w.py", ("/a:b/w.py", "")),
        ("workers", "/a:b/w.py:Mine", ("/a:b/w.py", "Mine")),
        ("datasets", "mine.py:s3://bucket/x.py", ("mine.py", "s3://bucket/x.py")),
        ("datasets", "folder:/data/a b", ("folder", "/data/a b")),
        ("models", "a:b.py", ("a:b.py", "")),
    ],
)
def test_parts(kind, spec, parts):
    assert plugins.parts(kind, spec) == parts


WORDS = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1)


@given(st.sampled_from(["workers", "datasets"]), WORDS, st.booleans(), st.text())
def test_parts_are_put_together_again(kind, word, is_file, rest):
    place = f"{word}.py" if is_file else word
    assert plugins.parts(kind, f"{place}:{rest}") == (place, rest)
    assert plugins.parts(kind, place) == (place, "")


@pytest.mark.parametrize(
    ("data", "source"),
    [
        ("synthetic", ("synthetic", "")),
        ("synthetic:x", ("synthetic", "x")),
        ("folder:nowhere", ("folder", "nowhere")),
        ("mine.py", ("mine.py", "")),
        ("sub/mine.py:nowhere", ("sub/mine.py", "nowhere")),
        ("photos", ("folder", "photos")),
        ("a:b", ("folder", "a:b")),
        ("folder", ("folder", "folder")),
    ],
)
def test_the_source_of_data(tmp_path, monkeypatch, data, source):
    monkeypatch.chdir(tmp_path)
    for name in ("photos", "a:b", "folder", "synthetic"):
        (tmp_path / name).mkdir()
    assert plugins.data_source(data) == source


@pytest.mark.parametrize("data", ["nowhere", "no-set:/data", "folder", "nowhere.json"])
def test_data_that_is_nothing(tmp_path, monkeypatch, data):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError) as error:
        plugins.data_source(data)
    assert str(error.value) == (
        f"--data {data} is neither a folder nor a data set of this name; there are: synthetic"
    )


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ("synthetic", "synthetic"),
        ("photos", "{here}/photos"),
        ("gone", "{here}/gone"),
        ("/else/where", "/else/where"),
        ("folder:photos", "folder:{here}/photos"),
        ("sub/mine.py", "sub/mine.py"),
        ("sub/mine.py:photos", "sub/mine.py:{here}/photos"),
        ("mine.py:s3://photos", "mine.py:s3://photos"),
    ],
)
def test_workers_are_told_an_absolute_path_and_files_as_they_were_given(
    tmp_path, monkeypatch, data, told
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    assert plugins.absolute_data(data) == told.format(here=tmp_path)


# --- workers ----------------------------------------------------------------------------------

TAKES = "class Trains:\n    def __init__(self, *, settings, **more): pass\n"
TAKES_NOT = "class Counts:\n    def __init__(self, number): pass\n"


@pytest.mark.parametrize(
    ("text", "spec", "takes"),
    [
        (TAKES, "mine.py", True),
        (TAKES_NOT, "mine.py", False),
        ("class Plain:\n    settings = 3\n", "mine.py", False),
        (TAKES_NOT + TAKES, "mine.py", True),
        (TAKES_NOT + TAKES, "mine.py:Counts", False),
        (TAKES_NOT + TAKES, "mine.py:Trains", True),
    ],
)
def test_whether_a_worker_takes_the_settings_is_read_from_its_file(write, text, spec, takes):
    write("raise SystemExit\n" + text)
    assert plugins.takes_settings(spec) is takes


def test_our_own_workers():
    assert plugins.names("workers") == ("segmentation", "toy")
    assert plugins.takes_settings("segmentation")
    assert plugins.needs_data("segmentation")
    assert not plugins.needs_data("toy")
    assert not plugins.takes_settings("toy")


@pytest.mark.parametrize(
    ("text", "needs"),
    [
        (TAKES, True),
        (TAKES_NOT, False),
        (f"NEEDS_DATA = False\n{TAKES}", False),
        (f"NEEDS_DATA: bool = True\n{TAKES_NOT}", True),
    ],
)
def test_whether_a_worker_needs_data_is_read_from_its_file(write, text, needs):
    assert plugins.needs_data(write(text)) is needs


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (
            "NEEDS_DATA = 1",
            "--worker mine.py: mine.py, line 1: NEEDS_DATA is 1; write True or False",
        ),
        ("NEEDS_DATA = not True", "mine.py, line 1: NEEDS_DATA must be written out"),
    ],
)
def test_a_worker_that_says_something_else(write, line, sentence):
    with pytest.raises(PluginError) as error:
        plugins.needs_data(write(f"{line}\n{TAKES}"))
    assert sentence in str(error.value)
