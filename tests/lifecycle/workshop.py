"""Writes a module without asking a host, and runs scripts that use it in an engine.

The module has `Invoke-Far`, alias `far`, which is the host's `Invoke-Expression`, and
`Invoke-FarBlock`, which is its `Invoke-Command`: so a script can have anything done.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine import require_pwsh
from psexport import generate
from psexport.connection import Connection, Kind, parse
from psexport.generate import ModuleOptions
from psexport.model import (
    Alias,
    Catalogue,
    Command,
    CommandType,
    Detail,
    Host,
    Membership,
    Parameter,
    Proxy,
    Selection,
)

#: What every script starts with.
_PRELUDE = Path(__file__).with_name("prelude.ps1")


def _command(name: str, parameter: str, type_name: str) -> Command:
    """A cmdlet with one parameter."""
    place = Membership(position=0, mandatory=True)
    return Command(
        name,
        CommandType.CMDLET,
        parameters=(Parameter(parameter, type_name, memberships=(place,)),),
        detail=Detail.FULL,
        advanced=True,
    )


SELECTION = Selection(
    proxies=(
        Proxy("Invoke-Far", _command("Invoke-Expression", "Command", "System.String")),
        Proxy(
            "Invoke-FarBlock",
            _command(
                "Invoke-Command",
                "ScriptBlock",
                "System.Management.Automation.ScriptBlock",
            ),
        ),
    ),
    aliases=(Alias("far", "Invoke-Far"),),
)


def local() -> Connection:
    """A process of the engine that runs the tests."""
    return parse(f"pwsh:{require_pwsh()}")


def nowhere() -> Connection:
    """An export from a file: the module has to be given a session."""
    return Connection(kind=Kind.CATALOG, path="host.json")


def host(**changes: Any) -> Host:
    return Host(**{"version": "", "language_mode": "FullLanguage", **changes})


def write_module(
    folder: Path,
    connection: Connection | None = None,
    *,
    about: Host | None = None,
    selection: Selection = SELECTION,
    name: str = "Far",
    **options: Any,
) -> Path:
    """Write a module into a folder of its name; gives its manifest."""
    catalogue = Catalogue(host=about or host())
    module = generate.build_module(
        selection,
        catalogue,
        ModuleOptions(name, connection or local(), include_help=False, **options),
    )
    home = folder / name
    home.mkdir()
    for path, text in module.files.items():
        (home / path).write_text(text, "utf-8", newline="")
    manifest = home / f"{name}.psd1"
    manifest.write_text(module.manifest.render(), "utf-8", newline="")
    return manifest


def run(
    script: str,
    module: Path | None = None,
    *,
    environment: Mapping[str, str] | None = None,
    timeout: float = 60,
) -> list[str]:
    """Run a script in an engine of its own; what it wrote, a line an element.

    `$Module` is the module's manifest; the prelude has a few helpers.
    """
    text = _PRELUDE.read_text("utf-8").replace("MODULE", str(module)) + script
    command = [require_pwsh(), "-NoLogo", "-NoProfile", "-NonInteractive", "-Command"]
    done = subprocess.run(
        [*command, text],
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "NO_COLOR": "1", **(environment or {})},
    )
    assert not done.stderr, done.stderr[-3000:]
    return done.stdout.splitlines()
