"""What is wanted of a host."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..model import Command, CommandType
from ..transport.base import Argument, ModuleSpec

#: The PowerShell that a host is told we are, where it asks: the one whose view
#: elements the generator knows. Without a version hosts leave out views that a
#: PowerShell of 2006 cannot read.
CLIENT_VERSION = "7.6.9"

#: Is given commands while the host still talks of others.
OnCommand = Callable[[Command], None]


@dataclass(frozen=True, slots=True)
class FetchRequest:
    """What to ask a host for; the defaults are all that Export-PSSession would.

    :ivar names: names of commands, wildcards allowed.
    :ivar types: which kinds of commands.
    :ivar modules: names of modules that commands must come from; empty for all.
    :ivar full_modules: the same by specification; not together with ``modules``.
    :ivar arguments: of ``-ArgumentList``, for commands that vary with them.
    :ivar wants_commands: whether to ask for commands.
    :ivar wants_views: whether to ask for format views.
    :ivar format_type_names: names of types, wildcards allowed.
    :ivar wants_help: whether to ask for the help of the commands.
    :ivar client_version: the PowerShell version that the host is told.
    """

    names: tuple[str, ...] = ("*",)
    types: CommandType = CommandType.DEFAULT
    modules: tuple[str, ...] = ()
    full_modules: tuple[ModuleSpec, ...] = ()
    arguments: tuple[Argument, ...] = ()
    wants_commands: bool = True
    wants_views: bool = True
    format_type_names: tuple[str, ...] = ("*",)
    wants_help: bool = False
    client_version: str = CLIENT_VERSION
