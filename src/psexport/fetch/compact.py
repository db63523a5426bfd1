"""The compact road: one script on the host tells all, in compressed pieces.

Where the endpoint is in full language mode, ``compact.ps1`` walks the commands there
and sends what the catalogue needs and no more, a thirtieth of what the portable road's
questions cost, with what those cannot tell: attributes, aliases, dynamic parameters.
Any other endpoint is not even sent the script.

:mod:`psexport.fetch.pieces` and :mod:`psexport.fetch.records` read what the host
answers, and docs/compact-road.md tells what is in it.
"""

from __future__ import annotations

from contextlib import closing
from importlib import resources

from ..clixml import HostError
from ..events import Message, OnEvent, Severity, ignore
from ..model import Catalogue, Host
from ..transport.base import Argument, Script, Session
from .interview import Interview, PipelineError
from .records import Reader
from .request import FetchRequest, OnCommand

#: What is sent to hosts, as it is sent.
SCRIPT = resources.files(__package__).joinpath("compact.ps1").read_text("utf-8")


def fetch(
    session: Session,
    request: FetchRequest,
    host: Host,
    on_event: OnEvent,
    on_command: OnCommand = ignore,
) -> Catalogue | None:
    """Have a script on the host tell what the request wants.

    :param host: what the host said of itself; decides whether a script is sent.
    :param on_command: is given each command as soon as it is known.
    :returns: ``None`` where this road is closed, so that the other must be taken: no
        script is allowed, or what the host said to it was errors and nothing else.
    :raises RemoteError: the answer makes no sense
        (``ErrorMalformedDataFromRemoteCommand``), or there is nothing
        (``ErrorNoResultsFromRemoteEnd``).
    :raises TransportError: the session broke, or was silent for too long.
    """
    if host.language_mode != "FullLanguage":
        return None
    interview = Interview(session, on_event)
    reader = Reader(on_event)
    complaints = pieces = 0

    def complain(error: HostError) -> None:
        nonlocal complaints
        complaints += 1
        reader.whisper(error)

    answer = interview.ask(question(request), "the catalogue", on_error=complain)
    try:
        with closing(answer) as documents:
            for data in documents:
                pieces += 1
                for command in reader.take(data):
                    on_command(command)
    except PipelineError as refusal:
        _tell_closed(interview, str(refusal), refusal.id)
        return None
    if complaints and not pieces:
        _tell_closed(interview, "it did not even begin", "ErrorFromRemoteCommand")
        return None
    return reader.catalogue(request, host)


def _tell_closed(interview: Interview, why: str, id: str) -> None:
    text = f"The host ran no script, so it is asked with commands: {why}"
    interview.tell(Message(Severity.VERBOSE, text, id))


def question(request: FetchRequest) -> Script:
    """What the host is asked: the script, with the request as its arguments."""
    parameters: list[tuple[str, Argument]] = []
    if request.wants_commands:
        parameters += [("Name", request.names), ("CommandType", int(request.types))]
        if request.modules:
            parameters.append(("Module", request.modules))
        if request.full_modules:
            specifications = [
                [
                    text
                    for key, value in (
                        ("ModuleName", one.name),
                        ("ModuleVersion", one.version),
                        ("RequiredVersion", one.required_version),
                        ("MaximumVersion", one.maximum_version),
                        ("Guid", one.guid),
                    )
                    if value
                    for text in (key, value)
                ]
                for one in request.full_modules
            ]
            parameters.append(("FullModule", specifications))
        if request.arguments:
            parameters.append(("ArgumentList", request.arguments))
        parameters.append(("Help", request.wants_help))
    if request.wants_views:
        parameters += [
            ("FormatTypeName", request.format_type_names),
            ("ClientVersion", request.client_version),
        ]
    return Script(SCRIPT, tuple(parameters))


__all__ = ["SCRIPT", "fetch", "question"]
