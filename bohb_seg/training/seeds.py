"""Random numbers from (run seed, configuration, epoch) and nothing else.

So an evaluation gives the same result on whichever worker it runs, and an epoch is the same whether
training came to it in one go or from a checkpoint.
"""

from dataclasses import dataclass

import numpy as np

from bohb_seg.trials import (
    COMPARISON_BRACKET,
    FOLDS_BRACKET,
    MEASURING_BRACKET,
    RUNOFF_BRACKET,
)


@dataclass(frozen=True)
class EpochSeeds:
    """The randomness of one epoch; epoch 0 stands for the initial weights.

    Args:
        order: Generator for shuffling and augmentation.
        graph: Seed for what Keras draws itself (weights, dropout), below 2**30, so that Keras may
            count on from it.
    """

    order: np.random.Generator
    graph: int


def epoch_seeds(run_seed: int, config_id: tuple[int, int, int], epoch: int) -> EpochSeeds:
    """Derives the seeds of one epoch.

    In the final comparison, on its folds and in the runoff only the number counts, so that all arms
    share it.

    Args:
        run_seed: Seed of the run.
        config_id: HpBandSter's (bracket, rung, number).
        epoch: Epoch, counted from 1; 0 for the initial weights.
    """
    bracket, rung, number = config_id
    trial: tuple[int, ...] = (0, bracket, rung, number)
    if bracket == COMPARISON_BRACKET:
        trial = (1, number)
    elif bracket == RUNOFF_BRACKET:
        trial = (2, number)
    elif bracket == FOLDS_BRACKET:
        trial = (3, number)
    elif bracket == MEASURING_BRACKET:
        trial = (4, number)
    order, graph = np.random.SeedSequence(run_seed, spawn_key=(*trial, epoch)).spawn(2)
    return EpochSeeds(np.random.default_rng(order), int(graph.generate_state(1)[0] >> 2))
