"""The toy, which also tells the largest budget that its jobs bring."""

from bohb_seg import plugins

NEEDS_DATA = False


class Tells(plugins.find("workers", "toy").Toy):
    max_budget: float | None = None

    def compute(self, config_id, config, budget, working_directory):
        result = super().compute(config_id, config, budget, working_directory)
        result["info"]["most"] = self.max_budget
        return result
