"""The default space: what matters when a U-Net is trained from scratch on aerial images.

Strongest evidence first: learning rate, width, batch size, normalisation, compound losses; the rest
matters less. What the patch size or common sense rule out is not in the space: halving an odd edge,
a bottom of a single pixel, a network wider than the original U-Net.

The default configuration follows by rules from the data, in the manner of nnU-Net (Isensee et al.,
Nature Methods 18, 2021), whose constants, where named, are those of its experiment planner
(github.com/MIC-DKFZ/nnUNet, ``default_experiment_planner.py``). It asks nothing of the machine: the
same data have the same default everywhere. Where its batch does not fit, gradients accumulate.
"""

from collections.abc import Mapping
from typing import Any

from ConfigSpace import (
    Categorical,
    ConfigurationSpace,
    Constant,
    EqualsCondition,
    Float,
    ForbiddenAndConjunction,
    ForbiddenEqualsClause,
    ForbiddenInClause,
    InCondition,
    Integer,
    OrdinalHyperparameter,
)
from ConfigSpace.hyperparameters import Hyperparameter

from bohb_seg.errors import SpaceError
from bohb_seg.search.data_facts import Facts
from bohb_seg.trials import Configuration

WIDTHS = (16, 24, 32, 48, 64)
"""Filters of the first level; each level below has twice as many."""
WIDEST_BOTTOM = 1024
"""Filters of the original U-Net's lowest level (Ronneberger et al. 2015), 31 million weights; with
twice as many it would be 124 million, and every checkpoint with Adam's moments 1.5 GB."""
DEPTHS = (3, 4, 5)
"""How often a patch is halved."""
BATCHES = (4, 32)
"""Smallest and largest batch in patches."""

_LEAST_BOTTOM = 2
"""Pixels: on a bottom of one, eight of a 3x3 convolution's nine weights see nothing but padding."""
_GOOD_BOTTOM = 4
"""Pixels: nnU-Net halves as long as no edge gets smaller (``UNet_featuremap_min_edge_length``)."""
_GOOD_WIDTHS = (32, 24, 16)
"""nnU-Net's (``UNet_base_num_features``), and narrower ones, best first."""
_GOOD_BATCH = 16
"""The reports'. nnU-Net fills its memory because its epochs have a fixed number of steps; ours have
a fixed number of patches, so that a larger batch means fewer steps, and batches up to 32 generalise
better than larger ones anyway (Masters and Luschi, arXiv 1804.07612)."""
_LARGEST_SHARE = 0.05
"""Of all training patches in one batch: nnU-Net's precaution against overfitting
(``max_dataset_covered``)."""
_MEMORY = 12 * 85_000_000
"""Feature-map elements of a whole batch that nnU-Net reckons to fill a card of 8 GB: 12 patches
(``UNet_reference_val_corresp_bs_2d``) of 85 million (``UNet_reference_val_2d``)."""
_BATCH_NORM_FROM = 16
"""Patches per batch from which batch normalisation errs less than group normalisation: 23.7 against
24.2 % at 16, but 24.8 against 24.0 % at 8 (Wu and He, ECCV 2018, table 2)."""


def space(facts: Facts) -> ConfigurationSpace:
    """Fifteen dimensions, five of them conditional; depths that the patch size allows."""
    space = ConfigurationSpace(name="default")
    default: Mapping[str, Any] = baseline(facts)
    _add_optimizer(space, default)
    _add_architecture(space, default, deepest(facts.patch_size))
    _add_loss(space, default)
    space.add(Float("augmentation", (0.0, 1.0), default=default["augmentation"]))
    return space


def baseline(facts: Facts) -> Configuration:
    """The default configuration, by rules from the data; always a legal one of the space.

    - depth: halved as long as the bottom keeps 4 pixels (nnU-Net), as far as the space allows;
    - base_filters: nnU-Net's 32, or fewer if not even the smallest batch fits its 8 GB;
    - batch_size: what fits 8 GB and is no more than 5 % of the patches (nnU-Net), at most 16;
    - norm: ``batch``, below a batch of 16 ``group`` (Wu and He 2018);
    - loss: Dice + cross-entropy, equal shares (nnU-Net): the one for rare classes, the other for
      smooth gradients;
    - optimizer: Adam at its authors' 1e-3, for budgets are too short for nnU-Net's SGD over 1,000
      epochs; no learning rate below 3e-3 collapsed in the reports' trials;
    - schedule: ``cosine``, which warms up first and ends near zero, as nnU-Net's polynomial does;
    - activation, dropout: relu as in the reports; none, as in nnU-Net, for dropout before batch
      normalisation shifts its variance (Li et al., CVPR 2019);
    - augmentation: flips and quarter turns, which leave an aerial image one, and colours at half
      strength (nnU-Net: moderate brightness, contrast and gamma).
    """
    filters = next((f for f in _GOOD_WIDTHS if _fitting(facts, f) >= BATCHES[0]), WIDTHS[0])
    share = round(_LARGEST_SHARE * facts.patches)
    batch = max(BATCHES[0], min(_GOOD_BATCH, share, _fitting(facts, filters)))
    return {
        "optimizer": "adam",
        "learning_rate": 1e-3,
        "schedule": "cosine",
        "batch_size": batch,
        "base_filters": filters,
        "depth": _good_depth(facts.patch_size),
        "norm": "batch" if batch >= _BATCH_NORM_FROM else "group",
        "activation": "relu",
        "dropout": 0.0,
        "loss": "dice+ce",
        "region_weight": 0.5,
        "augmentation": 0.5,
    }


def deepest(patch_size: int) -> int:
    """The largest depth for patches of this edge in pixels.

    Raises:
        SpaceError: no depth halves them without a rest.
    """
    allowed = [d for d in DEPTHS if not patch_size % 2**d and patch_size >> d >= _LEAST_BOTTOM]
    if not allowed:
        raise SpaceError(
            f"--patch-size {patch_size} cannot be halved {DEPTHS[0]} times, as every configuration"
            f" of the space default wants; use a multiple of {2 ** DEPTHS[0]} or another --space"
        )
    return max(allowed)


def _good_depth(patch_size: int) -> int:
    depths = range(DEPTHS[0], deepest(patch_size) + 1)
    return max((d for d in depths if patch_size >> d >= _GOOD_BOTTOM), default=DEPTHS[0])


def _fitting(facts: Facts, filters: int) -> int:
    """Patches whose feature maps fill nnU-Net's memory.

    Five convolutions leave one map each on every level but the lowest: two down, three up.
    """
    depth, pixels = _good_depth(facts.patch_size), facts.patch_size**2
    levels = sum(5 * (pixels * filters >> level) for level in range(depth))
    return _MEMORY // (levels + 2 * (pixels * filters >> depth) + pixels * facts.classes)


def _add_optimizer(space: ConfigurationSpace, default: Mapping[str, Any]) -> None:
    """Gradient optimizer, its rates and schedule, batch size in patches."""
    optimizer = Categorical("optimizer", ["adam", "adamw", "sgd"], default=default["optimizer"])
    adaptive = Float("learning_rate", (1e-4, 5e-3), log=True, default=default["learning_rate"])
    plain = Float("sgd_learning_rate", (1e-3, 1e-1), log=True, default=1e-2)
    decay = Float("weight_decay", (1e-6, 1e-2), log=True, default=1e-4)
    space.add(
        optimizer,
        adaptive,
        plain,
        decay,
        Categorical("schedule", ["cosine", "poly", "constant"], default=default["schedule"]),
        Integer("batch_size", BATCHES, log=True, default=default["batch_size"]),
        InCondition(adaptive, optimizer, ["adam", "adamw"]),
        EqualsCondition(plain, optimizer, "sgd"),
        InCondition(decay, optimizer, ["adamw", "sgd"]),
    )


def _add_architecture(space: ConfigurationSpace, default: Mapping[str, Any], deepest: int) -> None:
    """Filters of the first level, number of halvings (the reports' U-Net: 4), and layers."""
    filters = OrdinalHyperparameter("base_filters", WIDTHS, default_value=default["base_filters"])
    halvings: Hyperparameter[Any, Any] = Constant("depth", deepest)
    if deepest > DEPTHS[0]:
        halvings = Integer("depth", (DEPTHS[0], deepest), default=default["depth"])
    space.add(
        filters,
        halvings,
        Categorical("norm", ["batch", "group", "none"], default=default["norm"]),
        Categorical("activation", ["relu", "swish", "leaky_relu"], default=default["activation"]),
        Float("dropout", (0.0, 0.4), default=default["dropout"]),
    )
    for depth in range(DEPTHS[0], deepest + 1):
        if too_wide := [width for width in WIDTHS if width * 2**depth > WIDEST_BOTTOM]:
            clauses = ForbiddenEqualsClause(halvings, depth), ForbiddenInClause(filters, too_wide)
            space.add(ForbiddenAndConjunction(*clauses))


def _add_loss(space: ConfigurationSpace, default: Mapping[str, Any]) -> None:
    """The training loss; ``region_weight`` is the share of Dice in a compound loss."""
    loss = Categorical("loss", ["dice+ce", "dice+focal", "ce", "tversky"], default=default["loss"])
    region = Float("region_weight", (0.25, 0.75), default=default["region_weight"])
    focal = Float("focal_gamma", (1.0, 3.0), default=2.0)
    space.add(
        loss,
        region,
        focal,
        InCondition(region, loss, ["dice+ce", "dice+focal"]),
        EqualsCondition(focal, loss, "dice+focal"),
    )
