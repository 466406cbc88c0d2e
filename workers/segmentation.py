"""Trains a segmentation model per configuration; copy and change it for your own machines.

A worker of your own is a subclass of HpBandSter's ``Worker`` with a method ``compute``; nothing
else is needed. Two things make it lose less when a machine goes away:

* It keeps its state below ``working_directory/checkpoints/<bracket>-<rung>-<number>/`` and goes on
  from there, because ``budget`` is a total and another worker may have begun.
* It calls ``self.interruption.check()`` between epochs, when its state is safe. That raises
  :class:`~bohb_seg.training.interruption.Interrupted` if this worker should leave or nobody waits
  for the result any more. ``bohb-worker`` sets the attribute before each job; the one in the class
  is for a worker that is run without it. Without such calls a worker that is told to leave has
  ``--notice`` seconds to finish; then ``Interrupted`` is raised wherever ``compute`` is.

And one thing makes it try less in vain: before each job ``bohb-worker`` sets ``self.micro_batches``
to what all workers of the run have found out about memory, ``{"<kind of device> | <shape of the
network>": patches at once}``, and takes what this one found out from ``info["micro_batches"]``.
"""

import logging
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, final

from hpbandster.core.worker import Worker

from bohb_seg import plugins
from bohb_seg.data import preparation
from bohb_seg.settings import TrainingSettings
from bohb_seg.training.evaluation import Fits, Job, evaluate
from bohb_seg.training.interruption import Interruption


@final
class Segmentation(Worker):
    """A stock HpBandSter worker around :func:`bohb_seg.training.evaluation.evaluate`.

    Args:
        settings: What all evaluations of the run share.
        kwargs: HpBandSter's own: run_id, nameserver, nameserver_port, host, id, timeout, logger.
    """

    interruption = Interruption()
    micro_batches: Mapping[str, int] = {}

    def __init__(self, *, settings: TrainingSettings, **kwargs: Any) -> None:
        # Without a logger, HpBandSter would reconfigure the logging of the whole program.
        super().__init__(**{"logger": logging.getLogger(__name__), **kwargs})
        self._settings, self._fits = settings, Fits()

    @cached_property
    def data(self) -> preparation.SegmentationData:
        """The data set, prepared at first use and kept for all evaluations."""
        return preparation.prepare(self._settings)

    def facts(self) -> dict[str, str]:
        """What the master compares before it gives this worker anything to do."""
        return {
            "fingerprint": self.data.fingerprint,
            "split_hash": self.data.split_hash,
            "model": plugins.digest("models", self._settings.model),
        }

    def compute(
        self,
        config_id: tuple[int, int, int],
        config: dict[str, Any],
        budget: float,
        working_directory: str,
        **_: Any,
    ) -> dict[str, Any]:
        """Trains one configuration until it has seen ``budget`` epochs in total."""
        bracket, rung, number = map(int, config_id)
        job = Job((bracket, rung, number), config, float(budget), Path(working_directory))
        self._fits.told(self.micro_batches)
        return evaluate(self._settings, self.data, job, self.interruption, self._fits)
