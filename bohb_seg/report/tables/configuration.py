"""Table of the incumbent's configuration beside the one that it is compared with."""

from bohb_seg.report.analysis.configuration import same_value
from bohb_seg.report.analysis.records import RunRecord
from bohb_seg.report.tables.table import Table, shown, table
from bohb_seg.trials import Configuration


def configurations(incumbent: Configuration | None, run: RunRecord) -> Table:
    """The incumbent beside the default or the baseline; its column is empty without one."""
    reference = _trained(run.started.default, run)
    best = _trained(incumbent, run) if incumbent else {}
    names = list({**reference, **best})
    rows = [(name, reference.get(name), best.get(name)) for name in names]
    if run.started.baseline:  # their hyperparameters may be many, so what differs comes first
        rows.sort(key=lambda row: same_value(row[1], row[2]))
    columns = ("hyperparameter", run.reference, "incumbent")
    return table("configuration", "Configurations", columns, rows)


def differences(configuration: Configuration, run: RunRecord) -> str:
    """A configuration in short: the hyperparameters in which it differs from the default."""
    reference = _trained(run.started.default, run)
    differing = [
        f"{name} {shown(value)}"
        for name, value in _trained(configuration, run).items()
        if name not in reference or not same_value(value, reference[name])
    ]
    return ", ".join(differing) or f"the {run.reference} itself"


def _trained(configuration: Configuration, run: RunRecord) -> Configuration:
    """A configuration with what training does beside it, where the baseline may do otherwise."""
    return {**run.started.unsearched, **configuration}
