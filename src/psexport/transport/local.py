"""A PowerShell process on this machine, as host.

It runs pipelines in parallel runspaces, as many as it is asked for: three sleeps of a
second take a second. Questions that are put one after another meet the same runspace,
so that what one imports the next one finds; a question that runs beside another meets
a runspace of its own, which has nothing imported.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from types import MappingProxyType

from ..connection import Connection
from ..errors import TransportError
from .base import Limits, Session
from .outofproc import OutOfProcessSession

#: How many pipelines run at the same time.
RUNSPACES = 3
#: A host that lives for one export never sees the time in which it pays that .NET
#: compiles well (two fifths of the whole command) or collects garbage often (a
#: tenth). So it compiles fast, and has the collector of servers, which waits until much
#: has come together, with two heaps, however many processors there are.
ENVIRONMENT = MappingProxyType(
    {
        "DOTNET_TieredPGO": "0",
        "DOTNET_JITMinOpts": "1",
        "DOTNET_gcServer": "1",
        "DOTNET_gcConcurrent": "0",
        "DOTNET_GCHeapCount": "2",
        "DOTNET_GCNoAffinitize": "1",
    }
)


def connect(connection: Connection, *, limits: Limits) -> Session:
    """Start a PowerShell and open a session with it.

    :raises TransportError: there is none, or it opens no session.
    """
    return OutOfProcessSession(
        command(connection),
        name=connection.name,
        limits=limits,
        runspaces=RUNSPACES,
        environment=ENVIRONMENT,
    )


def command(
    connection: Connection, environ: Mapping[str, str] = os.environ
) -> list[str]:
    """The command line of a local process.

    :raises TransportError: there is no PowerShell to be found.
    """
    program = connection.path or environ.get("PSEXPORT_PWSH") or shutil.which("pwsh")
    if not program:
        raise TransportError(
            "there is no PowerShell here",
            id="ErrorPowerShellNotFound",
            phase="resolve",
            target="pwsh",
            hint="install it, set PSEXPORT_PWSH to its path, or give pwsh:/path; "
            "-Session demo needs none",
        )
    configuration = connection.configuration_file
    return [
        program,
        "-s",
        "-NoLogo",
        "-NoProfile",
        *(("-ConfigurationFile", configuration) if configuration else ()),
        *connection.arguments,
    ]


__all__ = ["ENVIRONMENT", "RUNSPACES", "command", "connect"]
