import numpy as np
import pytest

from bohb_seg import plugins
from bohb_seg.errors import SettingsError
from bohb_seg.plugins.hyperparameters import of_model

pytestmark = pytest.mark.training

SIZES = (32, 64)


def build(name="unet", classes=3, seed=1, **changes):
    from bohb_seg.training.graph.dropout import PlainDropout

    values = of_model(plugins.file_of("models", name)).defaults("default") | changes
    return plugins.find("models", name).build(
        values,
        classes=classes,
        precision="float32",
        seed=seed,
        dropout=PlainDropout(values, seed).layer,
    )


SMALL = {"depth": 2, "base_filters": 8}


@pytest.mark.parametrize("name", plugins.names("models"))
def test_every_model_gives_probabilities_for_images_of_any_size(name):
    model = build(name, **(SMALL if name == "unet" else {}))
    for size in SIZES:
        images = np.random.default_rng(0).integers(256, size=(2, size, size, 3)).astype(np.uint8)
        scores = np.asarray(model(images))
        assert scores.shape == (2, size, size, 3)
        assert scores.dtype == np.float32
        np.testing.assert_allclose(scores.sum(axis=-1), 1, atol=1e-5)


def test_there_is_a_model():
    assert "unet" in plugins.names("models")


def test_the_reports_unet_has_their_number_of_weights():
    def convolution(inputs, outputs, edge=3):
        return edge * edge * inputs * outputs + outputs

    filters = (16, 32, 64, 128, 256)
    down = sum(
        convolution(before, now) + convolution(now, now)
        for before, now in zip((3, *filters), filters, strict=False)
    )
    up = sum(
        convolution(2 * now, now, edge=2) + convolution(2 * now, now) + convolution(now, now)
        for now in filters[:-1]
    )
    expected = down + up + convolution(16, 6, edge=1)
    assert build(classes=6).count_params() == expected == 1_941_190


def test_weights_follow_from_the_seed():
    one, same, other = (build(seed=seed, **SMALL).get_weights() for seed in (1, 1, 2))
    assert all(np.array_equal(a, b) for a, b in zip(one, same, strict=True))
    assert not np.array_equal(one[0], other[0])


def test_patch_scaling_is_scikit_learns_min_max_scaler():
    from sklearn.preprocessing import MinMaxScaler

    from bohb_seg.training.graph.scaling import stretched

    patch = np.random.default_rng(0).integers(20, 200, size=(8, 8, 3)).astype(np.float32)
    patch[..., 2] = 7
    expected = MinMaxScaler().fit_transform(patch.reshape(-1, 3)).reshape(patch.shape)
    np.testing.assert_allclose(np.asarray(stretched(patch[None]))[0], expected, atol=1e-6)


def test_filters_that_groups_do_not_divide_are_one_sentence():
    with pytest.raises(SettingsError, match=r"base_filters 12.*multiples of 8"):
        build(norm="group", base_filters=12)
    build(norm="none", base_filters=12, depth=1)


def test_the_hyperparameters_that_it_states_are_those_of_the_milestone_3_reports():
    stated = of_model(plugins.file_of("models", "unet"))
    assert stated.halvings_of({}) == 4
    assert stated.halvings_of({"depth": 3}) == 3
    assert stated.rates == ("dropout",)
    assert stated.defaults("milestone3")["scaling"] == "patch"
