from helpers.journals import search

from bohb_seg.report.analysis.budgets import BudgetSummary, by_budget


def test_losses_by_budget_count_failures():
    its = search({1: 0.5}, {1: 0.4, 3: 0.3}, {1: None}, {1: 0.2, 3: 0.1})
    assert by_budget(its) == (
        BudgetSummary(1.0, (0.5, 0.4, 0.2), failed=1),
        BudgetSummary(3.0, (0.3, 0.1), failed=0),
    )
