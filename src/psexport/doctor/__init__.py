"""Why can I not connect, and what does this endpoint allow?

An examination goes the way that an export goes, step by step, from the name to the
first commands that come over, and says of each step what it found and how long that
took. Where a step fails, those that stand on it are left out. The verdict follows from
the findings alone.

One file an idea: :mod:`.plans` has the steps of each kind of session, :mod:`.walk` goes
through them, :mod:`.network`, :mod:`.tls`, :mod:`.winrm`, :mod:`.logons`, :mod:`.ssh`,
:mod:`.local` and :mod:`.session` look, :mod:`.verdict` judges, :mod:`.remedies` knows
what helps.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

from ..connection import Connection, Kind
from ..secret import Prompt
from .findings import Advice, Diagnosis, Finding, Outcome, Step, Verdict
from .http import route_of
from .plans import plan
from .verdict import judge
from .visit import Visit
from .walk import walk


def examine(
    connection: Connection,
    *,
    prompt: Prompt | None = None,
    on_step: Callable[[Step], None] | None = None,
) -> Diagnosis:
    """Find out whether an export would work, and if not, why.

    :param connection: where to and how, as for an export.
    :param prompt: asks a person for a password, where one is needed and is nowhere.
    :param on_step: told of each step when it is done.
    :return: always; what goes wrong is what was to be found.
    """
    visit = Visit(connection, prompt)
    steps: list[Step] = []
    with closing(visit):
        if connection.kind in (Kind.WSMAN, Kind.WINRS):
            visit.route = route_of(connection)
        probes = plan(connection.kind, use_ssl=connection.use_ssl)
        for step in walk(probes, visit):
            steps.append(step)
            if on_step is not None:
                on_step(step)
    verdict = judge(connection, steps)
    return Diagnosis(connection.name, connection.kind.value, tuple(steps), verdict)


__all__ = [
    "Advice",
    "Diagnosis",
    "Finding",
    "Outcome",
    "Step",
    "Verdict",
    "examine",
]
