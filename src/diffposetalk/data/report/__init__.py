"""A page about a data set."""
