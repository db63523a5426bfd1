"""The command line: one parameter table, and what is made from it."""

from .main import main, run

__all__ = ["main", "run"]
