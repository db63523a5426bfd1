"""What a PowerShell prints, for questions that have nothing to do with a catalogue."""

from __future__ import annotations

from contextlib import closing

from .. import clixml
from ..events import ignore
from ..transport.base import Script, Session
from .interview import Interview


def printed(session: Session, script: str, what: str) -> str:
    """Run a script and return its output as text, a line an object.

    :param what: what is asked, for people: "the baseline".
    :raises RemoteError: it failed.
    :raises TransportError: the session broke, or did not answer in time.
    """
    answer = Interview(session, ignore).ask(Script(script), what)
    with closing(answer) as documents:
        return "\n".join(clixml.text(clixml.parse(data).root) for data in documents)


__all__ = ["printed"]
