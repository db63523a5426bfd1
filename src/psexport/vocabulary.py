"""Two words of the model that are spoken before any host is asked.

They stand apart so that the command line, which is in a hurry to start a host, need not
load the rest of :mod:`psexport.model` first.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass


class CommandType(enum.IntFlag):
    """System.Management.Automation.CommandTypes, with its numbers."""

    ALIAS = 1
    FUNCTION = 2
    FILTER = 4
    CMDLET = 8
    EXTERNAL_SCRIPT = 16
    APPLICATION = 32
    SCRIPT = 64
    WORKFLOW = 128
    CONFIGURATION = 256
    ALL = 511

    #: What Export-PSSession asks for when nobody says: no applications or scripts.
    DEFAULT = ALIAS | FUNCTION | FILTER | CMDLET | WORKFLOW | CONFIGURATION


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that was left out, and why: a value, not an exception."""

    name: str
    id: str
    reason: str
