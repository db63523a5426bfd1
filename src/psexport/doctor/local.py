"""What is needed on this machine: a program, a file."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from ..errors import TransportError
from ..transport import local
from .findings import Finding, fault, ok
from .session import found_in
from .visit import Visit


def program(visit: Visit) -> Iterator[Finding]:
    """Find the PowerShell that would be started."""
    connection = visit.connection
    try:
        path = local.command(connection)[0]
    except TransportError as error:
        yield found_in(error)
        return
    found = shutil.which(path)
    if found is None:
        why = "may not be run by you" if Path(path).exists() else "is not there"
        yield fault("ProgramUnusable", f"{path} {why}", program=path)
        return
    if connection.path:
        source = "the session says so"
    elif os.environ.get("PSEXPORT_PWSH"):
        source = "PSEXPORT_PWSH says so"
    else:
        source = "found on PATH"
    yield ok(f"{found}, {source}", program=found)


def configuration(visit: Visit) -> Iterator[Finding]:
    """Look at the session configuration file, if one is given."""
    path = visit.connection.configuration_file
    if not path:
        yield ok("no session configuration file is given")
        return
    yield from _readable(path, "ConfigurationFileUnusable")


def recording(visit: Visit) -> Iterator[Finding]:
    """Look at the file of a recording or a catalogue."""
    path = visit.connection.path
    if not path:
        yield ok("the host that comes with psexport")
        return
    yield from _readable(path, "FileUnusable")


def _readable(path: str, cause: str) -> Iterator[Finding]:
    try:
        with Path(path).open("rb") as file:
            file.read(1)
            size = os.fstat(file.fileno()).st_size
    except OSError as error:
        yield fault(cause, f"{path} cannot be read: {error.strerror}", file=path)
    else:
        yield ok(f"{path}, {size:,} bytes", file=path, size=size)


__all__ = ["configuration", "program", "recording"]
