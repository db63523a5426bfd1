"""The house is built as it was drawn: who may know whom, and how large a room gets."""

from __future__ import annotations

import ast
import io
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

import psexport

ROOT = Path(psexport.__file__).parent

#: The floors of the house, from the ground up; a module knows those below its own
#: alone. What stands together on a line does not know each other. Files of one folder
#: are one room, and may.
FLOORS = (
    # 0: what everybody talks about
    "errors views vocabulary once",
    "model",
    "results events",
    # 1: languages and places, each by itself
    "pslang clixml encoding files addresses settings secret",
    "connection catalog_file",
    # 2: the seam; and what is pure
    "transport selection baseline generate authenticode",
    "seal nupkg compare",
    # 3: from answers to the model, from results to text
    "fetch report order",
    # 4: the product
    "preparation",
    "exporter api doctor",
    # 5: the command line
    "cli",
    "__main__ __init__",
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms.split()}

#: More lines of code than this need a reason, in the docstring at the top.
MAX_LINES = 400
REASON = "longer than a module should be"

#: What takes long to load, and is loaded only when it is needed.
HEAVY = {
    "asn1crypto", "asyncio", "cryptography", "lxml", "psrpcore", "pypsrp", "requests",
    "rfc3161_client", "rich", "spnego", "unittest", "winrm",
}  # fmt: skip

MODULES = sorted(ROOT.rglob("*.py"))


def room(path: Path) -> str:
    return path.relative_to(ROOT).with_suffix("").parts[0]


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def rooms_known(path: Path) -> Iterator[tuple[int, str]]:
    """Rooms that a module imports from, wherever in it, with the line."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.ImportFrom) or not node.level:
            continue
        base = package[: len(package) - node.level + 1]
        for alias in node.names:
            parts = (*base, *(node.module or "").split("."), alias.name)
            first = next(part for part in parts if part)
            if first != "__version__":  # of the package itself, and only text
                yield node.lineno, first


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_module_knows_lower_floors_alone(path: Path) -> None:
    own = room(path)
    assert own in FLOOR, f"{own} has no floor: give it one in FLOORS"
    above = [
        f"line {line}: {known}"
        for line, known in rooms_known(path)
        if known != own and FLOOR.get(known, len(FLOORS)) >= FLOOR[own]
    ]
    assert above == []


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_module_imports_itself_relatively(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            assert not any(alias.name.startswith("psexport") for alias in node.names)
        if isinstance(node, ast.ImportFrom) and not node.level:
            assert not (node.module or "").startswith("psexport")


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_a_long_module_says_why(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    docstring = ast.get_docstring(ast.parse(source)) or ""
    assert docstring, "a module says what it is for"
    if REASON not in " ".join(docstring.split()):
        assert len(lines_of_code(source)) <= MAX_LINES


def lines_of_code(source: str) -> set[int]:
    """Lines with code on them: no comments, no docstrings, not empty."""
    skipped = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.ENCODING}
    skipped |= {tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    found: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type not in skipped:
            found.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            found.difference_update(range(node.lineno, (node.end_lineno or 0) + 1))
    return found


def test_the_rules_can_be_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A test that cannot fail would say nothing."""
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    low = tmp_path / "errors.py"
    low.write_text(
        '"""Low."""\n\n\ndef late():\n    from .cli import main\n    main()\n'
    )
    assert list(rooms_known(low)) == [(5, "cli")]
    with pytest.raises(AssertionError):
        test_a_module_knows_lower_floors_alone(low)
    deep = tmp_path / "fetch" / "x.py"
    deep.parent.mkdir()
    deep.write_text(
        "from . import y\nfrom ..api import z\nfrom .. import __version__\n"
    )
    assert list(rooms_known(deep)) == [(1, "fetch"), (2, "api")]
    low.write_text('"""Low."""\n' + "x = 1  # one\n\n# two\n" * 401)
    with pytest.raises(AssertionError):
        test_a_long_module_says_why(low)


def test_the_command_line_starts_light() -> None:
    script = "import sys, psexport, psexport.cli; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    ).stdout.split()
    assert {module.partition(".")[0] for module in loaded} & HEAVY == set()
