"""A worker process: how it finds its run, serves it and leaves."""
