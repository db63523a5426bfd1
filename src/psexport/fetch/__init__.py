"""From an open session to a catalogue: what to ask a host, and what it answers.

There are two roads. The compact one has a script on the host send just what is
needed; the portable one asks with the commands that every endpoint offers. Both give
the same catalogue, as far as the host tells the same.
"""

from __future__ import annotations

from ..events import Message, OnEvent, Problem, Severity, ignore
from ..model import Catalogue, Skipped
from ..transport.base import Session
from . import compact, host, portable
from .request import CLIENT_VERSION, FetchRequest, OnCommand


def fetch(
    session: Session,
    request: FetchRequest | None = None,
    on_event: OnEvent = ignore,
    on_command: OnCommand = ignore,
) -> Catalogue:
    """Ask a host for all that a request wants.

    :param request: what is wanted; everything, unless said otherwise.
    :param on_event: told what is asked, how far it is, and what went wrong without
        ending the work; what it raises ends the work.
    :param on_command: is given commands while the host still talks of others, where
        they come one by one; some of them may not get into the catalogue.
    :raises TransportError: the session broke, or did not answer in time.
    :raises RemoteError: the host refused, failed, or lacks a command that is needed
        (``ErrorFromRemoteCommand``, ``ErrorRequiredRemoteCommandNotFound``,
        ``ErrorNoResultsFromRemoteEnd``, ``ErrorMalformedDataFromRemoteCommand``).
    """
    request = request or FetchRequest()
    for warning in session.greeting.warnings:
        on_event(Message(Severity.WARNING, warning))
    facts = host.fetch(session, on_event)
    catalogue = compact.fetch(session, request, facts, on_event, on_command)
    if catalogue is None:
        catalogue = portable.fetch(session, request, facts, on_event)
    for name in _missing(request, catalogue):
        reason = "the host shows no command of this name and of the types asked for"
        on_event(Problem(Skipped(name, "ErrorFromRemoteCommand", reason)))
    return catalogue


def _missing(request: FetchRequest, catalogue: Catalogue) -> list[str]:
    """The names without wildcards that the host did not answer; it says nothing."""
    if not request.wants_commands:
        return []
    there = {c.name.lower() for c in catalogue.commands}
    there |= {name.removesuffix(".ps1") for name in there}
    there |= {skipped.name.lower() for skipped in catalogue.unreadable}
    return [
        name
        for name in request.names
        if not set(name) & set("*?[`")
        and name.lower() not in there
        # Module\Command is a command without its module's name.
        and name.lower().rpartition("\\")[2] not in there
    ]


__all__ = ["CLIENT_VERSION", "FetchRequest", "fetch"]
