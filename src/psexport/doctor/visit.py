"""What one examination knows and holds: each step may use what those before learned."""

from __future__ import annotations

import base64
import contextlib
from dataclasses import dataclass, replace

from ..connection import Connection
from ..model import Host
from ..report import harmless
from ..secret import Prompt
from ..transport.base import Session
from .findings import Fact, Finding
from .http import Route

_HIDDEN = "<secret>"
#: A password shorter than this may be any word of a message.
_SHORTEST = 4


@dataclass
class Visit:
    """One examination of one connection.

    :ivar prompt: asks a person for a password; ``None`` if nobody is there.
    :ivar password: the user's, once it was asked for; ``None`` if there is none.
    :ivar route: how HTTP gets to the host.
    :ivar offers: the methods of logging on that the host names; ``None`` if unknown.
    :ivar skew: seconds that the host's clock is ahead; ``None`` if unknown.
    :ivar detour: what ssh goes past on its way, such as a jump host.
    :ivar transcript: what ``ssh -v`` said.
    :ivar session: the open session.
    :ivar host: what the host said of itself.
    """

    connection: Connection
    prompt: Prompt | None = None
    password: str | None = None
    route: Route | None = None
    offers: tuple[str, ...] | None = None
    skew: float | None = None
    detour: str = ""
    transcript: str = ""
    session: Session | None = None
    host: Host | None = None

    def close(self) -> None:
        """Leave nothing open."""
        session, self.session = self.session, None
        if session is not None:
            with contextlib.suppress(Exception):
                session.close()

    def clean(self, finding: Finding) -> Finding:
        """The finding without what no terminal should get, nor anybody read.

        A host may say anything, also what it was sent to log on with.
        """
        facts: dict[str, Fact] = {}
        for name, fact in finding.facts.items():
            if isinstance(fact, str):
                fact = self._clean(fact)
            elif isinstance(fact, list):
                fact = [self._clean(one) for one in fact]
            facts[name] = fact
        return replace(
            finding,
            text=self._clean(finding.text),
            hint=self._clean(finding.hint),
            facts=facts,
        )

    def _clean(self, text: str) -> str:
        for secret in self._secrets():
            text = text.replace(secret, _HIDDEN)
        return harmless(text)

    def _secrets(self) -> list[str]:
        password = self.password or ""
        if len(password) < _SHORTEST:
            return []
        user = self.connection.user_name
        pairs = [
            f"{user}:{password}".encode(code, "replace")
            for code in ("utf-8", "latin-1")
        ]
        return [password, *(base64.b64encode(pair).decode() for pair in pairs)]


__all__ = ["Visit"]
