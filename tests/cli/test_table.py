"""The parameter table, and that all that is made from it agrees with it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from psexport import baseline, encoding, order
from psexport.cli import completion, help, parameters
from psexport.cli.parameters import EXPORT, MEANINGLESS, VERBS, Kind, Tier, Verb

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "command-line.md"
MARK = "UPDATE_DOCS=1 python -m pytest tests/cli/test_table.py -->\n\n"

#: The page of the cmdlet: name, aliases, position.
CMDLET = {
    "Session": ((), 0),
    "OutputModule": (("PSPath", "ModuleName"), 1),
    "CommandName": (("Name",), 2),
    "FormatTypeName": ((), 3),
    "Force": ((), None),
    "Encoding": ((), None),
    "AllowClobber": ((), None),
    "ArgumentList": (("Args",), None),
    "CommandType": (("Type",), None),
    "Module": (("PSSnapin",), None),
    "FullyQualifiedModule": ((), None),
    "Certificate": ((), None),
}


def test_the_cmdlet_s_own_parameters_are_as_on_its_page() -> None:
    own = {
        one.name: (
            one.aliases,
            EXPORT.positional.index(one.name)
            if one.name in EXPORT.positional
            else None,
        )
        for one in EXPORT.parameters
        if one.tier is Tier.CMDLET
    }
    assert own == CMDLET


def test_the_common_parameters_have_powershell_s_aliases() -> None:
    common = {
        alias.lower(): one.name
        for one in EXPORT.parameters
        if one.tier is Tier.COMMON and one.name != "Help"
        for alias in one.aliases
    }
    assert common == {
        "vb": "Verbose",
        "db": "Debug",
        "ea": "ErrorAction",
        "ev": "ErrorVariable",
        "wa": "WarningAction",
        "wv": "WarningVariable",
        "infa": "InformationAction",
        "iv": "InformationVariable",
        "proga": "ProgressAction",
        "ov": "OutVariable",
        "ob": "OutBuffer",
        "pv": "PipelineVariable",
    }


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_a_verb_makes_sense(verb: Verb) -> None:
    names = [
        name.lower() for one in verb.parameters for name in (one.name, *one.aliases)
    ]
    assert len(names) == len(set(names))
    for name in (*verb.positional, *verb.mandatory):
        assert verb.parameter(name)
    for exclusive in verb.exclusive:
        for name in exclusive.names:
            assert verb.parameter(name)
    for one in verb.parameters:
        assert one.help.endswith(".")
        assert one.choices or one.kind not in (Kind.CHOICE, Kind.COMMAND_TYPES)


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: verb.name)
def test_help_names_everything(verb: Verb) -> None:
    text = help.text(verb)
    for one in verb.parameters:
        for name in (one.name, *one.aliases):
            assert f"-{name}" in text
        for choice in one.choices:
            assert choice in text
    assert all(len(line) <= 100 for line in text.splitlines())


def test_the_document_is_made_from_the_table() -> None:
    text = DOCUMENT.read_text("utf-8")
    start = text.index(MARK) + len(MARK)
    expected = text[:start] + help.markdown()
    if os.environ.get("UPDATE_DOCS"):
        DOCUMENT.write_text(expected, "utf-8")
    assert text == expected


@pytest.mark.parametrize("shell", completion.SHELLS)
def test_completion_names_everything(shell: str) -> None:
    script = completion.script(shell)
    for verb in VERBS:
        assert verb.name in script
        for one in verb.parameters:
            assert f"-{one.name}" in script
            for choice in one.choices:
                assert choice in script
    assert "@" not in script.replace("@{", "").replace("@(", "").replace('"$@"', "")


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["ver"], ["verify"]),
        (["-fid"], ["-Fidelity"]),
        (["-FIDELITY", "f"], ["Full"]),
        (["demo", "./X", "-ea", "s"], ["SilentlyContinue", "Stop"]),
        (["verify", "-ts"], ["-TsaCAFile"]),
        (["demo", "-Type", "Function,fi"], ["Function,Filter"]),
        (["demo", "-Encoding", "utf8"], ["utf8", "utf8BOM", "utf8NoBOM"]),
        (["help", "v"], ["verify"]),
        (["completion", "z"], ["zsh"]),
        (["-Certificate", "x"], []),
        (["-Prefix", "-"], []),
    ],
)
def test_bash_completes(words: list[str], offered: list[str]) -> None:
    script = completion.script("bash") + (
        'COMP_WORDS=(psexport "$@"); COMP_CWORD=$#; _psexport; '
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )
    try:
        said = subprocess.run(
            ["bash", "-c", script, "bash", *words],
            capture_output=True,
            check=True,
            text=True,
        )
    except FileNotFoundError:
        pytest.skip("there is no bash")
    assert said.stderr == ""
    assert said.stdout.split() == offered


@pytest.mark.engine
def test_powershell_completes(pwsh: str, tmp_path: Path) -> None:
    lines = {
        "psexport ver": "verify",
        "psexport -fid": "-Fidelity",
        "psexport -Fidelity f": "Full",
        "psexport demo ./X -ea s": "SilentlyContinue Stop",
        "psexport verify -ts": "-TsaCAFile",
        "psexport demo -Encoding utf8": "utf8 utf8BOM utf8NoBOM",
        "psexport help v": "verify",
        "psexport completion z": "zsh",
    }
    script = completion.script("powershell")
    for line in lines:
        script += (
            f"[System.Management.Automation.CommandCompletion]::CompleteInput("
            f"'{line}', {len(line)}, $null)"
            ".CompletionMatches.CompletionText -join ' '\n"
        )
    file = tmp_path / "complete.ps1"
    file.write_text(script, "utf-8")
    said = subprocess.run(
        [pwsh, "-NoProfile", "-File", str(file)],
        capture_output=True,
        check=True,
        text=True,
    )
    assert said.stdout.splitlines() == list(lines.values())


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["completion", ""], "bash zsh powershell"),
        (["demo", "-FIDELITY", ""], "Full Compatible"),
        (["verify", "-Path", ""], "files"),
        (["demo", "-Prefix", ""], ""),
    ],
)
def test_zsh_completes(words: list[str], offered: str) -> None:
    """What its completion system would be told; it needs a terminal itself."""
    script = (
        "compdef() { }; compset() { }; _files() { print files }\n"
        'compadd() { while [ "$1" != -- ]; do shift; done; print -r -- "${@:2}" }\n'
        + completion.script("zsh")
        + 'words=(psexport "$@"); CURRENT=$#words; _psexport'
    )
    try:
        said = subprocess.run(
            ["zsh", "-f", "-c", script, "zsh", *words],
            capture_output=True,
            check=True,
            text=True,
        )
    except FileNotFoundError:
        pytest.skip("there is no zsh")
    assert said.stderr == ""
    assert (said.stdout.splitlines() or [""])[0] == offered


def test_what_is_offered_is_what_is_taken() -> None:
    assert parameters.ENCODINGS == encoding.NAMES
    verbs = [verb.name for verb in VERBS if verb.name != "help"]
    assert list(parameters.TOPICS) == verbs
    for name in EXPORT.parameter("Baseline").choices[:-1]:
        baseline.load(name)


def test_what_has_no_meaning_is_in_the_table() -> None:
    assert {one.name for one in EXPORT.parameters} >= MEANINGLESS


def test_the_types_of_commands_are_those_that_are_known() -> None:
    assert tuple(order.COMMAND_TYPES) == parameters.COMMAND_TYPES
