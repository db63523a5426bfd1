"""From an open session to a catalogue: what to ask a host, and what it answers.

There are two roads. The compact one has a script on the host send just what is
needed; the portable one asks with the commands that every endpoint offers. Both give
the same catalogue, as far as the host tells the same.
"""

from __future__ import annotations

from ..events import OnEvent, ignore
from ..model import Catalogue
from ..transport.base import Session
from .request import CLIENT_VERSION, FetchRequest


def fetch(
    session: Session,
    request: FetchRequest | None = None,
    on_event: OnEvent = ignore,
) -> Catalogue:
    """Ask a host for all that a request wants.

    :param request: what is wanted; everything, unless said otherwise.
    :param on_event: told what is asked, how far it is, and what went wrong without
        ending the work; what it raises ends the work.
    :raises TransportError: the session broke, or did not answer in time.
    :raises RemoteError: the host refused, failed, or lacks a command that is needed
        (``ErrorFromRemoteCommand``, ``ErrorRequiredRemoteCommandNotFound``,
        ``ErrorNoResultsFromRemoteEnd``, ``ErrorMalformedDataFromRemoteCommand``).
    """
    from . import compact, host, portable

    request = request or FetchRequest()
    facts = host.fetch(session, on_event)
    catalogue = compact.fetch(session, request, facts, on_event)
    if catalogue is None:
        catalogue = portable.fetch(session, request, facts, on_event)
    return catalogue


__all__ = ["CLIENT_VERSION", "FetchRequest", "fetch"]
