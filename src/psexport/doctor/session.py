"""The real thing: open the session as an export does, and ask what an export asks.

The product's own transports and its own fetching are used, so that what works here
works there, and what fails says the same.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

from .. import clixml
from ..clixml import HostError, MalformedError
from ..connection import Connection, Kind
from ..errors import PSExportError, RemoteError, TransportError
from ..events import ignore
from ..fetch import FetchRequest, fetch
from ..fetch import host as host_facts
from ..fetch.interview import Interview
from ..transport import connect
from ..transport.base import (
    Call,
    Commands,
    Limits,
    MetadataQuery,
    Question,
    Script,
    Session,
)
from .findings import Fact, Finding, Outcome, fault, ok, skipped, warning
from .visit import Visit

#: What an export asks a host with, also where PSRP itself asks, and what for.
REQUIRED = {
    "Get-Command": "the commands",
    "Select-Object": "the commands",
    "Measure-Object": "the commands",
    "Get-FormatData": "the views",
}
#: What may be missing, and what is missing then.
WANTED = {"Get-Help": "help"}
#: The longest that a host may be silent while it is being examined, in seconds.
SILENCE = 30.0
#: A session that takes longer than this to open is worth a word.
_SLOW = 10.0
_OLDEST = 3
_DEFAULT_CONFIGURATION = "Microsoft.PowerShell"
_CLOCK_DIFFERS = 60.0

#: In words that no culture changes, and that ConstrainedLanguage allows.
_CLOCK = "(Get-Date).ToUniversalTime().ToString('o')"


def open_session(visit: Visit) -> Iterator[Finding]:
    """Open the session, as an export would."""
    started = time.monotonic()
    try:
        visit.session = _connect(visit, visit.connection)
    except PSExportError as error:
        yield found_in(error)
        yield from _default_instead(visit, error)
        return
    seconds = time.monotonic() - started
    if seconds > _SLOW:
        text = f"the session opened, but that took {seconds:.0f} s"
        yield warning("SlowToOpen", text, opened=round(seconds, 3))
    else:
        yield ok(f"the session opened in {seconds:.2f} s", opened=round(seconds, 3))


def endpoint(visit: Visit) -> Iterator[Finding]:
    """Ask the host what it is, and in which language it may be spoken to."""
    session = _session(visit)
    try:
        host = host_facts.fetch(session, ignore)
    except PSExportError as error:
        yield found_in(error)
        return
    visit.host = host
    facts: dict[str, Fact] = {
        "version": host.version or None,
        "edition": host.edition or None,
        "os": host.os or None,
        "identity": host.identity or None,
        "languageMode": host.language_mode,
    }
    version = f"PowerShell {host.version}" if host.version else "a host of no version"
    place = f" on {host.os}" if host.os else ""
    major = host.version.partition(".")[0]
    if major.isdigit() and int(major) < _OLDEST:
        yield fault(
            "HostTooOld", f"{version}{place} is too old to export from", **facts
        )
    else:
        yield ok(f"{version}{place}", **facts)
    mode = host.language_mode
    if mode in ("FullLanguage", "ConstrainedLanguage"):
        yield ok(f"scripts are allowed there: {mode}")
    elif visit.connection.kind is Kind.WINRS:
        yield warning(
            "LanguageMode", f"the host's language mode is {mode or 'unknown'}"
        )
    else:
        text = (
            f"commands are allowed there, scripts are not: {mode or 'NoLanguage'}; "
            "an export is slower and knows less of parameters"
        )
        yield ok(text)


def commands(visit: Visit) -> Iterator[Finding]:
    """Ask for the commands that an export asks with."""
    names = (*REQUIRED, *WANTED)
    session = _session(visit)
    try:
        there = _names_of(session, MetadataQuery(names=names))
    except RemoteError as error:
        # PSRP's own question fails at the first command that it lacks; Get-Command, if
        # it is there, knows of all of them.
        try:
            named = (("Name", names), ("ErrorAction", "SilentlyContinue"))
            there = _names_of(session, Commands((Call("Get-Command", named),)))
        except RemoteError:
            yield _missing(error)
            return
    missing = [name for name in names if name.lower() not in there]
    for name in missing:
        if name in REQUIRED:
            text = f"{name} is not there, with which {REQUIRED[name]} are asked for"
            yield fault("CommandMissing", text, command=name)
        else:
            text = f"{name} is not there, with which {WANTED[name]} is asked for"
            yield warning("CommandWanted", text, command=name)
    if not missing:
        yield ok(f"all there: {', '.join(names)}")


def clock(visit: Visit) -> Iterator[Finding]:
    """Ask the host for the time, where it runs scripts."""
    if visit.host is None or visit.host.language_mode is None:
        yield skipped("the host runs no scripts")
        return
    if visit.connection.kind in (Kind.REPLAY, Kind.DEMO):
        yield skipped("a recording knows no time")
        return
    asked = time.time()
    try:
        said = _texts(_session(visit), Script(_CLOCK), "the time")
        moment = datetime.datetime.fromisoformat(said[0][:19]) if said else None
    except PSExportError as error:
        yield skipped(f"the host does not tell the time ({error.message})")
        return
    except ValueError:
        moment = None
    if moment is None:
        yield skipped("the host tells no time that could be read")
        return
    now = (asked + time.time()) / 2
    skew = round(moment.replace(tzinfo=datetime.UTC).timestamp() - now)
    visit.skew = skew
    if abs(skew) > _CLOCK_DIFFERS:
        text = f"the host's clock differs by {abs(skew)} s"
        yield warning("ClockDiffers", text, skew=skew)
    else:
        yield ok("both clocks agree", skew=skew)


def rehearsal(visit: Visit) -> Iterator[Finding]:
    """Export a little, up to the point where files would be made of it."""
    request = FetchRequest(
        names=("Get-Command",), format_type_names=("System.Diagnostics.Process",)
    )
    try:
        catalogue = fetch(_session(visit), request, ignore)
    except PSExportError as error:
        yield found_in(error)
        return
    sets = any(command.sets for command in catalogue.commands)
    yield ok(
        f"{len(catalogue.commands)} command and {len(catalogue.views)} view came over"
        + ("" if sets else ", without parameter sets"),
        commands=len(catalogue.commands),
        views=len(catalogue.views),
    )


def found_in(error: PSExportError) -> Finding:
    """What an error of the product says, as a fault."""
    phase = error.phase if isinstance(error, TransportError) else None
    return Finding(
        Outcome.FAULT, error.message, error.id, error.hint or "", {"phase": phase}
    )


def _default_instead(visit: Visit, error: PSExportError) -> Iterator[Finding]:
    """Whether the host's usual configuration would work where another does not."""
    given = visit.connection.configuration_name
    if error.id != "ErrorConfigurationNotFound" or given in (
        "",
        _DEFAULT_CONFIGURATION,
    ):
        return
    usual = replace(visit.connection, configuration_name="")
    try:
        _connect(visit, usual).close()
    except PSExportError as second:
        text = f"the host's usual configuration does not work either: {second.message}"
        yield warning("DefaultConfiguration", text)
    else:
        text = f"the host's usual configuration, {_DEFAULT_CONFIGURATION}, works"
        yield ok(text, works=_DEFAULT_CONFIGURATION)


def _connect(visit: Visit, connection: Connection) -> Session:
    limits = Limits(
        open=connection.open_timeout or Limits().open,
        silence=min(connection.operation_timeout or SILENCE, SILENCE),
    )
    password = visit.password
    return connect(
        connection,
        limits=limits,
        prompt=None if password is None else lambda question: password,
    )


def _missing(error: RemoteError) -> Finding:
    if error.id != "ErrorRequiredRemoteCommandNotFound" or not error.target:
        return found_in(error)
    return fault("CommandMissing", error.message, command=error.target)


def _names_of(session: Session, question: Question) -> set[str]:
    """The names of what the host answers, in lower case."""
    found: set[str] = set()
    answer = Interview(session, ignore).ask(question, "commands", on_error=_overlook)
    with closing(answer) as documents:
        for data in documents:
            try:
                doc = clixml.parse(data)
                told = doc.properties(doc.root)
            except MalformedError:
                continue
            if "Name" in told:
                found.add(clixml.text(told["Name"]).lower())
    return found


def _texts(session: Session, question: Script, what: str) -> list[str]:
    answer = Interview(session, ignore).ask(question, what, on_error=_overlook)
    with closing(answer) as documents:
        return [clixml.text(clixml.parse(data).root) for data in documents]


def _overlook(error: HostError) -> None:
    """A command that is not there is an error that does not end the pipeline."""


def _session(visit: Visit) -> Session:
    assert visit.session is not None
    return visit.session


__all__ = [
    "REQUIRED",
    "WANTED",
    "clock",
    "commands",
    "endpoint",
    "found_in",
    "open_session",
    "rehearsal",
]
