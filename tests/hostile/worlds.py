"""Modules made of hostile hosts, and what the engine finds in them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import psexport
from engine import require_pwsh, run_script
from hostile.host import INNOCENT, LAST, PLACES, Host, Told, lies, session
from hostile.texts import TEXTS
from hostile.views import Views
from psexport.connection import Connection, Kind
from psexport.events import Event, Problem
from psexport.generate import psm1
from psexport.model import CommandType

ROADS = ("compact", "portable")
#: Texts that mean nothing, in the forms that the generator writes differently.
INNOCENT_TEXTS = {
    "word": "Plain",
    "words": "Two words",
    "like our own": "Another",
    "our own": "AsJob",
    "variable": "true",
    "number": "7",
    "control": "a\tb",
    "letters": "Größe",
    "nothing": "",
    "page": "https://example.org/it",
}
#: Places where the text is a name of the command: two of them cannot be in one world.
NAMES = ("command name", "function name", "alias name", "lost alias", "program name")
#: Of the texts, as many are printed by the engine in views.
PRINTED = 16
#: Characters of a text that is said once only where it would be said often.
_LONG = 500


@dataclass(frozen=True)
class World:
    """A host, how it is asked, and what is made of it.

    :ivar options: of the export, beyond those that all have.
    :ivar lies: the commands that say a text, by place and text.
    :ivar printed: whether the engine prints its views and help.
    """

    name: str
    road: str
    host: Host
    options: Mapping[str, Any] = field(default_factory=dict)
    lies: Mapping[tuple[str, str], Told] = field(default_factory=dict)
    printed: bool = False


@dataclass(frozen=True)
class Made:
    """A world, and what became of it.

    :ivar problems: non-terminating errors, as they were said.
    """

    world: World
    result: psexport.ExportResult
    problems: tuple[psexport.Skipped, ...]


def worlds(texts: Mapping[str, str], kind: str) -> Iterator[World]:
    """The hosts that say these texts wherever a host can say one."""
    all_lies = lies(texts)
    views = [
        Views(name, text)
        for i, text in enumerate(texts.values())
        for name in (f"Hostile.Type{i}", *([text] if len(text) < _LONG else []))
    ]
    unnamed = {key: told for key, told in all_lies.items() if key[0] not in NAMES}
    for road in ROADS:
        yield World(
            f"{kind}-{road}",
            road,
            _host(unnamed, views),
            {"include_help": True},
            unnamed,
            printed=road == "compact",
        )
        for place in NAMES:
            named = {key: told for key, told in all_lies.items() if key[0] == place}
            yield World(
                f"{kind}-{road}-{place.replace(' ', '-')}",
                road,
                _host(named, []),
                {"command_type": CommandType.ALL, "include_help": False},
                named,
            )
    few = dict(list(unnamed.items())[:: len(texts) // 7])
    yield World(
        f"{kind}-compatible",
        "compact",
        _host(unnamed, []),
        {"fidelity": "Compatible"},
        unnamed,
    )
    # What whoever asks for it gets: the host's code, but as code in views only.
    yield World(
        f"{kind}-code",
        "portable",
        _host(few, views),
        {"include_script_block": True},
        few,
        printed=True,
    )


def hosts(texts: Mapping[str, str], kind: str) -> Iterator[World]:
    """For each text a host that says it of itself, and of whoever asks."""
    for i, (label, text) in enumerate(texts.items()):
        if label.startswith(("word ", "variable ", "quotes ")):
            continue
        facts = dict.fromkeys(
            ("Version", "Edition", "Os", "Culture", "UiCulture", "Identity"), text
        )
        implicit = {"Hash": text, "CommandsToSkip": [text, "Get-Skipped"]}
        private = {
            "PSVersionTable": {"PSVersion": text, "PSEdition": text, "OS": text},
            "ImplicitRemoting": implicit,
            text: text,
        }
        named = text.replace("\0", "").replace("\ud800", "").replace("\udc00", "")
        connections = (
            Connection(
                kind=Kind.SSH, host=named or "h", user_name=named, key_file=named
            ),
            Connection(
                kind=Kind.WSMAN,
                host=named or "h",
                user_name=named,
                configuration_name=named,
                application_name=named,
            ),
            Connection(kind=Kind.LOCAL, path=named or "p", arguments=(named,)),
        )
        told = replace(INNOCENT, module=text)
        yield World(
            f"{kind}-{i}",
            ROADS[i % 2],
            Host([told, LAST], [], facts, private, connections[i % 3]),
            {"include_help": True, "module": "*"},
        )


def _host(told: Mapping[tuple[str, str], Told], views: list[Views]) -> Host:
    connection = Connection(kind=Kind.WSMAN, host="server01")
    return Host([INNOCENT, *told.values(), LAST], views, connection=connection)


def make(world: World, folder: Path) -> Made:
    """Export a world into a folder."""
    events: list[Event] = []
    result = psexport.export(
        session(world.host, world.road),
        folder / world.name,
        allow_clobber=True,
        on_event=events.append,
        **world.options,
    )
    problems = tuple(e.skipped for e in events if isinstance(e, Problem))
    return Made(world, result, problems)


def judge(made: list[Made], folder: Path) -> dict[str, dict[str, Any]]:
    """What the engine finds in modules, by their names."""
    _, _, runtime = psm1.runtime().partition(psm1._SETTINGS)
    (folder / "runtime.txt").write_text(runtime, "utf-8", newline="")
    modules = [
        {"folder": str(one.result.module), "printed": PRINTED * one.world.printed}
        for one in made
    ]
    (folder / "modules.json").write_text(json.dumps(modules), "utf-8")
    script = Path(__file__).with_name("judge.ps1")
    arguments = [folder / name for name in ("modules.json", "runtime.txt", "out.json")]
    run_script(require_pwsh(), script, *map(str, arguments), timeout=300)
    lines = (folder / "out.json").read_text("utf-8").splitlines()
    verdicts = map(json.loads, lines)
    return {Path(one["module"]).name: one for one in verdicts}


__all__ = [
    "INNOCENT_TEXTS",
    "NAMES",
    "PLACES",
    "ROADS",
    "TEXTS",
    "Made",
    "World",
    "hosts",
    "judge",
    "make",
    "worlds",
]
