"""What a run names is checked before its data are read, and without Keras."""

import json
import subprocess
import sys

import pytest

from bohb_seg.errors import DataError, PluginError, SettingsError, SpaceError
from bohb_seg.master import run_setup
from bohb_seg.master.plugin_check import check_new_run, check_plugins
from bohb_seg.settings import SearchSettings, merge

REAL = {"learning_rate": {"_type": "loguniform", "_value": [1e-4, 1e-2]}}
"""A space in NNI's format that training knows."""
OWN_WORKER = "class Own:\n    def __init__(self, run_id): pass\n"
MODEL = """
HYPERPARAMETERS = {"width": {"default": 8, "range": (4, 64)}}
HALVINGS = 3
def build(hyperparameters, **more): pass
"""

WITNESS = """
import sys
opened = []
sys.addaudithook(
    lambda event, arguments: opened.append(str(arguments[0])) if event == "open" else None
)
from bohb_seg.commands import master
sys.argv = ["bohb-master", *sys.argv[1:]]
try:
    master.main()
finally:
    heavy = {"keras", "tensorflow", "jax", "cv2", "matplotlib"} & sys.modules.keys()
    print(sorted(heavy), [path for path in opened if "photos" in path])
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The working directory, with a folder of data that nobody may read."""
    monkeypatch.chdir(tmp_path)
    for kind in ("images", "masks"):
        (tmp_path / "photos" / kind).mkdir(parents=True)
        (tmp_path / "photos" / kind / "a.png").write_bytes(b"no image")
    (tmp_path / "own.py").write_text(OWN_WORKER)
    (tmp_path / "net.py").write_text(MODEL)
    return tmp_path


def settings(**flags):
    return merge(SearchSettings, {"data": "photos", **flags}, environment={})


def space(here, **hyperparameters):
    (here / "space.json").write_text(json.dumps({**REAL, **hyperparameters}))
    return "space.json"


def choice(*values):
    return {"_type": "choice", "_value": values}


@pytest.mark.parametrize(
    ("flags", "kind", "sentence"),
    [
        ({"model": "net"}, PluginError, "unknown model 'net'; there are: unet"),
        ({"optimizer": "gone.py"}, PluginError, "--optimizer gone.py: there is no file"),
        ({"optimizer": "own.py"}, PluginError, "own.py does not define build()"),
        ({"worker": "gone.py:Own"}, PluginError, "--worker gone.py:Own: there is no file"),
    ],
)
def test_plugins_of_every_run(here, flags, kind, sentence):
    with pytest.raises(kind) as error:
        check_plugins(settings(**flags))
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    ("flags", "kind", "sentence"),
    [
        ({"space": "gone.yaml"}, PluginError, "--space gone.yaml: there is no file"),
        ({"data": "gone"}, DataError, "--data gone is neither a folder nor a data set"),
        ({"data": "own.py:photos"}, PluginError, "own.py does not define load()"),
        ({"data": "gone.py:photos"}, PluginError, "--data gone.py: there is no file"),
        ({"patch_size": 20}, SpaceError, "--patch-size 20 cannot be halved 3 times"),
        ({"space": "quick", "patch_size": 40}, SettingsError, "--patch-size 40 cannot be halved 4"),
        ({"space": "counting"}, SettingsError, "the hyperparameter 'c0', which neither training"),
        ({"model": "net.py"}, SettingsError, "'activation', which neither training nor the model"),
    ],
)
def test_data_and_space_of_a_new_run(here, flags, kind, sentence):
    with pytest.raises(kind) as error:
        check_new_run(settings(**flags))
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("hyperparameters", "sentence"),
    [
        ({"depht": choice(3, 4)}, "'depht', which neither training nor the model unet knows"),
        ({"norm": choice("batch", "layer")}, "norm has the value 'layer' but needs one of none"),
        ({"dropout": {"_type": "uniform", "_value": [0, 0.9]}}, "dropout has the value 0.9"),
        (
            {"depth": {"_type": "quniform", "_value": [0, 4, 2]}},
            "depth has the value 0.0 but needs",
        ),
        ({"batch_size": {"_type": "randint", "_value": [0, 9]}}, "batch_size has the value 0 but"),
    ],
)
def test_hyperparameters_that_training_does_not_know(here, hyperparameters, sentence):
    with pytest.raises(SettingsError) as error:
        check_new_run(settings(space=space(here, **hyperparameters)))
    assert sentence in str(error.value)


@pytest.mark.parametrize("name", ["default", "quick", "milestone3-bohb", "milestone3-hyperband"])
@pytest.mark.parametrize("patch_size", [16, 48, 64, 256])
def test_our_own_spaces_suit_our_own_model(here, name, patch_size):
    check_new_run(settings(space=name, patch_size=patch_size))


def test_patches_that_some_configuration_could_not_halve(here):
    deep = space(here, depth=choice(3, 5, 4))
    check_new_run(settings(space=deep, patch_size=96))
    with pytest.raises(SettingsError, match="--patch-size 48 cannot be halved 5 times, as depth 5"):
        check_new_run(settings(space=deep, patch_size=48))


def test_a_space_that_follows_from_the_data_is_checked_with_the_data(here, monkeypatch):
    (here / "follows.py").write_text(
        "from ConfigSpace import Categorical, ConfigurationSpace\n\n\ndef space(facts):\n"
        "    loss = 'ce' if facts.classes > 2 else 'hinge'\n"
        "    return ConfigurationSpace(space={'loss': Categorical('loss', [loss])})\n"
    )
    given = settings(space="follows.py")
    check_new_run(given)  # typical data have six classes
    data = {"patches": {"train": 9}, "classes": ["a", "b"]}
    monkeypatch.setattr(run_setup, "check_data", lambda _: data)
    with pytest.raises(SettingsError, match="loss has the value 'hinge' but needs one of"):
        run_setup.new_start(given)


def test_a_space_for_a_model_of_ones_own(here):
    own = space(here, width=choice(8, 16))
    check_new_run(settings(model="net.py", space=own, patch_size=40))
    with pytest.raises(SettingsError, match="--patch-size 20 cannot be halved 3 times"):
        check_new_run(settings(model="net.py", space=own, patch_size=20))


def test_every_depth_of_a_space_must_suit_the_patches(here):
    depths = space(here, depth=choice(3, 5))
    check_new_run(settings(space=depths, patch_size=64))
    with pytest.raises(SettingsError, match="--patch-size 48 cannot be halved 5 times, as depth 5"):
        check_new_run(settings(space=depths, patch_size=48))


def test_a_worker_that_takes_no_settings_has_hyperparameters_of_its_own(here):
    for worker in ("toy", "own.py"):
        check_new_run(settings(worker=worker, space="counting", data="gone", patch_size=20))


@pytest.mark.parametrize(
    ("flags", "sentence"),
    [
        (
            {"min_budget": 0.1, "max_budget": 1},
            "--min-budget 0.1 and --max-budget 1 make a budget of 0.111111 epochs, and less than"
            " one epoch cannot be trained; raise --min-budget to 1 or more, and --max-budget"
            " accordingly",
        ),
        ({"min_budget": 0.9, "max_budget": 8.1}, "make a budget of 0.9 epochs"),
        ({"min_budget": 0.5, "max_budget": 0.5}, "make a budget of 0.5 epochs"),
        ({"final_epochs": 0.4}, "--final-epochs 0.4 is no whole number of epochs, and a part of"),
        ({"final_epochs": 2.5}, "--final-epochs 2.5 is no whole number of epochs, and a part of"),
    ],
)
def test_a_part_of_an_epoch_cannot_be_trained(here, flags, sentence):
    """All of them trained one epoch, and what was promoted trained nothing more."""
    with pytest.raises(SettingsError) as error:
        check_new_run(settings(space="quick", **flags))
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    "flags",
    [
        {"min_budget": 0.9, "max_budget": 10},  # the smallest budget is 10 / 9
        {"final_epochs": 0.4, "comparison": False},
        {"min_budget": 0.1, "max_budget": 1, "worker": "toy", "space": "counting"},
    ],
)
def test_other_fractions_can(here, flags):
    check_new_run(settings(**{"space": "quick", **flags}))


def test_a_worker_may_say_that_it_needs_the_data(here):
    (here / "own.py").write_text(f"NEEDS_DATA = True\n{OWN_WORKER}")
    with pytest.raises(DataError, match="--data gone"):
        check_new_run(settings(worker="own.py", space="counting", data="gone"))


@pytest.mark.loopback
@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--model", "unte"), "unknown model 'unte'"),
        (("--data", "mine.py:photos"), "there is no file"),
        (("--space", "space.json"), "the hyperparameter 'depht'"),
    ],
)
def test_a_wrong_word_is_told_without_keras_and_before_data_are_read(here, flags, said):
    space(here, depht=choice(3, 4))
    command = [sys.executable, "-c", WITNESS, "--data", "photos", "--port", "0", *flags]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stdout.strip() == "[] []"
    assert not (here / "results").exists()


@pytest.mark.loopback
def test_the_witness_sees_data_that_are_read(here):
    program = WITNESS.replace("master.main()", "open('photos/images/a.png').close()")
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.stdout.strip() == "[] ['photos/images/a.png']"
