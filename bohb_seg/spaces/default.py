"""The default space: what matters when a U-Net is trained from scratch on aerial images.

Strongest evidence first: learning rate, width, batch size, normalisation, compound losses; the rest
matters less. The default configuration is a sensible hand-made choice, close to the model of the
reports this project started from.
"""

from ConfigSpace import (
    Categorical,
    ConfigurationSpace,
    EqualsCondition,
    Float,
    InCondition,
    Integer,
    OrdinalHyperparameter,
)


def space() -> ConfigurationSpace:
    """Fifteen dimensions, five of them conditional."""
    space = ConfigurationSpace(name="default")
    _add_optimizer(space)
    _add_architecture(space)
    _add_loss(space)
    space.add(Float("augmentation", (0.0, 1.0), default=0.5))
    return space


def _add_optimizer(space: ConfigurationSpace) -> None:
    """Gradient optimizer, its rates and schedule, batch size in patches."""
    optimizer = Categorical("optimizer", ["adam", "adamw", "sgd"], default="adam")
    adaptive = Float("learning_rate", (1e-4, 5e-3), log=True, default=1e-3)
    plain = Float("sgd_learning_rate", (1e-3, 1e-1), log=True, default=1e-2)
    decay = Float("weight_decay", (1e-6, 1e-2), log=True, default=1e-4)
    space.add(
        optimizer,
        adaptive,
        plain,
        decay,
        Categorical("schedule", ["cosine", "poly", "constant"], default="cosine"),
        Integer("batch_size", (4, 32), log=True, default=16),
        InCondition(adaptive, optimizer, ["adam", "adamw"]),
        EqualsCondition(plain, optimizer, "sgd"),
        InCondition(decay, optimizer, ["adamw", "sgd"]),
    )


def _add_architecture(space: ConfigurationSpace) -> None:
    """Filters of the first level, number of halvings (the reports' U-Net: 4), and layers."""
    space.add(
        OrdinalHyperparameter("base_filters", [16, 24, 32, 48, 64], default_value=32),
        Integer("depth", (2, 4), default=4),
        Categorical("norm", ["batch", "group", "none"], default="batch"),
        Categorical("activation", ["relu", "swish", "leaky_relu"], default="relu"),
        Float("dropout", (0.0, 0.4), default=0.1),
    )


def _add_loss(space: ConfigurationSpace) -> None:
    """The training loss; ``region_weight`` is the share of Dice in a compound loss."""
    loss = Categorical("loss", ["dice+ce", "dice+focal", "ce", "tversky"], default="dice+ce")
    region = Float("region_weight", (0.25, 0.75), default=0.5)
    focal = Float("focal_gamma", (1.0, 3.0), default=2.0)
    space.add(
        loss,
        region,
        focal,
        InCondition(region, loss, ["dice+ce", "dice+focal"]),
        EqualsCondition(focal, loss, "dice+focal"),
    )
