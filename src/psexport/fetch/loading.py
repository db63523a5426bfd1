"""Having the host load what the export needs, where it runs scripts.

A module that is there but not loaded has no commands yet, and an alias of a command
of such a module cannot be resolved: a plain host has 43 of those. Both are loaded in
the runspace that answers next, so whoever called this must go on one question at a
time, which that runspace then gets.
"""

from __future__ import annotations

from contextlib import closing

from .. import clixml
from ..clixml import HostError
from ..events import Message, Problem, Severity
from ..model import CommandType, Host, Skipped
from ..transport.base import Argument, Call, Commands, ModuleSpec, Question, Script
from .interview import Interview, PipelineError
from .request import FetchRequest

_WITH_SCRIPTS = frozenset({"FullLanguage", "ConstrainedLanguage"})

# An exact name makes the host look for the module, as typing it would; an alias that
# stands for a wildcard would import all modules that there are.
_BEHIND_ALIASES = """
Get-Command -CommandType Alias -ListImported |
    Where-Object { -not $_.ResolvedCommand -and $_.Definition -notmatch '[*?[]' } |
    ForEach-Object { Get-Command -Name $_.Definition -ErrorAction Ignore } |
    Where-Object { $_.ModuleName -and -not (Get-Module -Name $_.ModuleName) } |
    ForEach-Object { Import-Module -Name $_.ModuleName -Global }
"""


def load(interview: Interview, request: FetchRequest, host: Host) -> None:
    """Load the modules that are asked for by name, or else those behind aliases.

    A module that cannot be loaded is one :class:`~psexport.events.Problem`; an alias
    whose command is nowhere is not: that alias will be reported by itself.

    :raises TransportError: the session broke, or was silent for too long.
    """
    if host.language_mode not in _WITH_SCRIPTS or not request.wants_commands:
        return
    # A wildcard means what is loaded, here as in Get-Command.
    literal = tuple(m for m in request.modules if not set(m) & set("*?["))
    absent = _absent(interview, literal) if literal else ()
    imports = [_import(Name=absent)] if absent else []
    imports += [_import_specified(spec) for spec in request.full_modules]
    for question in imports:
        _run(interview, question, "the modules to load", quiet=False)
    if request.modules or request.full_modules:
        return
    if request.types & CommandType.ALIAS:
        _run(interview, Script(_BEHIND_ALIASES), "the modules of aliases", quiet=True)


def _absent(interview: Interview, names: tuple[str, ...]) -> tuple[str, ...]:
    """Those of the modules that the session has not loaded.

    One that was loaded by its path is not found again by its name.
    """
    select = Call("Select-Object", (("Property", ("Name",)),))
    question = Commands((Call("Get-Module", (("Name", names),)), select))
    loaded = set()
    try:
        with closing(interview.ask(question, "the loaded modules")) as documents:
            for data in documents:
                doc = clixml.parse(data)
                told = doc.properties(doc.root).get("Name")
                loaded.add(clixml.text(told).lower())
    except (PipelineError, clixml.MalformedError) as error:
        interview.tell(Message(Severity.VERBOSE, error.message, error.id))
    return tuple(name for name in names if name.lower() not in loaded)


def _import_specified(spec: ModuleSpec) -> Question:
    """The module of a specification; its GUID is left for Get-Command to check."""
    return _import(
        Name=spec.name,
        MinimumVersion=spec.version,
        MaximumVersion=spec.maximum_version,
        RequiredVersion=spec.required_version,
    )


def _import(**parameters: Argument) -> Question:
    given = tuple((name, value) for name, value in parameters.items() if value)
    return Commands((Call("Import-Module", given),))


def _run(interview: Interview, question: Question, what: str, *, quiet: bool) -> None:
    def report(error: HostError) -> None:
        id = "ErrorFromRemoteCommand"
        if quiet:
            interview.tell(Message(Severity.VERBOSE, str(error), id))
        else:
            interview.tell(Problem(Skipped(error.target or what, id, str(error))))

    try:
        with closing(interview.ask(question, what, on_error=report)) as documents:
            for _ in documents:
                pass
    except PipelineError as failure:
        report(failure.error)
