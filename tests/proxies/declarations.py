"""Random commands and random calls of them, from a seed.

Left out, as known differences: numbers written otherwise than they print (``0x1F``),
which a local binder gives to a type that is made from text as they were typed.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random


def _words(text: str) -> list[str]:
    return text.split()


_TYPES = _words(
    "string string[] int int[] long double bool switch datetime timespan guid version"
    " object object[] psobject hashtable scriptblock uri char byte decimal"
    " System.DayOfWeek System.DayOfWeek[] regex bigint array Nullable[int]"
    " System.IO.FileAttributes System.Collections.IList System.Text.Encoding"
)
_NAMES = _words(
    "Name Path Id Value Force Filter Age Assets Parallel Verb InputObject Type"
    " ComputerName Größe Item Count Date Day Text Args2 Rest A B C Description"
)
_VALUES = (
    "1 42 -3 1.5 abc Monday 'two words' '' $null $true $false @() @(1,2) 'a','b'"
    " (,@(1,2)) @{a=1} {1+1} ([datetime]'2026-01-02Z') ([version]'1.2') 1.2.3 x"
    " ([guid]'6f9619ff-8b86-d011-b42d-00cf4fc964ff') 9999999999 'äöü'"
    " ([pscustomobject]@{Name='n';Id=7}) ([ordered]@{z=1;a=2}) http://x/y"
    " ([System.DayOfWeek]::Friday) ''''"
)
_INPUTS = (
    "1", "1,2,3", "'a','b'", "$null", ",@(1,2)", "@{a=1}", "'1.2'",
    "[pscustomobject]@{Name='n';Id=7;Path='p'}", "'x',5", "[version]'1.2'",
)  # fmt: skip


@dataclass(frozen=True)
class _Parameter:
    name: str
    type: str
    text: str


def _values() -> list[str]:
    words: list[str] = []
    depth = 0
    for word in _VALUES.split(" "):
        if depth or (words and words[-1].startswith("'two") and word == "words'"):
            words[-1] += " " + word
        else:
            words.append(word)
        depth += word.count("(") + word.count("{") - word.count(")") - word.count("}")
    return words


def _attributes(random: Random, sets: list[str], position: list[int]) -> str:
    if random.random() < 0.25:
        return ""
    words = []
    if sets and random.random() < 0.7:
        words.append(f"ParameterSetName='{random.choice(sets)}'")
    if random.random() < 0.2:
        words.append("Mandatory")
    if random.random() < 0.35:
        words.append(f"Position={position[0]}")
        position[0] += 1
    if random.random() < 0.15:
        words.append("ValueFromPipeline")
    if random.random() < 0.15:
        words.append("ValueFromPipelineByPropertyName")
    if random.random() < 0.07:
        words.append("ValueFromRemainingArguments")
    return f"[Parameter({','.join(words)})]"


def _validation(random: Random, kind: str) -> str:
    choices = ["", "", "", "", "[AllowNull()]", "[ValidateNotNull()]"]
    if kind == "string":
        choices += ["[ValidateSet('abc','x','Monday')]", "[ValidateLength(0,5)]"]
        choices += ["[ValidatePattern('^[a-z]')]", "[AllowEmptyString()]"]
        choices += ["[ValidateNotNullOrEmpty()]", "[ValidateScript({$_ -ne 'x'})]"]
    if kind in ("int", "long", "byte"):
        choices += ["[ValidateRange(0,50)]"]
    if kind.endswith("[]"):
        choices += ["[ValidateCount(1,2)]", "[AllowEmptyCollection()]"]
    return random.choice(choices)


def _parameters(random: Random, sets: list[str], advanced: bool) -> list[_Parameter]:
    position = [0]
    found = []
    for name in random.sample(_NAMES, random.randint(0, 6)):
        kind = random.choice(_TYPES)
        parts = []
        if advanced:
            parts.append(_attributes(random, sets, position))
        if random.random() < 0.15:
            parts.append(f"[Alias('{name}Too','{name}9')]")
        if kind != "switch":
            parts.append(_validation(random, kind))
        if kind != "object" or random.random() < 0.5:
            parts.append(f"[{kind}]")
        found.append(_Parameter(name, kind, "".join(parts) + f"${name}"))
    return found


def _call(random: Random, name: str, parameters: list[_Parameter]) -> str:
    values = _values()
    words = [name]
    for parameter in parameters:
        draw = random.random()
        if draw < 0.45:
            spelled = parameter.name
            if random.random() < 0.2:
                spelled = spelled[: random.randint(1, len(spelled))]
            if parameter.type == "switch":
                words.append(f"-{spelled}" + random.choice(["", ":$false", ":$true"]))
            else:
                words.append(f"-{spelled} {random.choice(values)}")
        elif draw < 0.6:
            words.append(random.choice(values))
    if random.random() < 0.1:
        words.append(random.choice(values))
    call = " ".join(words)
    if random.random() < 0.3:
        call = f"{random.choice(_INPUTS)} | {call}"
    return call


def invent(seed: int, commands: int, calls: int) -> tuple[str, str]:
    """A host script and a table of calls.

    :param commands: how many functions the host has.
    :param calls: how many calls there are of each.
    """
    random = Random(seed)
    script: list[str] = []
    table: list[str] = []
    for number in range(commands):
        name = f"Get-Thing{seed}x{number}"
        advanced = random.random() < 0.75
        sets = random.choice([[], [], ["One", "Two"], ["One", "Two", "Three"]])
        parameters = _parameters(random, sets, advanced)
        binding = ""
        if advanced:
            words = []
            if sets and random.random() < 0.6:
                words.append(f"DefaultParameterSetName='{random.choice(sets)}'")
            if random.random() < 0.15:
                words.append("PositionalBinding=$false")
            if random.random() < 0.15:
                words.append("SupportsShouldProcess")
            binding = f"[CmdletBinding({','.join(words)})]"
        declared = ", ".join(parameter.text for parameter in parameters)
        body = "Show-Bound $PSBoundParameters"
        if not advanced:
            body += "; Show-Value $args"
        script.append(
            f"function {name} {{ {binding} param({declared}) process {{ {body} }} }}"
        )
        table += [_call(random, name, parameters) for _ in range(calls)]
    return "\n".join(script) + "\n", "\n".join(dict.fromkeys(table)) + "\n"
