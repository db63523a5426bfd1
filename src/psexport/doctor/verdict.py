"""From findings to what is wrong: pure, so that it can be tried without a host."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from ..connection import Connection, Kind
from .findings import Finding, Outcome, Step, Verdict
from .remedies import advise

#: A certificate is not off by less than this because of a wrong clock.
_WRONG_CLOCK = 12 * 3600
#: Causes that wrong clocks bring about, and how wrong they have to be, in seconds.
_OF_CLOCKS = {
    "CertificateExpired": _WRONG_CLOCK,
    "CertificateNotYetValid": _WRONG_CLOCK,
    "NoTicket": 300,
    "LogonRefused": 300,
}


def judge(connection: Connection, steps: Sequence[Step]) -> Verdict:
    """Say what the steps come to.

    The first fault is the cause, for each step stands on those before; unless it is
    of a kind that a wrong clock brings about, and the clocks differ that much.
    """
    about = _about(connection)
    faults = list(_with(steps, Outcome.FAULT))
    warnings = list(_with(steps, Outcome.WARNING))
    cause = _behind(faults[0], connection, steps) if faults else None
    remarks = tuple(
        advise(one, connection.kind, about)
        for one in (*faults[1:], *warnings)
        if cause is None or one.cause != cause.cause
    )
    name = connection.name
    if cause is None:
        what = "would work" if not remarks else "would work; see the remarks"
        return Verdict(True, f"An export from {name} {what}.", None, remarks)
    advice = advise(cause, connection.kind, about)
    text = f"An export from {name} would not work. {advice.text}"
    return Verdict(False, text, advice, remarks)


def _behind(first: Finding, connection: Connection, steps: Sequence[Step]) -> Finding:
    """The cause behind the first fault, which may be a wrong clock."""
    least = _OF_CLOCKS.get(first.cause)
    if least is None or (
        first.cause == "LogonRefused" and first.facts.get("method") != "Kerberos"
    ):
        return first
    for step in steps:
        for one in step.findings:
            skew = one.facts.get("skew")
            if isinstance(skew, int | float) and abs(skew) >= least:
                return replace(one, outcome=Outcome.FAULT, cause="ClockSkew")
    return first


def _with(steps: Sequence[Step], outcome: Outcome) -> Iterator[Finding]:
    return (one for step in steps for one in step.findings if one.outcome is outcome)


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
