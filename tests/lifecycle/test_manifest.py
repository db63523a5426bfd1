"""What the manifest and the settings of a module say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from psexport.connection import Value, parse
from psexport.generate.endpoint import endpoint
from psexport.generate.psd1 import Manifest

from .workshop import host, local, run, write_module


def manifest(**changes: object) -> Manifest:
    given: dict[str, object] = {
        "name": "Far",
        "target": "server01",
        "version": "1.0",
        "functions": ["Get-A"],
        "aliases": [],
        "format_file": "Far.format.ps1xml",
        "has_about": False,
        "provenance": {},
    }
    return Manifest(**{**given, **changes})  # type: ignore[arg-type]


@pytest.mark.engine
def test_as_powershell_reads_it(tmp_path: Path) -> None:
    about = host(version="7.6.9", edition="Core", identity="CORP\\Jürg'; 'x")
    module = write_module(tmp_path, local(), about=about, version="2.3.4")
    assert run(
        """
        $m = Test-ModuleManifest $Module
        "$($m.Name) $($m.Version) $($m.PowerShellVersion) $($m.CompatiblePSEditions)"
        "$($m.ExportedFunctions.Keys) | $($m.ExportedAliases.Keys) | $($m.Author)"
        "$($m.Description)"
        "$($m.PrivateData.ImplicitRemoting) $($m.PrivateData.PSData.Tags.Count -gt 2)"
        "$($m.ProjectUri.Scheme) [$($m.HelpInfoUri)]"
        $p = $m.PrivateData.PSExport
        "$($p.HostVersion) $($p.HostEdition) $($p.Identity)"
        "$($p.Fingerprint.Length)"
        """,
        module,
    ) == [
        "Far 2.3.4 5.1 Desktop Core",
        "Invoke-Far Invoke-FarBlock | far | psexport",
        "Commands of pwsh, which run there.",
        "True True",
        "https []",
        "7.6.9 Core CORP\\J\\xfcrg'; 'x",
        "32",
    ]


def test_nothing_changes_from_run_to_run(tmp_path: Path) -> None:
    made = []
    for name in "ab":
        (tmp_path / name).mkdir()
        made.append(write_module(tmp_path / name, parse("winrms://srv")).parent)
    first, second = made
    for file in first.iterdir():
        assert file.read_bytes() == (second / file.name).read_bytes()


def test_what_a_host_says_cannot_get_out_of_its_string() -> None:
    """Not even where its bytes are read as another code page's."""
    hostile = "ő'; NestedModules = '\\\\evil\\share\\x.dll'; x = '‘’“”\u2028é\n表"
    text = manifest(provenance={"Identity": hostile}).render()
    assert text.isascii()
    assert len([line for line in text.splitlines() if "NestedModules" in line]) == 1
    assert re.search(r"^            Identity = ['\"]", text, re.M)


def test_the_fingerprint_is_the_hosts(tmp_path: Path) -> None:
    """Not of how it is reached, nor of this version's runtime."""
    prints = set()
    for name, spec in ("One", "winrms://srv"), ("Two", "ssh://other"):
        text = write_module(tmp_path, parse(spec), name=name).read_text("utf-8")
        found = re.search("Fingerprint = '(\\w+)'", text)
        assert found
        prints.add(found[1])
    assert len(prints) == 1


ENDPOINTS: list[tuple[str, dict[str, Value], dict[str, object]]] = [
    (
        "winrm://srv",
        {"NoEncryption": True},
        {
            "Transport": "WSMan",
            "ComputerName": "srv",
            "Port": 5985,
            "NoEncryption": True,
        },
    ),
    (
        "winrms://admin@srv",
        {"OpenTimeout": 2500, "OperationTimeout": 1},
        {
            "Transport": "WSMan",
            "ComputerName": "srv",
            "Port": 5986,
            "UseSSL": True,
            "UserName": "admin",
            "AskCredential": True,
            "OpenTimeout": 2500,
            "OperationTimeout": 1,
        },
    ),
    (
        "ssh://me@srv:2222",
        {"KeyFilePath": "key", "Options": ["A=b=c"], "OpenTimeout": 9},
        {
            "Transport": "SSH",
            "HostName": "srv",
            "Port": 2222,
            "UserName": "me",
            "KeyFilePath": "key",
            "Subsystem": "powershell",
            "Options": {"A": "b=c"},
            "OpenTimeout": 9,
        },
    ),
    (
        "pwsh:/opt/pwsh",
        {"ConfigurationFile": "x.pssc"},
        {
            "Transport": "Process",
            "Path": "/opt/pwsh",
            "Arguments": ["-ConfigurationFile", "x.pssc"],
        },
    ),
    ("demo", {}, {"Transport": "None"}),
]


@pytest.mark.parametrize(("spec", "parameters", "expected"), ENDPOINTS)
def test_how_the_host_is_reached_again(
    spec: str, parameters: dict[str, Value], expected: dict[str, object]
) -> None:
    assert endpoint(parse(spec, parameters)) == expected
    with_secret = endpoint(parse(spec, parameters), secret="s")
    assert with_secret == {**expected, "Secret": "s"}
