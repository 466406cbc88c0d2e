"""The public names for type checkers; ``__init__.py`` imports each when it is first used."""

from bohb_seg.data.collection import Collection as Collection
from bohb_seg.data.collection import Pair as Pair
from bohb_seg.data.preparation import SegmentationData as SegmentationData
from bohb_seg.data.preparation import prepare as prepare
from bohb_seg.errors import BohbSegError as BohbSegError
from bohb_seg.report import write_report as write_report
from bohb_seg.search.data_facts import Facts as Facts
from bohb_seg.search.hyperband import Ladder as Ladder
from bohb_seg.search.hyperband import Rung as Rung
from bohb_seg.search.optimizer import Optimizer as Optimizer
from bohb_seg.settings import DataSettings as DataSettings
from bohb_seg.settings import SearchSettings as SearchSettings
from bohb_seg.settings import TrainingSettings as TrainingSettings
from bohb_seg.settings import WorkerSettings as WorkerSettings
from bohb_seg.settings import merge as merge
from bohb_seg.training.recipe import Recipe as Recipe
from bohb_seg.trials import Configuration as Configuration
from bohb_seg.trials import Suggestion as Suggestion

__version__: str
