"""Which source wins, and one clear sentence for whatever is wrong with any of them."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import settings as tried
from hypothesis import strategies as st

from bohb_seg.errors import SettingsError
from bohb_seg.settings import (
    PRESETS,
    SYNTHETIC,
    DataSettings,
    SearchSettings,
    TrainingSettings,
    WorkerSettings,
    flag_of,
    merge,
    public,
)

KINDS = [DataSettings, TrainingSettings, SearchSettings, WorkerSettings]


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("settings") / "settings.yaml"


def search(flags=None, file=None, environment=None):
    return merge(SearchSettings, flags or {}, file, environment or {})


def refusal(flags=None, file=None, environment=None, kind=SearchSettings):
    with pytest.raises(SettingsError) as error:
        merge(kind, flags or {}, file, environment or {})
    assert "\n" not in str(error.value)
    return str(error.value)


# --- strength ---------------------------------------------------------------------------------

sources = st.fixed_dictionaries(
    {}, optional={"flag": st.just(11), "file": st.just(12), "environment": st.just(13)}
)


@tried(deadline=None)
@given(sources, st.booleans(), st.sampled_from(["patch_size", "final_epochs", "max_budget"]))
def test_the_strongest_source_that_speaks_wins(file, said, synthetic, name):
    said = {source: 16 * value for source, value in said.items()}
    file.write_text(yaml.safe_dump({name: said["file"]} if "file" in said else {}))
    flags = {name: said.get("flag"), "data": None if synthetic else "/photos"}
    environment = (
        {f"BOHB_{name.upper()}": str(said["environment"])} if "environment" in said else {}
    )
    brought = SYNTHETIC if synthetic else {}
    below = brought.get(name, SearchSettings.model_fields[name].default)
    expected = next((said[s] for s in ("flag", "file", "environment") if s in said), below)
    assert getattr(search(flags, file, environment), name) == expected


@pytest.mark.parametrize("source", ["flag", "file", "environment"])
def test_what_brings_values_along_may_be_said_anywhere(file, source):
    chosen = {"preset": "milestone3", "data": "/photos"}
    file.write_text(yaml.safe_dump(chosen))
    merged = {
        "flag": lambda: search(chosen),
        "file": lambda: search(file=file),
        "environment": lambda: search(
            environment={f"BOHB_{name.upper()}": value for name, value in chosen.items()}
        ),
    }[source]()
    assert {name: getattr(merged, name) for name in PRESETS["milestone3"]} == PRESETS["milestone3"]
    assert (merged.objective, merged.split, merged.space) == (
        "milestone3",
        "patch",
        "milestone3-hyperband",
    )
    assert merged.patch_size == 256


@pytest.mark.parametrize("name", PRESETS["milestone3"])
def test_every_source_is_stronger_than_a_preset(file, name):
    other = {"objective": "default", "split": "image", "space": "counting", "optimizer": "random"}
    other["final_epochs"] = 5
    environment = {f"BOHB_{name.upper()}": other[name]}
    assert getattr(search({"preset": "milestone3"}, None, environment), name) == other[name]


def test_the_synthetic_data_bring_values_along_for_those_who_have_such_settings():
    assert {name: getattr(search(), name) for name in SYNTHETIC} == SYNTHETIC
    assert merge(WorkerSettings, {}, None, {}).patch_size == SYNTHETIC["patch_size"]


def test_the_process_environment_is_looked_at(monkeypatch):
    monkeypatch.setenv("BOHB_N_ITERATIONS", "7")
    code = "from bohb_seg.settings import *; print(merge(SearchSettings, {}).n_iterations)"
    import subprocess
    import sys

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout.strip() == b"7"


# --- one name, three spellings ----------------------------------------------------------------

OTHERS = {
    "tls": "certs",
    "checkpoint_gb": 2.5,
    "trial_gb": 2.5,
    "notice": 20.0,
    **{"data": "/photos", "preset": "milestone3", "classes": "classes.yaml", "patch_size": "32"},
    **{"images": "a/{stem}.tif", "masks": "b/{stem}.tif", "group_by": "(a|b)/"},
    **{
        "bands": "4,3,2",
        "align": "true",
        "class_field": "kind",
        "sampling": "random",
        "rare_share": "0.5",
    },
    **{"downscale": "4", "split": "image", "cache_dir": "cache", "log_level": "error"},
    **{"model": "other", "objective": "milestone3", "precision": "bfloat16", "seed": "8"},
    **{"max_budget": "81", "n_iterations": "9", "run_id": "r", "run_dir": "r", "space": "s"},
    **{"optimizer": "random", "min_budget": "4", "eta": "4", "host": "h", "port": "1234"},
    **{"nameserver": "h:1", "insecure": "true", "local_workers": "3", "worker": "toy"},
    **{"min_workers": "2", "heartbeat": "7", "resume": "true", "max_hours": "8"},
    **{"restartable": "true", "take_over": "true", "repair": "true"},
    **{"max_evaluations": "9", "target_loss": "0.5", "final_epochs": "5", "final_seeds": "2"},
    **{"final_delta": "0.02", "final_folds": "5"},
    **{"comparison": "false", "max_attempts": "4", "device": "gpu:1", "threads": "2"},
    **{"bind": "b", "idle_timeout": "3", "deliver": "true"},
    **{"continue_": "false", "warm_start": "a:b", "max_epochs": "90", "final_candidates": "2"},
    **{"final_folds": "4", "patience": "5", "dashboard": "8000", "max_minutes_per_evaluation": "7"},
    **{"check": "true", "only": "nameserver", "baseline": "milestone3", "recipe": "a:b"},
    **{"hours": "2.5", "plan": "true"},
    "prior": "a:b",
}
FIELDS = [(kind, name) for kind in KINDS for name in kind.model_fields]


@pytest.mark.parametrize(
    ("kind", "name"), FIELDS, ids=lambda value: getattr(value, "__name__", value)
)
def test_every_field_has_its_flag_key_and_variable(file, kind, name):
    """The same text is understood the same, wherever it stands."""
    file.write_text(f"{flag_of(name)[2:]}: {OTHERS[name]}\n")
    merged = [
        merge(kind, {name: OTHERS[name]}, None, {}),
        merge(kind, {}, file, {}),
        merge(kind, {}, None, {f"BOHB_{public(name).upper()}": OTHERS[name]}),
    ]
    first, *others = [getattr(settings, name) for settings in merged]
    assert others == [first, first]
    assert first != getattr(merge(kind, {}, None, {}), name)


@pytest.mark.parametrize(
    "name", [n for n, f in SearchSettings.model_fields.items() if f.annotation is bool]
)
@pytest.mark.parametrize(
    ("word", "meant"),
    [
        *[("1", True), ("true", True), ("YES", True), ("on", True)],
        *[("0", False), ("False", False), ("no", False), ("off", False)],
    ],
)
def test_booleans_of_the_environment(name, word, meant):
    assert getattr(search(environment={f"BOHB_{public(name).upper()}": word}), name) is meant


def test_earlier_runs_may_be_one_or_several(file):
    for text, meant in [("a", ("a",)), ("a:b c", ("a", "b c")), ("[a, b]", ("a", "b"))]:
        file.write_text(f"warm-start: {text}\n")
        assert search(file=file).warm_start == tuple(map(Path, meant))
    assert search({"warm_start": ("a",)}, file).warm_start == (Path("a"),)
    assert search().warm_start == ()


def test_an_empty_variable_says_nothing():
    assert search(environment={"BOHB_SEED": "", "BOHB_COMPARISON": ""}).comparison is True


@pytest.mark.parametrize("name", ["data", "run_dir", "run_id", "baseline", "seed"])
def test_an_empty_flag_is_refused(name):
    with pytest.raises(SettingsError) as refused:
        search({name: ""})
    assert str(refused.value) == f"{flag_of(name)}: it is empty; give a value, or leave it out"


@pytest.mark.parametrize("value", [("",), ("a", "")])
def test_an_empty_path_among_several_is_refused(value):
    with pytest.raises(SettingsError, match=r"^--recipe.*: it is empty; give a value"):
        search({"recipe": value})
    with pytest.raises(SettingsError, match=r"^--prior .*: it is empty; give a value"):
        search(environment={"BOHB_PRIOR": "a:"})


def test_a_flag_of_false_is_given():
    assert search({"comparison": False}, None, {"BOHB_COMPARISON": "1"}).comparison is False


def test_variables_that_are_nobodys_are_left_alone():
    assert search(environment={"BOHB_TEST_DATA": "x", "SEED": "5"}).seed == 0


# --- sentences --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "colour: red",
            ": unknown setting 'colour'; there are: align, bands, baseline, cache_dir, ",
        ),
        ("7: red", ": unknown setting '7'; there are: "),
        ("seed: 1\n  eta: 2", ", line 2 is not YAML: mapping values are not allowed here;"),
        ("seed: 1\n\neta: [1", ", line 3 is not YAML: "),
        ("- seed", " holds no settings; write one 'name: value' a line"),
        ("seed", " holds no settings; write one 'name: value' a line"),
        ("eta: !!python/object/apply:os.getcwd []", ", line 1 is not YAML: "),
    ],
)
def test_a_broken_file_is_named_with_its_line(file, text, sentence):
    file.write_text(text)
    assert refusal(file=file).startswith(f"--config {file}{sentence}")


@pytest.mark.parametrize("text", ["", "# nothing but a comment\n", "---\n"])
def test_an_empty_file_says_nothing(file, text):
    file.write_text(text)
    assert search({"run_id": "r"}, file) == search({"run_id": "r"})


def test_a_file_that_is_no_text(file):
    file.write_bytes(b"seed: \xff")
    assert refusal(file=file).startswith(f"--config {file} is not YAML: 'utf-8' codec")


def test_a_file_with_a_control_character(file):
    file.write_bytes(b"seed: \x00")
    assert refusal(file=file).startswith(f"--config {file} is not YAML: ")


def test_a_file_with_a_day_that_does_not_exist(file):
    file.write_text("run-id: 2024-02-31")
    assert str(file) in refusal(file=file)


def test_a_file_that_cannot_be_read(tmp_path):
    missing = tmp_path / "none.yaml"
    assert refusal(file=missing) == f"--config {missing} cannot be read: No such file or directory"
    assert refusal(file=tmp_path) == f"--config {tmp_path} cannot be read: a folder, not a file"


def test_a_refused_value_is_named_with_its_source(file):
    file.write_text("n-iterations: none")
    what = (
        "--n-iterations {}: input should be a valid integer, unable to parse string as an integer"
    )
    assert refusal({"n_iterations": "x"}, file) == what.format("x")
    assert refusal({}, file) == what.format(f"none (from {file})")
    assert refusal({}, None, {"BOHB_N_ITERATIONS": "y"}) == what.format("y (from environment)")


@pytest.mark.parametrize(
    ("kind", "flags", "sentence"),
    [
        (
            SearchSettings,
            {"min_budget": "30"},
            "--min-budget 30 is larger than --max-budget 18; lower the one or raise the other",
        ),
        (
            SearchSettings,
            {"max_epochs": "1"},
            "--max-epochs 1 has no room for one evaluation of --min-budget 2 epochs; raise the one"
            " or lower the other",
        ),
        (
            WorkerSettings,
            {"device": "gpu:x"},
            "--device gpu:x: string should match pattern '^(auto|cpu|gpu|gpu:\\d+|tpu|all-gpus)$'",
        ),
        (SearchSettings, {"eta": "1.5"}, "--eta 1.5: input should be greater than or equal to 2"),
        (DataSettings, {"preset": "x"}, "--preset x: input should be 'default' or 'milestone3'"),
        (
            SearchSettings,
            {"nameserver": "here"},
            "--nameserver here: write host:port, or [address]:port for an ipv6 address",
        ),
    ],
)
def test_the_sentences_of_the_checks(kind, flags, sentence):
    assert refusal(flags, kind=kind) == sentence


@pytest.mark.parametrize(
    ("kind", "name", "value"),
    [
        (SearchSettings, "seed", 2**32),
        (SearchSettings, "final_seeds", 10**9),
        (SearchSettings, "final_candidates", 10**9),
        (SearchSettings, "heartbeat", 1e300),
        (WorkerSettings, "notice", 1e300),
        (WorkerSettings, "idle_timeout", 1e300),
    ],
)
def test_numbers_that_no_machine_can_bear_are_refused(kind, name, value):
    assert f"{flag_of(name)} {value}: input should be less than" in refusal(
        {name: value}, kind=kind
    )


def test_local_workers_are_not_a_thousand_million():
    assert "--local-workers 1000000000: " in refusal({"local_workers": 10**9})


@pytest.mark.parametrize("low", [1e-300, 5e-324, 1e-15])
def test_budgets_that_are_too_far_apart_are_refused(low):
    sentence = refusal({"min_budget": low, "max_budget": 1e300})
    assert sentence == (
        f"--min-budget {low:g} and --max-budget 1e+300 have more than 32 budgets between them,"
        " each --eta 3 times the last; bring them closer"
    )


def test_there_may_be_a_thousand_million_brackets():
    assert search({"n_iterations": str(10**9)}).n_iterations == 10**9


@pytest.mark.parametrize("second", ["n-iterations", "n_iterations"])
def test_a_file_says_nothing_twice(file, second):
    file.write_text(f"n-iterations: 4\nseed: 1\n{second}: 8\n")
    assert refusal(file=file) == (
        f"--config {file}: n_iterations stands there twice; leave one of them"
    )


@pytest.mark.parametrize("number", ["010", "1:30", "1:30.5", "-017"])
def test_a_number_of_old_yaml_is_refused(file, number):
    file.write_text(f"n-iterations: 4\nseed: {number}\n")
    assert refusal(file=file) == (
        f"--config {file}, line 2: seed {number} would be taken for another number; write plain"
        " digits, or text in quotation marks"
    )


def test_budgets_may_be_equal():
    assert search({"min_budget": "18"}).min_budget == 18


@pytest.mark.parametrize(
    "name",
    ["max_budget", "eta", "heartbeat", "max_hours", "max_epochs", "target_loss", "final_epochs"],
)
def test_numbers_are_finite(name):
    assert f"--{name.replace('_', '-')} inf" in refusal({name: "inf"})


def test_local_workers_are_counted_from_zero():
    assert search({"local_workers": "0"}).local_workers == 0
    assert "--local-workers -1" in refusal({"local_workers": "-1"})


# --- names ------------------------------------------------------------------------------------


def test_a_run_is_named_after_the_time_and_lies_under_its_name():
    settings = search()
    assert settings.run_dir == Path("results") / settings.run_id
    assert len(settings.run_id) == len("20260101-120000")
    assert search({"run_id": "mine"}).run_dir == Path("results/mine")
    assert search({"run_id": "mine", "run_dir": "there"}).run_dir == Path("there")


@pytest.mark.parametrize("name", ["a/b", "a b", "ä", "a;b", "a\n"])
def test_a_name_that_would_not_do_as_a_folder_is_refused(name):
    with pytest.raises(SettingsError, match="--run-id"):
        search({"run_id": name})


def test_settings_are_read_again_as_they_are_kept():
    settings = search({"classes": "c.yaml", "local_workers": "2", "target_loss": "0.1"})
    assert SearchSettings.model_validate(settings.model_dump(mode="json")) == settings


def test_the_cache_may_lie_in_a_home(monkeypatch):
    monkeypatch.setenv("HOME", "/home/somebody")
    for environment in ({}, {"BOHB_CACHE_DIR": "~/.cache/bohb-seg"}):
        found = merge(WorkerSettings, {}, None, environment).cache_dir
        assert found == Path("/home/somebody/.cache/bohb-seg")


@pytest.mark.parametrize("source", ["flag", "file", "environment"])
@pytest.mark.parametrize(
    ("setting", "former", "present"),
    [
        ("preset", "seed", "milestone3"),
        ("objective", "seed", "milestone3"),
        ("space", "seed-bohb", "milestone3-bohb"),
        ("space", "seed-hyperband", "milestone3-hyperband"),
    ],
)
def test_former_names_are_understood_everywhere(tmp_path, source, setting, former, present):
    file = tmp_path / "run.yaml"
    file.write_text(f"{setting}: {former}\n")
    merged = {
        "flag": lambda: search({setting: former}),
        "file": lambda: search({}, file),
        "environment": lambda: search({}, None, {f"BOHB_{setting.upper()}": former}),
    }[source]()
    assert getattr(merged, setting) == present
    if setting == "preset":
        assert (merged.split, merged.space) == ("patch", "milestone3-hyperband")
