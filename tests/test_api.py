"""The Python interface: what is public, and that importing it costs nothing."""

from __future__ import annotations

import inspect
import json
import subprocess
import sys
from pathlib import Path

import pytest

import psexport
from psexport.order import Order

PUBLIC = {
    "Catalogue",
    "ExportResult",
    "FileSignature",
    "PSExportError",
    "Session",
    "SignedFile",
    "Signing",
    "Skipped",
    "Verification",
    "WrittenFile",
    "build",
    "capture",
    "compare",
    "connect",
    "export",
    "sign",
    "verify",
}
FUNCTIONS = ("build", "capture", "compare", "connect", "export", "sign", "verify")


def test_what_is_public() -> None:
    assert set(psexport.__all__) == PUBLIC
    assert set(dir(psexport)) == PUBLIC | {"__version__"}
    for name in PUBLIC:
        assert getattr(psexport, name).__doc__
    with pytest.raises(AttributeError, match="nothing_like_it"):
        _ = psexport.nothing_like_it


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_typed_and_documented(name: str) -> None:
    function = getattr(psexport, name)
    signature = inspect.signature(function)
    assert signature.return_annotation is not inspect.Signature.empty
    text = inspect.getdoc(function) or ""
    if name == "build":  # refers to export for what they share
        text += inspect.getdoc(psexport.export) or ""
    for parameter in signature.parameters.values():
        assert parameter.annotation is not inspect.Parameter.empty
        if name != "compare":
            assert f":param {parameter.name}:" in text, parameter.name


def test_export_takes_what_can_be_ordered() -> None:
    taken = set(inspect.signature(psexport.export).parameters)
    ordered = set(Order.__dataclass_fields__)
    assert taken == ordered | {"session", "prompt", "on_event"}


def loaded_by(code: str) -> set[str]:
    """The modules that are loaded after running *code* in a fresh interpreter."""
    code += (
        "\nimport json, sys; print(json.dumps(sorted(sys.modules)), file=sys.stderr)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, text=True
    )
    return set(json.loads(run.stderr))


RUN = """
import sys
from psexport.cli import main
main(['{}'], sys.stdout, sys.stdout)
"""
HEAVY = {
    "asyncio",
    "cryptography",
    "lxml",
    "psrpcore",
    "pypsrp",
    "requests",
    "rich",
    "winrm",
}


@pytest.mark.parametrize(
    "code",
    [
        "import psexport",
        "import psexport; psexport.PSExportError; psexport.ExportResult",
        "import psexport; psexport.connect; psexport.sign; psexport.verify",
        RUN.format("-?"),
        RUN.format("-Bogus"),
    ],
)
def test_nothing_heavy_is_loaded_before_it_is_needed(code: str) -> None:
    assert loaded_by(code) & HEAVY == set()


def test_help_loads_next_to_nothing() -> None:
    before = loaded_by("import sys")
    after = loaded_by(RUN.format("-?"))
    ours = {name for name in after - before if name.startswith("psexport")}
    assert "psexport.transport" not in ours
    assert "psexport.model" not in ours


def test_compare_is_not_there_yet() -> None:
    with pytest.raises(psexport.PSExportError) as caught:
        psexport.compare("a", "b")
    assert caught.value.id == "ErrorNotYet"


def test_connect_takes_both_spellings(tmp_path: Path) -> None:
    for names in ({"port": 3}, {"Port": 3}):
        with pytest.raises(psexport.PSExportError) as caught:
            psexport.connect(f"replay:{tmp_path / 'x'}", **names)
        assert caught.value.id == "ErrorConflictingParameters"
    for names in ({"computer_name": "a"}, {"ComputerName": "a"}):
        with pytest.raises(psexport.PSExportError) as caught:
            psexport.connect("demo", **names)
        assert caught.value.id == "ErrorConflictingParameters"
