"""Damaged input for every reader of user files: `python -m tests.fuzz --help`."""
