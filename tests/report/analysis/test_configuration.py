from helpers.recorded_run import DEFAULT

from bohb_seg.report.analysis.configuration import same_configuration


def test_configurations_are_the_same_up_to_rounding():
    assert same_configuration(
        DEFAULT, {**DEFAULT, "learning_rate": DEFAULT["learning_rate"] * (1 + 1e-12)}
    )
    assert not same_configuration(DEFAULT, {**DEFAULT, "learning_rate": 0.0071})
    assert not same_configuration(DEFAULT, {"batch_size": 16})
