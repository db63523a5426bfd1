"""Export-PSSession for every platform."""

__version__ = "0.1.0"
