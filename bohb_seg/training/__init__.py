"""One evaluation: a configuration trained for a budget and scored."""
