"""The default space: the hyperparameters that matter for a U-Net trained on aerial images.

The evidence is strongest for learning rate, width, batch size, normalisation and compound losses;
the others matter less. The space leaves out what the patch size or common sense rule out: halving
an odd edge, a bottom of a single pixel, a network wider than the original U-Net.

The default configuration follows by rules from the data, in the manner of nnU-Net (Isensee et al.,
Nature Methods 18, 2021). Constants that are said to be nnU-Net's stand in its experiment planner
(github.com/MIC-DKFZ/nnUNet, ``default_experiment_planner.py``). The machine does not matter: the
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
"""Filters of the original U-Net's lowest level (Ronneberger et al. 2015), which has 31 million
weights. Twice as many filters would mean 124 million weights, and 1.5 GB for every checkpoint with
Adam's moments."""
DEPTHS = (3, 4, 5)
"""Numbers of times that a patch may be halved."""
BATCHES = (4, 32)
"""Smallest and largest batch in patches."""

_LEAST_BOTTOM = 2
"""Smallest edge of the bottom in pixels. On a bottom of one pixel, eight of the nine weights of a
3x3 convolution see only padding."""
_GOOD_BOTTOM = 4
"""Edge of the bottom, in pixels, at which nnU-Net stops (``UNet_featuremap_min_edge_length``)."""
_GOOD_WIDTHS = (32, 24, 16)
"""nnU-Net's width (``UNet_base_num_features``), and narrower ones, best first."""
_GOOD_BATCH = 16
"""Batch of the Milestone 3 reports (docs/origin.md). nnU-Net fills its memory, because its epochs
have a fixed number of steps. Our epochs have a fixed number of patches: a larger batch means fewer
steps. Besides, batches up to 32 generalise better (Masters and Luschi, arXiv 1804.07612)."""
_LARGEST_SHARE = 0.05
"""Largest share of all training patches in one batch: nnU-Net's precaution against overfitting
(``max_dataset_covered``)."""
_MEMORY = 12 * 85_000_000
"""Feature-map elements of a batch that fill a card of 8 GB, by nnU-Net's reckoning: 12 patches
(``UNet_reference_val_corresp_bs_2d``) of 85 million elements (``UNet_reference_val_2d``)."""
_BATCH_NORM_FROM = 16
"""Smallest batch with which batch normalisation errs less than group normalisation: 23.7 against
24.2 % at 16 patches, but 24.8 against 24.0 % at 8 (Wu and He, ECCV 2018, table 2)."""


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

    - depth: as many halvings as leave a bottom of 4 pixels (nnU-Net), within the space;
    - base_filters: nnU-Net's 32, or fewer if not even the smallest batch fits 8 GB;
    - batch_size: as many patches as fit 8 GB, at most 5 % of all (nnU-Net), at most 16;
    - norm: ``batch``, or ``group`` for batches below 16 (Wu and He 2018);
    - loss: Dice and cross-entropy in equal shares (nnU-Net). Dice is good for rare classes,
      cross-entropy has smooth gradients;
    - optimizer: Adam with its authors' learning rate 1e-3, because budgets are too short for
      nnU-Net's SGD over 1,000 epochs; no learning rate below 3e-3 collapsed in the reports' trials;
    - schedule: ``cosine``, which warms up first and ends near zero, like nnU-Net's polynomial;
    - activation: relu, as in the reports;
    - dropout: none, as in nnU-Net, because dropout before batch normalisation shifts its variance
      (Li et al., CVPR 2019);
    - augmentation: flips and quarter turns, after which an aerial image is still one, and colours
      at half strength (nnU-Net: moderate brightness, contrast and gamma).
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
    """Number of patches whose feature maps fill nnU-Net's memory.

    On every level but the lowest, five convolutions leave one map each: two down, three up.
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
    """Filters of the first level, number of halvings (4 in the reports' U-Net), and layers."""
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
