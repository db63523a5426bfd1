"""Makes modules from host scripts, and runs calls on hosts and through proxies."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path

from engine import require_pwsh
from psexport import generate
from psexport.connection import Connection, parse
from psexport.events import ignore
from psexport.fetch import FetchRequest, compact, host, portable
from psexport.generate import ModuleOptions
from psexport.model import Catalogue
from psexport.selection import SelectionRequest, select
from psexport.transport import connect
from psexport.transport.base import Script, Stream

HERE = Path(__file__).parent
HOST = HERE / "host.ps1"
CALLS = HERE / "calls.txt"
_RUNNER = HERE / "run_calls.ps1"
#: What PowerShell's process of a local session says when it dies of a race of its own:
#: on a busy machine once in some hundred calls, also of Invoke-Command without any
#: module. What came after is void, so the calls are run again. A proxy that kills its
#: host does so each time, and fails.
_PROCESS_DIED = "Remote transport error: ."
_ATTEMPTS = 3
_DEFINITION = re.compile(
    r"^(?:function|filter) (?!global:)([^\s{(]+)|^Set-Alias (\S+)", re.M
)


def command_names(host_script: Path) -> tuple[str, ...]:
    """The functions, filters and aliases that a host script defines."""
    text = host_script.read_text("utf-8")
    return tuple(a or b for a, b in _DEFINITION.findall(text))


def catalogue(host_script: Path, road: str) -> tuple[Catalogue, Connection]:
    """What a host with that script has, by one of the two roads."""
    connection = parse(f"pwsh:{require_pwsh()}")
    request = FetchRequest(names=command_names(host_script), wants_views=False)
    with connect(connection) as session:
        with session.ask(Script(host_script.read_text("utf-8"))) as answer:
            problems = [r.data for r in answer if r.stream is Stream.ERROR]
        assert not problems, problems
        facts = host.fetch(session, ignore)
        if road == "compact":
            found = compact.fetch(session, request, facts, ignore)
            assert found is not None, "the host refused the compact road's script"
        else:
            found = portable.fetch(session, request, facts, ignore)
    return found, connection


def make_module(
    folder: Path, host_script: Path, road: str, *, compatible: bool = False
) -> Path:
    """Write a module of all that a host script defines; gives its manifest."""
    found, connection = catalogue(host_script, road)
    names = command_names(host_script)
    selection = select(
        found, SelectionRequest(names=names), reserved=generate.reserved_names()
    )
    assert not selection.errors, selection.errors
    options = ModuleOptions(folder.name, connection, compatible=compatible)
    module = generate.build_module(selection, found, options)
    folder.mkdir()
    for path, text in module.files.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_text(text, "utf-8", newline="")
    manifest = folder / f"{folder.name}.psd1"
    manifest.write_text(module.manifest.render(), "utf-8", newline="")
    return manifest


def run_calls(
    out: Path,
    *,
    module: Path | None = None,
    host_script: Path = HOST,
    calls: Path = CALLS,
    timeout: float = 240,
) -> dict[str, list[str]]:
    """Run a table of calls; where the commands are, or through a module's proxies."""
    command: list[str] = [require_pwsh(), "-NoProfile", "-NonInteractive", "-File"]
    command += [str(_RUNNER), "-HostScript", str(host_script), "-Calls", str(calls)]
    command += ["-Out", str(out)]
    if module is not None:
        command += ["-Module", str(module)]
    for _ in range(_ATTEMPTS):
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout, check=False
        )
        assert done.returncode == 0, done.stderr[-2000:]
        said = out.read_text("utf-8")
        if _PROCESS_DIED not in said:
            break
    entries = map(json.loads, said.splitlines())
    return {entry["call"]: entry["result"] for entry in entries}


def differences(
    host_gave: dict[str, list[str]],
    proxy_gave: dict[str, list[str]],
    known: Sequence[str] = (),
) -> list[str]:
    """The calls that are not the same, written out for a person."""
    return [
        f"{call}\n    host:  {result}\n    proxy: {proxy_gave.get(call)}"
        for call, result in host_gave.items()
        if proxy_gave.get(call) != result and call not in known
    ]
