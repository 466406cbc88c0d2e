"""Sheets and pages for people who look at a data set.

They stand above ``data``, which knows the data set, and ``report``, which knows how figures and
pages look: neither may import the other.
"""
