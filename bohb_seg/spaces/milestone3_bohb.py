"""The space of the BOHB report of Milestone 3 (docs/origin.md): training and validation batch size.

The validation batch size changes no weight. It changes only the loss that Keras prints, because
Dice is averaged over batches. The objective ``milestone3`` therefore measures all configurations
alike and keeps the printed value in ``info``. Learning rate and activation were not tuned: they are
constants.
"""

from ConfigSpace import ConfigurationSpace, Constant, Integer


def space() -> ConfigurationSpace:
    """Both batch sizes in patches; the defaults are the report's un-tuned values."""
    space = ConfigurationSpace(name="milestone3-bohb")
    space.add(
        Integer("batch_size", (4, 64), log=True, default=16),
        Integer("val_batch_size", (1, 64), log=True, default=16),
        Constant("learning_rate", 0.007),
        Constant("activation", "relu"),
    )
    return space
