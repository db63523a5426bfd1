"""What an examination finds, as values: findings, the steps they were made in, and
what follows from them.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

#: A fact about a host or a connection, fit for JSON.
Fact = str | int | float | bool | None | list[str]


class Outcome(enum.Enum):
    """How a step ended; the worst of its findings, in this order."""

    SKIPPED = "skipped"
    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


_SEVERITY = list(Outcome)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was found.

    :ivar outcome: how bad it is.
    :ivar text: what it is, for people: one line, without a full stop.
    :ivar cause: id of a warning or a fault, which the remedies are listed under.
    :ivar hint: what helps, where the finding itself knows better than any list.
    :ivar facts: what was measured, by name; remedies may need it too.
    """

    outcome: Outcome
    text: str
    cause: str = ""
    hint: str = ""
    facts: Mapping[str, Fact] = field(default_factory=dict)


def ok(text: str, **facts: Fact) -> Finding:
    """All is well."""
    return Finding(Outcome.OK, text, facts=facts)


def skipped(text: str) -> Finding:
    """Nobody looked, for this reason."""
    return Finding(Outcome.SKIPPED, text)


def warning(cause: str, text: str, **facts: Fact) -> Finding:
    """An export would work, but this should be known."""
    return Finding(Outcome.WARNING, text, cause, facts=facts)


def fault(cause: str, text: str, **facts: Fact) -> Finding:
    """An export would not work."""
    return Finding(Outcome.FAULT, text, cause, facts=facts)


@dataclass(frozen=True, slots=True)
class Step:
    """One step of an examination.

    :ivar name: stable name, for scripts.
    :ivar title: name for people.
    :ivar seconds: how long it took.
    """

    name: str
    title: str
    findings: tuple[Finding, ...]
    seconds: float

    @property
    def outcome(self) -> Outcome:
        """The worst of the findings."""
        return max((one.outcome for one in self.findings), key=_SEVERITY.index)

    def to_json(self) -> dict[str, Any]:
        """Return what ``-AsJson`` writes of it."""
        return {
            "name": self.name,
            "outcome": self.outcome.value,
            "seconds": round(self.seconds, 3),
            "findings": [
                {
                    "outcome": one.outcome.value,
                    "id": one.cause or None,
                    "text": one.text,
                    "facts": dict(one.facts),
                }
                for one in self.findings
            ],
        }


@dataclass(frozen=True, slots=True)
class Advice:
    """What a warning or a fault means, and what to do about it.

    :ivar cause: its id.
    :ivar text: what is wrong, in plain words.
    :ivar on_host: lines to run on the host, as an administrator.
    :ivar here: what to change on this side.
    """

    cause: str
    text: str
    on_host: tuple[str, ...] = ()
    here: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return what ``-AsJson`` writes of it."""
        return {
            "id": self.cause,
            "text": self.text,
            "onHost": list(self.on_host),
            "here": list(self.here),
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    """What it all comes to.

    :ivar works: whether an export would work.
    :ivar text: the same in plain words.
    :ivar cause: what is wrong, ``None`` where it works.
    :ivar remarks: what else should be known.
    """

    works: bool
    text: str
    cause: Advice | None
    remarks: tuple[Advice, ...] = ()


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """An examination from its first step to the verdict.

    :ivar host: the host's name.
    :ivar kind: the kind of session.
    """

    host: str
    kind: str
    steps: tuple[Step, ...]
    verdict: Verdict

    def to_json(self) -> dict[str, Any]:
        """Return what ``-AsJson`` writes, as ``docs/doctor.md`` has it."""
        verdict = self.verdict
        return {
            "host": self.host,
            "kind": self.kind,
            "works": verdict.works,
            "verdict": verdict.text,
            "cause": verdict.cause.to_json() if verdict.cause else None,
            "remarks": [one.to_json() for one in verdict.remarks],
            "steps": [one.to_json() for one in self.steps],
        }


__all__ = [
    "Advice",
    "Diagnosis",
    "Fact",
    "Finding",
    "Outcome",
    "Step",
    "Verdict",
    "fault",
    "ok",
    "skipped",
    "warning",
]
