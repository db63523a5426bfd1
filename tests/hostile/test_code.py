"""Nothing that a host says becomes code: the engine reads what was written."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from hostile.host import Host
from hostile.worlds import (
    INNOCENT_TEXTS,
    TEXTS,
    Made,
    World,
    hosts,
    judge,
    make,
    worlds,
)
from psexport.fetch.type_names import type_name
from psexport.generate.about import environment

pytestmark = pytest.mark.engine

#: Prefixes of -AsJob that become aliases, so that they go on to mean what they meant.
OWN = {"A", "AS", "ASJ", "ASJO", "AsJob"}


def test_what_is_said_of_commands_and_types(tmp_path: Path) -> None:
    hostile, innocent = worlds(TEXTS, "hostile"), worlds(INNOCENT_TEXTS, "innocent")
    check([*hostile, *innocent], tmp_path)


def test_what_a_host_says_of_itself(tmp_path: Path) -> None:
    hostile, innocent = hosts(TEXTS, "hostile"), hosts(INNOCENT_TEXTS, "innocent")
    check([*hostile, *innocent], tmp_path)


def check(all_worlds: list[World], folder: Path) -> None:
    """Hold every hostile module against the innocent ones, which have the same places.

    What a module is beside names and strings must be found in an innocent one too.
    """
    modules = folder / "modules"
    modules.mkdir()
    made = [make(world, modules) for world in all_worlds]
    verdicts = judge(made, folder)
    assert len(verdicts) == len(made)
    for one in made:
        anonymous(verdicts[one.world.name].get("script", {}), one.world.name)
    innocent = [verdicts[one.world.name] for one in made if not is_hostile(one)]
    known = {
        what: {word for one in innocent for word in found(one, what)}
        for what in ("blocks", "nodes", "words", "strings", "shapes")
    }
    keys = {key for one in innocent for key in one["manifest"]}
    wrong = []
    for one in made:
        verdict = verdicts[one.world.name]
        wrong += [f"{one.world.name}: {what}" for what in in_the_engine(one, verdict)]
        if is_hostile(one):
            known_here = known | {"strings": known["strings"] | heard(one.world.host)}
            wrong += [
                f"{one.world.name}: {what}: {word[:200]!r}"
                for what, words in known_here.items()
                for word in set(found(verdict, what)) - words
            ]
            wrong += sorted(set(verdict["manifest"]) - keys)
    assert wrong == []
    canaries = sorted(path.stem for path in modules.glob("*.canary"))
    # The host's code in views runs where somebody asked for it: so canaries do sing.
    asked = [
        one.world.name for one in made if "include_script_block" in one.world.options
    ]
    assert canaries == [name for name in asked if name.startswith("hostile")]
    assert {path.name for path in modules.iterdir() if path.is_dir()} == set(verdicts)


def anonymous(script: dict[str, Any], module: str) -> None:
    """Take the module's own name out of its script."""
    variable = re.escape(environment(module))
    for what in ("shapes", "strings"):
        name = re.compile(f"{variable}|{re.escape(module)}" + r"(-\d+(?=-help))?")
        script[what] = [name.sub("MODULE", word) for word in script[what]]


def is_hostile(one: Made) -> bool:
    return one.world.name.startswith("hostile")


def in_the_engine(one: Made, verdict: dict[str, Any]) -> Iterator[str]:
    """What is wrong with a module by itself."""
    if "failed" in verdict:
        yield verdict["failed"]
        return
    script, manifest, result = verdict["script"], verdict["manifest"], one.result
    yield from script["errors"]
    if script["runtime"] < 0:
        yield "the runtime is not what it was"
    for comment in script["comments"]:
        if not (
            (comment.startswith("<#") and comment.endswith("#>")) or comment[0] == "#"
        ):
            yield f"a comment that is none: {comment[:100]}"
    if sorted(verdict["functions"]) != sorted(result.commands):
        yield f"functions {set(verdict['functions']) ^ set(result.commands)}"
    if not set(verdict["aliases"]) <= set(result.aliases):
        yield f"aliases {set(verdict['aliases']) - set(result.aliases)}"
    if manifest["FunctionsToExport"] != list(result.commands):
        yield "the manifest tells of other functions"
    if manifest["AliasesToExport"] != list(result.aliases):
        yield "the manifest tells of other aliases"
    for what in ("unusable", "unquoted", "warnings"):
        yield from verdict[what]
    if left := set(verdict["variables"]) - {"LASTEXITCODE"}:
        yield f"it leaves variables behind: {left}"
    if one.world.printed and verdict["printed"] < 100:
        yield "its views print nothing"


def found(verdict: dict[str, Any], what: str) -> Iterable[str]:
    """Words of one kind in a script, without the numbers and lengths of lists."""
    words = verdict["script"][what]
    if what == "blocks":
        return [str(words)]
    if what == "shapes":
        numbers = {re.sub(r"-?\d+(,\d+)*", "0", one) for one in words}
        return {re.sub(r"''(,'')*", "''", one) for one in numbers}
    if what == "strings":
        return {word for word in words if not is_alphabet(word)}
    return words


def is_alphabet(word: str) -> bool:
    """Whether these are letters beyond ASCII, each once: what the guard compares."""
    return not any(map(str.isascii, word)) and list(word) == sorted(set(word))


def heard(host: Host) -> set[str]:
    """All strings that a script may have of what a host says."""
    said = set(OWN)
    for told in host.commands:
        said |= {told.name, told.module, told.help_uri, told.default_set, *told.outputs}
        for one in told.parameters:
            said |= {one.name, *one.aliases, *one.sets, *one.enum, *one.values}
            said |= {
                *one.completions,
                *(text for check in one.checks for text in check),
            }
    said |= set(host.facts.values()) | {str(one) for one in host.private}
    if host.connection is not None:
        one = host.connection
        said |= {one.host, one.user_name, one.key_file, one.path, *one.arguments}
        said |= {one.configuration_name, one.application_name, one.name}
    said |= {f"https://x/{text}" for text in said}
    said |= {type_name(text) for text in said}
    said |= {text + "_" * count for text in said for count in (1, 2)}
    said |= {
        re.sub("[\ud800-\udfff]", mark, text) for text in said for mark in "?\ufffd"
    }
    said |= {text[:1_000] for text in said}
    return said | {character for text in said for character in text}
