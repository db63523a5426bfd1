"""What a host says of itself."""

from __future__ import annotations

import re
from contextlib import closing
from itertools import islice

from .. import clixml
from ..clixml import MalformedError, Value
from ..errors import RemoteError
from ..events import Message, OnEvent, Severity
from ..model import Host
from ..transport.base import Script, Session
from .interview import Interview

# Only what ConstrainedLanguage and Windows PowerShell 3 allow; sets no variable. An
# endpoint may be in strict mode, where what is not there is an error.
_SCRIPT = """
'LanguageMode=' + $ExecutionContext.SessionState.LanguageMode
'Version=' + $PSVersionTable['PSVersion']
'Edition=' + $PSVersionTable['PSEdition']
'Os=' + $PSVersionTable['OS']
'Culture=' + $PSCulture
'UiCulture=' + $PSUICulture
try { 'Identity=' + $PSSenderInfo.UserInfo.Identity.Name } catch { }
try { 'User=' + [Environment]::UserName } catch { }
try { 'Os=' + [Environment]::OSVersion.VersionString } catch { }
"""
_FACTS = frozenset(re.findall("'([A-Za-z]+)='", _SCRIPT))
_MAX_COMMANDS_TO_SKIP = 10_000
#: Records of an answer to the script that are looked at.
_MAX_WORDS = 100
#: Characters of anything that a host says of itself.
_MAX_FACT = 1_000


def fetch(session: Session, on_event: OnEvent) -> Host:
    """Read what came with the session's opening, and ask for the rest.

    An endpoint that takes no scripts leaves the rest empty: that is its answer.

    :raises TransportError: the session broke, or was silent for too long.
    """
    interview = Interview(session, on_event)
    private = _private_data(session.greeting.private_data, interview)
    versions = _dictionary(private.get("PSVersionTable"))
    implicit = _dictionary(private.get("ImplicitRemoting"))
    told = _facts(interview)
    return Host(
        version=_word(versions.get("PSVersion")) or told.get("Version", ""),
        edition=_word(versions.get("PSEdition")) or told.get("Edition", ""),
        os=_word(versions.get("OS")) or told.get("Os", ""),
        language_mode=told.get("LanguageMode"),
        culture=told.get("Culture", ""),
        ui_culture=told.get("UiCulture", ""),
        implicit_remoting_hash=_word(implicit.get("Hash")),
        commands_to_skip=_names(implicit.get("CommandsToSkip")),
        identity=told.get("Identity") or told.get("User", ""),
        runspace_id=session.greeting.runspace_id,
    )


def fact(text: str) -> str:
    """What a host says of itself, cut to a length that means something."""
    return text[:_MAX_FACT]


def _private_data(data: bytes, interview: Interview) -> dict[str, Value]:
    if not data:
        return {}
    try:
        doc = clixml.parse(data)
        told = doc.properties(doc.root)
        return _dictionary(doc.value(told.get("ApplicationPrivateData", doc.root)))
    except MalformedError as error:
        interview.tell(
            Message(
                Severity.WARNING,
                f"The host's private data are {error.message}; they are not used.",
                error.id,
            )
        )
        return {}


def _facts(interview: Interview) -> dict[str, str]:
    """What the host's script says; the first word on each matter counts."""
    told: dict[str, str] = {}
    answer = interview.ask(
        Script(_SCRIPT), "what the host is", on_error=lambda error: None
    )
    try:
        with closing(answer) as documents:
            for data in islice(documents, _MAX_WORDS):
                key, _, value = clixml.text(clixml.parse(data).root).partition("=")
                if value and key in _FACTS:
                    told.setdefault(key, fact(value))
    except RemoteError:
        # No scripts here, or nothing sensible: either way there is no language mode
        # that could be relied on.
        return {}
    return told


def _dictionary(value: Value) -> dict[str, Value]:
    return value if isinstance(value, dict) else {}


def _word(value: Value) -> str:
    return fact(str(value)) if isinstance(value, str | int) else ""


def _names(value: Value) -> tuple[str, ...] | None:
    if value is None:
        return None
    names = value if isinstance(value, list) else [value]
    return tuple(n for n in names[:_MAX_COMMANDS_TO_SKIP] if isinstance(n, str))
