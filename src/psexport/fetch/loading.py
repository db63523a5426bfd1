"""Having the host load what the export needs, where it runs scripts.

A module that is there but not loaded has no commands yet, and an alias of a command
of such a module cannot be resolved: a plain host has 43 of those. Both are loaded in
the runspace that answers next, so whoever called this must go on one question at a
time.
"""

from __future__ import annotations

from contextlib import closing

from ..clixml import HostError
from ..events import Message, Severity
from ..model import CommandType, Host
from ..transport.base import Argument, ModuleSpec, Question, Script
from .interview import Interview, PipelineError
from .request import FetchRequest

_WITH_SCRIPTS = frozenset({"FullLanguage", "ConstrainedLanguage"})

# An exact name makes the host look for the module, as typing it would.
_BEHIND_ALIASES = """
Get-Command -CommandType Alias -ListImported |
    Where-Object { -not $_.ResolvedCommand } |
    ForEach-Object { Get-Command -Name $_.Definition -ErrorAction Ignore } |
    Where-Object { $_.ModuleName -and -not (Get-Module -Name $_.ModuleName) } |
    ForEach-Object { Import-Module -Name $_.ModuleName -Global }
"""

_NAMED = """
param([string[]] $Names)
$Names | Where-Object { -not (Get-Module -Name $_) } |
    ForEach-Object { Import-Module -Name $_ -Global }
"""

_SPECIFIED = """
param($ModuleName, $ModuleVersion, $RequiredVersion, $MaximumVersion, $Guid)
Import-Module -FullyQualifiedName $PSBoundParameters -Global
"""


def load(interview: Interview, request: FetchRequest, host: Host) -> bool:
    """Load the modules that are asked for by name, or else those behind aliases.

    A module that cannot be loaded is one :class:`~psexport.events.Problem`; an alias
    whose command is nowhere is not: that alias will be reported by itself.

    :returns: whether the host may have loaded anything.
    :raises TransportError: the session broke, or was silent for too long.
    """
    if host.language_mode not in _WITH_SCRIPTS or not request.wants_commands:
        return False
    # A wildcard means what is loaded, here as in Get-Command.
    literal = tuple(m for m in request.modules if not set(m) & set("*?["))
    if literal:
        question = Script(_NAMED, (("Names", literal),))
        _run(interview, question, "the modules to load", quiet=False)
    for spec in request.full_modules:
        question = Script(_SPECIFIED, _parameters(spec))
        _run(interview, question, f"the module {spec.name} to load", quiet=False)
    if request.modules or request.full_modules:
        return bool(literal or request.full_modules)
    if not request.types & CommandType.ALIAS:
        return False
    _run(interview, Script(_BEHIND_ALIASES), "the modules of aliases", quiet=True)
    return True


def _run(interview: Interview, question: Question, what: str, *, quiet: bool) -> None:
    def whisper(error: HostError) -> None:
        interview.tell(Message(Severity.VERBOSE, str(error), "ErrorFromRemoteCommand"))

    answer = interview.ask(question, what, on_error=whisper if quiet else None)
    try:
        with closing(answer) as documents:
            for _ in documents:
                pass
    except PipelineError as failure:
        if not quiet:
            raise
        whisper(failure.error)


def _parameters(spec: ModuleSpec) -> tuple[tuple[str, Argument], ...]:
    parameters = (
        ("ModuleName", spec.name),
        ("ModuleVersion", spec.version),
        ("RequiredVersion", spec.required_version),
        ("MaximumVersion", spec.maximum_version),
        ("Guid", spec.guid),
    )
    return tuple((name, value) for name, value in parameters if value)
