"""A host that lies, built from Python values: the same lies by both roads.

A :class:`Told` is what the host says of one command. :data:`PLACES` puts a text where
a host can say one; :func:`session` is a session with a host that says all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from clixml_text import Object, write
from command_records import (
    COMMON,
    SHOULD_PROCESS,
    count,
    metadata,
    shown,
    shown_parameter,
)
from fake_session import FakeSession, Said, output
from hostile.views import Views
from pieces_text import command, end, parameter, piece
from psexport.connection import Connection
from psexport.fetch import compact
from psexport.transport.base import Commands, Question, Script

ALL_SETS = "__AllParameterSets"
STRING = "System.String"
_INT = "System.Int32"
_RECORDS_A_PIECE = 40
KINDS = {"Alias": 1, "Function": 2, "Filter": 4, "Cmdlet": 8, "Application": 32}


@dataclass(frozen=True)
class Parameter:
    """What the host says of a parameter."""

    name: str = "Name"
    type: str = STRING
    aliases: Sequence[str] = ()
    sets: Sequence[str] = (ALL_SETS,)
    position: int = 0
    enum: Sequence[str] = ()
    values: Sequence[str] = ()
    #: Only the compact road has these: attributes as a script tells them.
    checks: Sequence[Sequence[str]] = ()
    completions: Sequence[str] = ()


@dataclass(frozen=True)
class Told:
    """What the host says of a command."""

    name: str
    parameters: Sequence[Parameter] = (Parameter(),)
    kind: str = "Cmdlet"
    module: str = "Some.Module"
    help_uri: str = ""
    resolved: str = ""
    outputs: Sequence[str] = ()
    default_set: str = ""
    impact: str = "Medium"
    help: Object | None = None


def _paragraphs(text: str) -> list[Object]:
    return [Object(members={"Text": text})]


def topic(text: str) -> Object:
    """A help topic that says the text everywhere."""
    typed = {
        "type": Object(members={"name": text}),
        "description": _paragraphs(text),
    }
    return Object(
        types=["MamlCommandHelpInfo"],
        members={
            "Name": text,
            "Synopsis": text,
            "description": _paragraphs(text),
            "parameters": Object(
                members={
                    "parameter": Object(
                        members={
                            "name": "Name",
                            "description": _paragraphs(text),
                            "defaultValue": text,
                        }
                    )
                }
            ),
            "examples": Object(
                members={
                    "example": Object(
                        members={
                            "title": text,
                            "introduction": _paragraphs(text),
                            "code": text,
                            "remarks": _paragraphs(text),
                        }
                    )
                }
            ),
            "inputTypes": Object(members={"inputType": Object(members=typed)}),
            "returnValues": Object(members={"returnValue": Object(members=typed)}),
            "alertSet": Object(members={"title": text, "alert": _paragraphs(text)}),
            "relatedLinks": Object(
                members={
                    "navigationLink": [
                        Object(members={"linkText": text, "uri": text}),
                        Object(members={"linkText": text, "uri": f"https://x/{text}"}),
                    ]
                }
            ),
            "Component": text,
            "Role": text,
            "Functionality": text,
        },
    )


def _with(**values: Any) -> Callable[[str, str], Told]:
    """A place in a parameter; ``...`` in a value is where the text goes."""

    def make(name: str, text: str) -> Told:
        put = {key: _put(value, text) for key, value in values.items()}
        return Told(name, (Parameter(**put), Parameter("Other", "System.Int32")))

    return make


def _put(value: Any, text: str) -> Any:
    if value is ...:
        return text
    if isinstance(value, list | tuple):
        return [_put(one, text) for one in value]
    return value


#: Where a host can say a text about a command: given a harmless name for the command,
#: which is not taken where the name itself is the lie.
PLACES: dict[str, Callable[[str, str], Told]] = {
    "command name": lambda name, text: Told(text),
    "function name": lambda name, text: Told(text, kind="Function"),
    "alias name": lambda name, text: Told(
        text, kind="Alias", resolved="Get-Innocent", parameters=()
    ),
    "lost alias": lambda name, text: Told(text, kind="Alias", parameters=()),
    "program name": lambda name, text: Told(text, kind="Application", parameters=()),
    "parameter name": _with(name=..., position=3),
    "second parameter": lambda name, text: Told(
        name, (Parameter("Other"), Parameter(text, sets=("A", "B"), position=1))
    ),
    "parameter alias": _with(aliases=("N", ...)),
    "parameter type": _with(type=...),
    "parameter set": _with(sets=("Here", ...)),
    "default set": lambda name, text: Told(
        name, (Parameter(sets=("Here", "There")),), default_set=text
    ),
    "said": lambda name, text: _said(name, text),
    "resolved name": lambda name, text: Told(
        name, kind="Alias", resolved=text, parameters=()
    ),
}


def _said(name: str, text: str) -> Told:
    """All that a host can say of a command and that is no name: never refused."""
    return Told(
        name,
        (
            Parameter("Enum", "Some.Enum", enum=("One", text, "Two")),
            Parameter("One", "Some.Enum", enum=(text,)),
            Parameter("Set", values=("One", text, "Two")),
            Parameter("Pattern", checks=(("ValidatePattern", text, "1"),)),
            Parameter("Options", checks=(("ValidatePattern", "x", text),)),
            Parameter("Range", _INT, checks=(("ValidateRange", _INT, text, "9"),)),
            Parameter("Of", _INT, checks=(("ValidateRange", text, "1", "9"),)),
            Parameter("Length", checks=(("ValidateLength", "1", text),)),
            Parameter("Count", checks=(("ValidateCount", text, "9"),)),
            Parameter("There", checks=(("HostOnly", text),)),
            Parameter("Completed", completions=("one", text)),
        ),
        module=text,
        help_uri=text,
        outputs=(text, "System.String"),
        impact=text,
        help=topic(text),
    )


@dataclass(frozen=True)
class Host:
    """All that the host says.

    :ivar facts: what it says of itself, by the names that the script of facts uses.
    :ivar private: its application private data.
    """

    commands: Sequence[Told] = ()
    views: Sequence[Views] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    private: Mapping[str, object] = field(default_factory=dict)
    connection: Connection | None = None


def session(host: Host, road: str) -> FakeSession:
    """A session with the host that can only be asked by this road."""
    by_name = {told.name: told for told in host.commands}
    facts = {"LanguageMode": "FullLanguage", "Version": "7.6.9"} | host.facts
    if road == "portable":
        facts["LanguageMode"] = "ConstrainedLanguage"

    def script(question: Question) -> Said:
        assert isinstance(question, Script)
        if question.text == compact.SCRIPT:
            return output(*compact_answer(host))
        if "LanguageMode=" not in question.text:
            return output()
        return output(*(write(f"{key}={value}") for key, value in facts.items()))

    def help_(question: Question) -> Said:
        assert isinstance(question, Commands)
        told = by_name.get(str(dict(question.calls[0].parameters)["Name"]))
        return output(
            *([] if told is None or told.help is None else [write(told.help)])
        )

    private = write(
        Object(members={"ApplicationPrivateData": dict(host.private)})
        if host.private
        else {}
    )
    made = FakeSession(
        {
            "script": script,
            "metadata": output(count(len(host.commands)), *_metadata(host.commands)),
            "sets": output(*_shown(host.commands)),
            "Get-FormatData": output(*(one.document() for one in host.views)),
            "Get-Help": help_,
            "Get-Module": output(
                *(
                    write(Object(members={"Name": one.module, "Version": "1.0"}))
                    for one in host.commands
                )
            ),
            "Import-Module": output(),
        },
        private_data=private,
    )
    made.connection = host.connection
    return made


def _metadata(commands: Iterable[Told]) -> list[bytes]:
    return [
        metadata(
            told.name,
            told.kind,
            {one.name: (one.type, *one.aliases) for one in told.parameters}
            | (COMMON | SHOULD_PROCESS if told.kind == "Cmdlet" else {}),
            Namespace=told.module,
            HelpUri=told.help_uri,
            ResolvedCommandName=told.resolved or None,
            OutputType=list(told.outputs),
        )
        for told in commands
    ]


def _shown(commands: Iterable[Told]) -> list[bytes]:
    records = []
    for told in commands:
        sets: dict[str, list[Object]] = {}
        for one in told.parameters:
            for name in one.sets:
                sets.setdefault(name, []).append(
                    shown_parameter(
                        one.name,
                        one.type,
                        position=one.position,
                        values=one.values,
                        enum=one.enum,
                    )
                )
        records.append(
            shown(
                told.name,
                sets,
                default=told.default_set,
                kind=told.kind,
                module=told.module,
            )
        )
    return records


class _Numbers:
    """Numbers types and parameters as the script on the host does."""

    def __init__(self) -> None:
        self.records: list[list[Any]] = []
        self._types = 0
        self._parameters = 0

    def add(self, one: Parameter) -> int:
        self.records.append(["type", one.type, list(one.enum), 0])
        checks = [list(check) for check in one.checks]
        if one.values:
            checks.append(["ValidateSet", "1", *one.values])
        self.records.append(
            parameter(
                one.name,
                *one.aliases,
                type=self._types,
                places=[[name, one.position, 0] for name in one.sets],
                checks=checks,
                completions=list(one.completions),
            )
        )
        self._types += 1
        self._parameters += 1
        return self._parameters - 1


def compact_records(host: Host) -> list[list[Any]]:
    """The records of the compact road's answer, but for its end."""
    numbers = _Numbers()
    records = numbers.records
    for told in host.commands:
        references = [numbers.add(one) for one in told.parameters]
        record = command(
            told.name,
            *references,
            type=KINDS[told.kind],
            says=3 if told.kind == "Cmdlet" else 1,
            resolved=told.resolved,
            default=told.default_set,
            outputs=list(told.outputs),
        )
        record[3][1], record[3][3], record[3][5] = (
            told.module,
            told.help_uri,
            told.impact,
        )
        records.append(record)
        records.append(["module", [told.module, "1.0", ""]])
    for one in host.views:
        records.append(["view", f"<Objs>{one.document().decode()}</Objs>"])
    for told in host.commands:
        if told.help is not None:
            document = f"<Objs>{write(told.help).decode()}</Objs>"
            records.append(["help", told.name, document])
    return records


def compact_answer(host: Host) -> list[bytes]:
    """The compact road's answer, a piece a record of the pipeline."""
    records = compact_records(host)
    records.append(end(*records))
    cuts = range(0, len(records), _RECORDS_A_PIECE)
    return [
        piece(records[start : start + _RECORDS_A_PIECE], number)
        for number, start in enumerate(cuts)
    ]


def lies(texts: Mapping[str, str]) -> dict[tuple[str, str], Told]:
    """One command a text and place: by the names of both."""
    return {
        (place, label): make(f"Test-{place.title().replace(' ', '')}{t}", text)
        for place, make in PLACES.items()
        for t, (label, text) in enumerate(texts.items())
    }


INNOCENT = Told("Get-Innocent")
LAST = replace(INNOCENT, name="Get-Last")
