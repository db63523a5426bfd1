"""Examining a host for a test, and reading what came of it."""

from __future__ import annotations

from typing import Any

from psexport import doctor
from psexport.connection import parse
from psexport.doctor import Diagnosis
from wsman_server import ADMIN


def examine(
    address: str, password: str | None = ADMIN.password, **given: Any
) -> Diagnosis:
    """Examine a host as ADMIN, unless the user is said to be ``None``."""
    given = {name: value for name, value in given.items() if value is not None}
    prompt = None if password is None else lambda question: password
    return doctor.examine(parse(address, given, folders=[]), prompt=prompt)


def cause(diagnosis: Diagnosis) -> str:
    """The id of what is wrong; "" if nothing is."""
    verdict = diagnosis.verdict
    assert verdict.works == (verdict.cause is None)
    return verdict.cause.cause if verdict.cause else ""


def outcome(diagnosis: Diagnosis, step: str) -> str:
    """How a step ended."""
    return next(one for one in diagnosis.steps if one.name == step).outcome.value
