"""Runs in an environment with HpBandSter but without this package; prints what it read as JSON."""

import json
import pickle
import sys

sys.path.insert(0, sys.argv[1])
run_dir = sys.argv[2]

import matplotlib  # noqa: E402

matplotlib.use("Agg")

import hpbandster.core.result as hpres  # noqa: E402
import hpbandster.visualization as hpvis  # noqa: E402
import matplotlib.pyplot as plt  # noqa: E402

try:
    import bohb_seg  # noqa: F401

    ours = "present"
except ImportError:
    ours = "absent"

with open("results.pkl", "rb") as stream:  # noqa: PTH123
    pickled = pickle.load(stream)
logged = hpres.logged_results_to_HBS_result(run_dir)

for result in (pickled, logged):
    runs = result.get_all_runs()
    hpvis.losses_over_time(runs)
    hpvis.concurrent_runs_over_time(runs)
    hpvis.finished_runs_over_time(runs)
    hpvis.correlation_across_budgets(result)
    hpvis.performance_histogram_model_vs_random(runs, result.get_id2config_mapping())
    plt.close("all")

print(
    json.dumps(
        {
            "ours": ours,
            "pickle": [pickled.get_incumbent_id(), len(pickled.get_all_runs())],
            "live log": [logged.get_incumbent_id(), len(logged.get_all_runs())],
        }
    )
)
