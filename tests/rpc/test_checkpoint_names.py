"""Only names that our own functions make are accepted from a peer."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bohb_seg.rpc.checkpoint_names import is_folder, is_name, is_token, trial
from bohb_seg.trials import (
    COMPARISON,
    TrialId,
    checkpoint_file,
    checkpoint_folder,
    comparison_folder,
    trial_key,
)

trials = st.builds(
    TrialId, st.integers(-3, 10**9 - 1), st.integers(0, 10**9 - 1), st.integers(0, 10**9 - 1)
)
paths = st.text(st.sampled_from("checkpoints/comparison-default.0129\nb"), max_size=30)


@given(trials)
def test_what_we_name_ourselves_is_accepted(its):
    assert trial(trial_key(its)) == its
    assert is_folder(checkpoint_folder(its))
    assert is_folder(comparison_folder((-1, its.rung % 9999, its.number)))
    assert is_folder(comparison_folder((-3, its.rung % 9999, its.number)))
    assert is_folder(COMPARISON)


@given(st.integers(0, 10**7))
def test_checkpoints_may_be_handed_over(epochs):
    assert is_name(checkpoint_file(epochs))


@given(paths | st.text() | st.none() | st.integers())
@example("checkpoints/0-1-2/")
@example("checkpoints/00-1-2")
@example("checkpoints/0-1-2\n")
@example("checkpoints/-0-1-2")
@example("comparison/default-01")
@example("comparison/default-fold-1")
@example("comparison/incumbent2-1")
@example("comparison/incumbent1-1")
@example("comparison/incumbent02-1")
@example("comparison/incumbent-fold-fold-1")
def test_every_other_folder_is_refused(value):
    """The words of a folder that is accepted make the same folder again."""
    if not is_folder(value):
        return
    above, _, name = value.partition("/")
    if above == "checkpoints":
        assert checkpoint_folder(trial(name)) == value
    elif name:
        arm, *fold, number = name.split("-")
        known = {"default": 0, "incumbent": 1}
        rung = known[arm] if arm in known else int(arm.removeprefix("incumbent"))
        assert comparison_folder((-3 if fold else -1, rung, int(number))) == value


@pytest.mark.parametrize("name", ["", ".hidden", "-x", "a/b", "..", "x\n", "ä", "x" * 101, None, 7])
def test_other_files_may_not_be_handed_over(name):
    assert not is_name(name)


@pytest.mark.parametrize(("token", "fine"), [("0f" * 16, True), ("0F" * 16, False), ("0f", False)])
def test_tokens_are_32_hex_digits(token, fine):
    assert is_token(token) == fine
