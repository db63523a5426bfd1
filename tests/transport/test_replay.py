"""Recorded hosts: what they answer, what they refuse, and files that are no good."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psexport import clixml
from psexport.connection import parse
from psexport.errors import PSExportError, TransportError
from psexport.model import CommandType
from psexport.transport import connect
from psexport.transport.base import (
    Argument,
    Call,
    Commands,
    MetadataQuery,
    ModuleSpec,
    PipelineState,
    Question,
    Record,
    Script,
    Session,
    Stream,
    Version,
)
from psexport.transport.narrowing import identity, narrow
from psexport.transport.replay import ReplaySession

SCRIPT = Path(__file__).resolve().parents[2] / "scripts" / "record"
RECORDINGS = Path(__file__).resolve().parents[3] / "shared" / "recordings"


def recorded(name: str) -> Session:
    path = RECORDINGS / f"pwsh-7.6.5-{name}.jsonl.gz"
    if not path.is_file():
        pytest.skip(f"no recording {path.name} beside the repository")
    return connect(parse(f"replay:{path}"))


def ask(session: Session, question: Question) -> list[Record]:
    with session.ask(question) as answer:
        return list(answer)


def command(name: str, **parameters: Argument) -> Commands:
    return Commands((Call(name, tuple(parameters.items())),))


def views(*names: str) -> Commands:
    return command("Get-FormatData", TypeName=names, PowerShellVersion=Version("7.6.9"))


def names_of(records: list[Record], *properties: str) -> list[str]:
    found = []
    for record in records:
        if record.stream is Stream.OUTPUT:
            doc = clixml.parse(record.data)
            said = doc.properties(doc.root)
            for name in properties:
                if name in said:
                    found.append(clixml.text(said[name]))
    return found


def count_of(records: list[Record]) -> int | None:
    doc = clixml.parse(records[0].data)
    return clixml.number(doc.properties(doc.root)["Count"])


def test_everything_is_answered_as_it_was() -> None:
    session = recorded("everything")
    assert b"PSVersionTable" in session.greeting.private_data
    records = ask(session, MetadataQuery())
    assert count_of(records) == 280
    assert len(names_of(records, "Name")) == 280
    assert records[-1] == Record(Stream.STATE, b"", PipelineState.COMPLETED)
    assert len(ask(session, views("*"))) == 143


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        (MetadataQuery(("get-d*", "No-Such")), ["Get-Date"]),
        (
            MetadataQuery(("*-module",), CommandType.CMDLET),
            ["Get-Module", "Import-Module", "New-Module", "Remove-Module"],
        ),
        (MetadataQuery(("get-?ate",), CommandType.FUNCTION), []),
        (
            MetadataQuery(("*rest*",), modules=("Microsoft.PowerShell.U*",)),
            ["Invoke-RestMethod"],
        ),
        (MetadataQuery(("%",)), ["%"]),
        (MetadataQuery(("Get-Date", "%")), ["%", "Get-Date"]),
    ],
    ids=str,
)
def test_fewer_commands(question: Question, expected: list[str]) -> None:
    records = ask(recorded("everything"), question)
    assert sorted(names_of(records, "Name")) == expected
    assert count_of(records) == len(expected)
    assert records[-1].state is PipelineState.COMPLETED


def test_fewer_views() -> None:
    records = ask(recorded("everything"), views("system.version"))
    assert names_of(records, "TypeName") == ["System.Version"]
    # Without a version, too: an old host's answer would do.
    again = ask(recorded("everything"), command("get-formatdata", typename="*version"))
    assert "System.Version" in names_of(again, "TypeName")


def test_fewer_parameter_sets_and_help() -> None:
    session = recorded("queries")
    records = ask(
        session,
        command(
            "Get-Command",
            Name=("get-*", "sort-object"),
            CommandType="Cmdlet, Function",
            ShowCommandInfo=True,
            ListImported=True,
        ),
    )
    found = names_of(records, "Name")
    assert "Sort-Object" in found
    assert all(name == "Sort-Object" or name.startswith("Get-") for name in found)
    help = ask(session, command("Get-Help", Name="get-process", Category="Cmdlet"))
    assert names_of(help, "Name") == ["Get-Process"]


@pytest.mark.parametrize(
    ("question", "id", "exception"),
    [
        (Script("1 + 1"), "ScriptsNotAllowed", "ParseException"),
        (
            command("Get-Nothing"),
            "CommandNotFoundException",
            "CommandNotFoundException",
        ),
        (
            MetadataQuery(("*",), CommandType.ALL),
            "CommandNotFoundException",
            "CommandNotFoundException",
        ),
        (
            MetadataQuery(full_modules=(ModuleSpec("x", "1.0"),)),
            "CommandNotFoundException",
            "CommandNotFoundException",
        ),
        (
            command("Get-FormatData", TypeName="*", Force=True),
            "CommandNotFoundException",
            "CommandNotFoundException",
        ),
        (command("a<b&c\x00"), "CommandNotFoundException", "CommandNotFoundException"),
    ],
    ids=str,
)
def test_what_was_not_recorded_is_refused(
    question: Question, id: str, exception: str
) -> None:
    (record,) = ask(recorded("everything"), question)
    assert (record.stream, record.state) == (Stream.STATE, PipelineState.FAILED)
    error = clixml.error(record.data)
    assert error.id == id
    assert error.exceptions[0] == f"System.Management.Automation.{exception}"
    assert "recorded host" in error.message


def test_modules_are_as_loaded_as_they_will_ever_be() -> None:
    (record,) = ask(recorded("everything"), command("import-module", Name="A"))
    assert (record.stream, record.state) == (Stream.STATE, PipelineState.COMPLETED)


def test_errors_and_scripts_that_were_recorded() -> None:
    session = recorded("queries")
    failed = ask(session, Script('throw "boom"'))[-1]
    assert failed.state is PipelineState.FAILED
    assert clixml.error(failed.data).message == "boom"
    missing = ask(session, command("Get-Command", Name="No-Such"))
    assert [record.stream for record in missing] == [Stream.ERROR, Stream.STATE]


def test_an_answer_can_be_stopped_and_a_session_closed() -> None:
    session = recorded("everything")
    with session.ask(MetadataQuery()) as answer:
        records = iter(answer)
        next(records)
        answer.stop()
        assert next(records).state is PipelineState.STOPPED
        assert list(records) == []
    session.close()
    with pytest.raises(TransportError):
        session.ask(MetadataQuery())


# Files.

PIPELINE = "00000000-0000-0000-0000-000000000001"
ASKED = {
    "from": "client",
    "type": "CREATE_PIPELINE",
    "pipeline": PIPELINE,
    "data": '<Obj><MS><Obj N="PowerShell"><MS><Obj N="Cmds"><LST><Obj><MS>'
    '<S N="Cmd">Get-It</S><B N="IsScript">false</B></MS></Obj></LST></Obj></MS></Obj>'
    "</MS></Obj>",
}


def said(type: str, data: str) -> dict[str, Any]:
    return {"from": "server", "type": type, "pipeline": PIPELINE, "data": data}


def end(state: int = 4) -> dict[str, Any]:
    return said(
        "PIPELINE_STATE", f'<Obj><MS><I32 N="PipelineState">{state}</I32></MS></Obj>'
    )


def write(path: Path, *lines: object, header: object = None) -> Path:
    whole = [header or {"recording": 1, "host": "h", "note": ""}, *lines]
    texts = [one if isinstance(one, str) else json.dumps(one) for one in whole]
    path.write_bytes(gzip.compress("".join(text + "\n" for text in texts).encode()))
    return path


def test_a_question_that_was_asked_twice(tmp_path: Path) -> None:
    second = {"pipeline": PIPELINE[:-1] + "2"}
    path = write(
        tmp_path / "r.gz",
        # The order of lines says nothing.
        said("PIPELINE_OUTPUT", "<S>1</S>"),
        ASKED,
        ASKED | second,
        end(),
        said("PIPELINE_OUTPUT", "<S>2</S>") | second,
        {"from": "server", "frame": "CloseAck", "psguid": PIPELINE},
        end(1) | second,
        end() | second,
    )
    session = ReplaySession(path, name="r")
    answers = [ask(session, command("get-it"))[0].data for _ in range(3)]
    assert answers == [b"<S>1</S>", b"<S>2</S>", b"<S>2</S>"]


BAD: list[tuple[str, Callable[[Path], object], str]] = [
    ("missing", lambda path: None, "No such file"),
    ("folder", lambda path: path.mkdir(), "directory"),
    ("empty", lambda path: path.write_bytes(b""), "empty"),
    ("not gzip", lambda path: path.write_text("{}"), "not gzip"),
    (
        "cut",
        lambda path: path.write_bytes(write(path, ASKED, end()).read_bytes()[:-60]),
        "cut",
    ),
    (
        "damaged",
        lambda path: path.write_bytes(gzip.compress(b"x" * 99)[:15] + b"\xff" * 20),
        "",
    ),
    ("not JSON", lambda path: write(path, "{"), "not JSON (line 2)"),
    ("no object", lambda path: write(path, "[]"), "no JSON object (line 2)"),
    ("another file", lambda path: write(path, header={"a": 1}), "version 1 (line 1)"),
    ("of tomorrow", lambda path: write(path, header={"recording": 2}), "(line 1)"),
    ("nobody", lambda path: write(path, {"a": 1}), "(line 2)"),
    (
        "unknown type",
        lambda path: write(path, ASKED, said("NEWS", ""), end()),
        "unknown kind of line (line 3)",
    ),
    (
        "no data",
        lambda path: write(path, ASKED | {"data": None}),
        "without data (line 2)",
    ),
    ("bad question", lambda path: write(path, ASKED | {"data": "<"}), "(line 2)"),
    (
        "no end",
        lambda path: write(path, ASKED, said("PIPELINE_OUTPUT", "<S/>")),
        "no end (line 2)",
    ),
    (
        "bad end",
        lambda path: write(path, ASKED, said("PIPELINE_STATE", "<")),
        "(line 3)",
    ),
    ("question alone", lambda path: write(path, ASKED), "no end (line 2)"),
]


@pytest.mark.parametrize(
    ("make", "words"), [b[1:] for b in BAD], ids=[b[0] for b in BAD]
)
def test_a_file_that_is_no_good(
    tmp_path: Path, make: Callable[[Path], object], words: str
) -> None:
    path = tmp_path / "r.gz"
    make(path)
    with pytest.raises(PSExportError) as caught:
        connect(parse(f"replay:{path}"))
    assert caught.value.id == "ErrorRecordingUnreadable"
    assert caught.value.target == str(path)
    assert words in caught.value.message


@given(st.binary(max_size=300), st.booleans(), st.booleans())
def test_any_file_is_a_recording_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, zipped: bool, headed: bool
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.gz"
    if headed:
        data = b'{"recording": 1}\n' + data
    path.write_bytes(gzip.compress(data) if zipped else data)
    try:
        session = ReplaySession(path, name="r")
    except PSExportError:
        return
    assert ask(session, MetadataQuery())[-1].stream is Stream.STATE


# Which questions are the same, and which are narrower.


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (MetadataQuery(("A*",)), MetadataQuery(("a*",))),
        (
            MetadataQuery(types=CommandType.DEFAULT),
            MetadataQuery(types=CommandType.DEFAULT & ~CommandType.WORKFLOW),
        ),
        (views("*"), command("GET-FORMATDATA", powershellversion="1", TypeName="*")),
        (Script("x", (("a", 1),)), Script("x", (("A", (1,)),))),
    ],
    ids=str,
)
def test_questions_that_are_the_same(one: Question, other: Question) -> None:
    assert identity(one) == identity(other)


@pytest.mark.parametrize(
    ("wide", "asked"),
    [
        (MetadataQuery(("Get-*",)), MetadataQuery(("Set-*",))),
        (MetadataQuery(("Get-*",)), MetadataQuery(("*",))),
        (MetadataQuery(("Get-*",)), MetadataQuery(("Get-A*", "Set-A"))),
        (MetadataQuery(modules=("A",)), MetadataQuery()),
        (MetadataQuery(arguments=(1,)), MetadataQuery(("A",))),
        (command("Get-Help", Name="A"), command("Get-Help", Name="B")),
        (command("Get-Help", Name="A"), command("Get-Help")),
        (command("Get-Help", Name="A"), command("Get-Process", Name="A")),
        (command("Get-Command", CommandType="Alias"), command("Get-Command")),
        (command("Get-Command"), command("Get-Command", CommandType="Nonsense")),
        (Script("1"), Script("2")),
        (command("Get-Command"), Script("Get-Command")),
        (
            Commands((Call("Get-Help"), Call("Measure-Object"))),
            command("Get-Help", Name="A"),
        ),
    ],
    ids=str,
)
def test_questions_that_are_not_narrower(wide: Question, asked: Question) -> None:
    assert narrow(wide, asked) is None


# The host that comes with the package.


def test_the_demo_host() -> None:
    with connect(parse("demo")) as session:
        assert session.name == "demo"
        commands = names_of(ask(session, MetadataQuery()), "Name")
        assert "Get-Date" in commands
        assert names_of(ask(session, MetadataQuery(("get-da*",))), "Name") == [
            "Get-Date"
        ]
        assert len(ask(session, views("*"))) > 100


def test_the_demo_host_names_no_machine() -> None:
    path = resources.files("psexport") / "data" / "demo.jsonl.gz"
    told = gzip.decompress(path.read_bytes()).decode()
    for word in ("/root", "/home/", "/tmp/", "/work"):
        assert word not in told.replace("/home/admin", "")


def test_the_script_that_records_hosts(tmp_path: Path) -> None:
    """Recorded from the demo host, a host answers the same again."""
    path = tmp_path / "again.jsonl.gz"
    command = [sys.executable, str(SCRIPT), "demo", str(path), "--note", "again"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    with connect(parse("demo")) as one, connect(parse(f"replay:{path}")) as other:
        assert ask(one, MetadataQuery()) == ask(other, MetadataQuery())
        assert one.greeting.private_data == other.greeting.private_data


def test_the_script_says_what_is_wrong(tmp_path: Path) -> None:
    command = [sys.executable, str(SCRIPT), "replay:/no/such", str(tmp_path / "x")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "ErrorRecordingUnreadable" in done.stderr
    assert list(tmp_path.iterdir()) == []
