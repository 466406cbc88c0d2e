"""Reasons for empty sections that several sections share."""

NO_LOSS = "No evaluation of the search has finished with a loss yet."
NOT_RETRAINED = (
    "There is nothing to show yet: no retraining of the final comparison has reported these"
    " numbers."
)
NO_PREDICTIONS = (
    "The predictions of the final comparison are not in this run directory. Either it has not been"
    " made yet, or a worker wrote them on a machine that does not share this directory."
)
