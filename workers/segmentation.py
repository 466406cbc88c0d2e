"""Trains a segmentation model per configuration; copy and change it for your own machines.

A worker of your own is a subclass of HpBandSter's ``Worker`` with a method ``compute``; nothing
else is needed. Two habits make it lose less when a machine goes away:

* It keeps its state below ``working_directory/checkpoints/<bracket>-<rung>-<number>/`` and goes on
  from there, because ``budget`` is a total and another worker may have begun. It makes its own
  folder there and not the one above, which is gone when the run is over.
* It calls ``self.interruption.check()`` between epochs, when its state is safe. The call raises
  :class:`~bohb_seg.training.interruption.Interrupted` if this worker should leave or nobody waits
  for the result any more. ``bohb-worker`` sets the attribute before each job; the one in the class
  is for a worker that is run without it. Without such calls a worker that is told to leave has
  ``--notice`` seconds to finish; then ``Interrupted`` is raised wherever ``compute`` is.

A third habit saves it tries in vain. Before each job ``bohb-worker`` sets ``self.micro_batches`` to
the limits of memory that the workers of the run have found out, ``{"<kind of device> | <shape of
the model>": patches at once}``. A worker reports those that it finds out as
``info["micro_batches"]``.

Some settings are chosen after workers have joined: the largest budget with ``bohb-master --hours``,
the folds of the comparison when a run grows. Each job brings them, and ``bohb-worker`` sets
``self.chosen_later`` to them, by name.
"""

import logging
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, final

from hpbandster.core.worker import Worker

from bohb_seg import plugins
from bohb_seg.data import preparation
from bohb_seg.data.other_splits import OtherSplits
from bohb_seg.settings import TrainingSettings
from bohb_seg.training.evaluation import Job, MicroBatchLimits, evaluate
from bohb_seg.training.interruption import Interruption


@final
class Segmentation(Worker):
    """A stock HpBandSter worker around :func:`bohb_seg.training.evaluation.evaluate`.

    Args:
        settings: Settings that all evaluations of the run share.
        kwargs: HpBandSter's own: run_id, nameserver, nameserver_port, host, id, timeout, logger.
    """

    interruption = Interruption()
    micro_batches: Mapping[str, int] = {}
    chosen_later: Mapping[str, Any] = {}

    def __init__(self, *, settings: TrainingSettings, **kwargs: Any) -> None:
        # Without a logger, HpBandSter would reconfigure the logging of the whole program.
        super().__init__(**{"logger": logging.getLogger(__name__), **kwargs})
        self._settings, self._limits = settings, MicroBatchLimits()

    @cached_property
    def data(self) -> preparation.SegmentationData:
        """The data set, prepared at first use and kept for all evaluations."""
        return preparation.prepare(self._settings)

    @cached_property
    def _splits(self) -> OtherSplits:
        return OtherSplits(self.data)

    def facts(self) -> dict[str, str]:
        """Facts that the master compares before it gives this worker anything to do."""
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
        self._limits.update(self.micro_batches)
        settings = self._settings.model_validate({**dict(self._settings), **self.chosen_later})
        data = self._splits.of(job.config_id, settings.final_folds)
        return evaluate(settings, data, job, self.interruption, self._limits)
