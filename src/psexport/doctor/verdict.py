"""From findings to what is wrong: pure, so that it can be tried without a host."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ..connection import Connection, Kind
from .findings import Finding, Outcome, Step, Verdict
from .remedies import advise

_GOOD = frozenset({Outcome.OK, Outcome.WARNING})
#: A certificate is not off by less than this because of a wrong clock.
_WRONG_CLOCK = 12 * 3600
#: Causes that wrong clocks bring about, and how wrong they have to be, in seconds.
_OF_CLOCKS = {
    "CertificateExpired": _WRONG_CLOCK,
    "CertificateNotYetValid": _WRONG_CLOCK,
    "NoTicket": 300,
    "TicketExpired": 300,
    "TicketRefused": 300,
    "LogonRefused": 300,
}


def judge(connection: Connection, steps: Sequence[Step]) -> Verdict:
    """Say what the steps come to.

    The first fault is the cause, for each step stands on those before; unless it is
    of a kind that a wrong clock brings about, and the clocks differ that much.
    """
    about = _about(connection)
    faults, warnings = _with(steps, Outcome.FAULT), _with(steps, Outcome.WARNING)
    if any(one.name == "logon" and one.outcome in _GOOD for one in steps):
        # Kerberos may know the difference, and allow for it.
        warnings += [one for one in faults if one.cause == "ClockSkew"]
        faults = [one for one in faults if one.cause != "ClockSkew"]
    found = [*faults, *warnings]
    works = not faults
    source = None if works else _behind(found[0], steps)
    others = [one for one in found if one is not source]
    if source is None:
        remarks = tuple(advise(one, connection.kind, about) for one in others)
        what = "would work; see the remarks" if remarks else "would work"
        text = f"An export from {connection.name} {what}."
        return Verdict(True, text, None, remarks)
    clocks = found[0] is not source
    named = replace(source, cause="ClockSkew") if clocks else source
    cause = advise(named, connection.kind, about)
    remarks = tuple(
        advise(one, connection.kind, about)
        for one in others
        if one.cause != cause.cause
    )
    text = f"An export from {connection.name} would not work. {cause.text}"
    return Verdict(False, text, cause, remarks)


def _behind(first: Finding, steps: Sequence[Step]) -> Finding:
    """The first fault, or the clocks that are behind it."""
    least = _OF_CLOCKS.get(first.cause)
    if least is None or (
        first.cause == "LogonRefused" and first.facts.get("method") != "Kerberos"
    ):
        return first
    for one in _with(steps, Outcome.WARNING):
        skew = one.facts.get("skew")
        if isinstance(skew, int | float) and abs(skew) >= least:
            return one
    return first


def _with(steps: Sequence[Step], outcome: Outcome) -> list[Finding]:
    return [one for step in steps for one in step.findings if one.outcome is outcome]


def _about(connection: Connection) -> dict[str, str]:
    """What remedies may name of a connection."""
    port = connection.port or (22 if connection.kind is Kind.SSH else "")
    return {
        "host": connection.host or connection.name,
        "port": str(port),
        "user": connection.user_name or "USER",
        "configuration": connection.configuration_name or "Microsoft.PowerShell",
        "subsystem": connection.subsystem,
    }


__all__ = ["judge"]
