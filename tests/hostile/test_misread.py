"""A module that is read in another encoding than it was written in runs nothing.

Windows PowerShell reads a file without a mark in the code page of its machine. There
bytes of a letter may be a quotation mark, or swallow the backtick behind them.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import replace
from itertools import chain
from pathlib import Path

import pytest

from hostile.host import INNOCENT, Host, Parameter, Told
from hostile.texts import PAYLOAD
from hostile.worlds import Made, World, judge, make
from psexport.encoding import encoder
from psexport.errors import PSExportError
from psexport.results import WrittenFile

#: How a file is written: as -Encoding calls it, as Python does, with what mark.
WRITTEN = {
    "utf8NoBOM": "utf-8",
    "1252": "cp1252",
    "1251": "cp1251",
    "850": "cp850",
    "437": "cp437",
    "28591": "iso8859-1",
    "932": "cp932",
}
READ = ("utf-8", "cp1252", "cp1251", "cp437", "cp932", "gbk")
#: With a mark every PowerShell reads what was written.
MARKED = ("utf8BOM", "unicode", "bigendianunicode", "utf32", "bigendianutf32")
CYRILLIC = Told("Получить-Файл", [Parameter("Имя", values=["Да", "Нет"])])


def letters(encoding: str) -> list[str]:
    """The characters beyond ASCII that an encoding holds, or some of Unicode's."""
    found = set()
    for number in chain(range(0x80, 0x180), range(0x400, 0x460), range(0x2010, 0x2040)):
        try:
            encoder(encoding).encode(chr(number))
        except PSExportError:
            continue
        found.add(chr(number))
    return sorted(found)


def host(encoding: str) -> Host:
    """A host that says code behind each letter, in all ways in which it is quoted."""
    told = []
    for number, letter in enumerate(letters(encoding)):
        text, code = f"{letter};{PAYLOAD};{letter}#", f"\t{letter}$({PAYLOAD})"
        parameters = [
            Parameter("Set", values=[text]),
            Parameter("Tab", checks=[("ValidatePattern", code, "1")]),
        ]
        page = f"https://x/{letter}{PAYLOAD}"
        told.append(Told(f"Test-It{number}", parameters, help_uri=page))
    return Host([INNOCENT, *told])


def misread(folder: Path) -> Iterator[Made]:
    """The modules, each as a machine with another code page reads it."""
    for name, codec in WRITTEN.items():
        options = {"encoding": name, "include_help": False}
        made = make(World(f"from-{name}", "compact", host(name), options), folder)
        for other in READ:
            if codec == other:
                continue
            world = replace(made.world, name=f"{made.world.name}-as-{other}")
            module = folder / world.name
            module.mkdir()
            for file in made.result.files:
                text = file.path.read_bytes().decode(other, "replace")
                path = module / file.path.name.replace(made.world.name, world.name)
                text = text.replace(made.world.name, world.name)
                path.write_bytes(codecs.BOM_UTF8 + text.encode())
            files = tuple(WrittenFile(path, 0, "") for path in module.iterdir())
            yield Made(world, replace(made.result, module=module, files=files), ())


@pytest.mark.engine
def test_a_misread_module_runs_nothing(tmp_path: Path) -> None:
    modules = tmp_path / "modules"
    modules.mkdir()
    made = list(misread(modules))
    verdicts = judge(made, tmp_path)
    assert len(verdicts) == len(WRITTEN) * len(READ) - 5
    assert list(modules.glob("*.canary")) == []
    for name, verdict in verdicts.items():
        assert verdict.get("failed"), name
        assert not verdict.get("functions"), name


@pytest.mark.engine
@pytest.mark.parametrize("road", ["compact"])
def test_what_is_marked_or_utf_8_is_read(road: str, tmp_path: Path) -> None:
    modules = tmp_path / "modules"
    modules.mkdir()
    made = [
        make(World(f"in-{name}", road, Host([CYRILLIC]), {"encoding": name}), modules)
        for name in (*MARKED, "utf8", "utf8NoBOM", "utf-16", "65001")
    ]
    for name, verdict in judge(made, tmp_path).items():
        assert verdict.get("functions") == ["Получить-Файл"], (name, verdict)
        assert verdict["manifest"]["FunctionsToExport"] == ["Получить-Файл"]


@pytest.mark.engine
def test_a_code_page_is_read_where_it_is_the_machine_s(tmp_path: Path) -> None:
    """As Windows PowerShell reads it; PowerShell 7 would have to be told."""
    modules = tmp_path / "modules"
    modules.mkdir()
    world = World("as-written", "compact", Host([CYRILLIC]), {"encoding": "1251"})
    made = make(world, modules)
    for file in made.result.files:
        data = file.path.read_bytes()
        if not data.isascii():
            file.path.write_bytes(codecs.BOM_UTF8 + data.decode("cp1251").encode())
    verdict = judge([made], tmp_path)["as-written"]
    assert verdict["functions"] == ["Получить-Файл"]
    assert verdict["unquoted"] == verdict["unusable"] == []
