"""Image files of every kind, as they come: read by window, scaled once, aligned, and doubted."""
