"""Table of the incumbent's configuration beside the default."""

from bohb_seg.report.analysis.configuration import same_value
from bohb_seg.report.tables.table import Table, shown, table
from bohb_seg.trials import Configuration


def configurations(incumbent: Configuration | None, default: Configuration) -> Table:
    """The incumbent beside the default; its column is empty without one."""
    best = incumbent or {}
    names = list({**default, **best})
    rows = [(name, default.get(name), best.get(name)) for name in names]
    columns = ("hyperparameter", "default", "incumbent")
    return table("configuration", "Configurations", columns, rows)


def differences_from_default(configuration: Configuration, default: Configuration) -> str:
    """A configuration in short: the hyperparameters in which it differs from the default."""
    differing = [
        f"{name} {shown(value)}"
        for name, value in configuration.items()
        if name not in default or not same_value(value, default[name])
    ]
    return ", ".join(differing) or "the default configuration"
