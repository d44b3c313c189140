"""The command line: one file for each command; nothing heavy is imported before a command runs."""

from diffposetalk.cli.main import run

__all__ = ["run"]
