"""A search space: learning rate and batch size of training, width and depth of ``dilated.py``.

Run it::

    bohb-master --model examples/dilated.py --space examples/dilated_space.py
"""

from ConfigSpace import ConfigurationSpace, Float, Integer

from bohb_seg.search.data_facts import Facts


def space(facts: Facts) -> ConfigurationSpace:
    """Five dimensions; an epoch has at least twenty steps (a ``space()`` would not know that)."""
    largest_batch = max(4, min(32, facts.patches // 20))
    space = ConfigurationSpace(name="dilated")
    space.add(
        Float("learning_rate", (3e-4, 3e-2), log=True, default=3e-3),
        Integer("batch_size", (2, largest_batch), log=True, default=4),
        Integer("width", (8, 64), log=True, default=16),
        Integer("rings", (2, 5), default=4),
        Float("drop", (0.0, 0.3), default=0.1),
    )
    return space
