"""Hosts that do not stop: a program, so that the memory that they take can be measured.

``flood.py`` exports from each of the hosts in a process of its own and prints a line of
JSON for each: what it came to, and the most memory that was in use. The slow ones meet
limits that are a fortieth of ours, unless ``--whole`` is given.
"""

from __future__ import annotations

import base64
import gzip
import itertools
import json
import os
import resource
import signal
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import psexport
from clixml_text import write
from command_records import count, metadata
from fake_session import COMPLETED, FakeSession, error_record, failure, output
from hostile.host import INNOCENT, LAST, Host, compact_records, session
from hostile.views import Views
from pieces_text import command, end, packed, piece
from psexport.fetch import compact, interview, records
from psexport.fetch import pieces as pieces_
from psexport.fetch import portable as portable_road
from psexport.transport.base import PipelineState, Question, Record, Script, Stream

Records = Iterator[Record]

_COMMAND = metadata("Get-It")
_ERROR = error_record("no " * 3_000)
#: Long enough that nobody would keep many.
_WORDS = write("word " * 2_000)


def of(stream: Stream, data: bytes) -> Records:
    """The same record for ever."""
    return itertools.repeat(Record(stream, data))


def outputs(*documents: bytes) -> Records:
    return (Record(Stream.OUTPUT, data) for data in documents)


def many(amount: int, data: bytes) -> Records:
    yield from itertools.repeat(Record(Stream.OUTPUT, data), amount)
    yield COMPLETED


def numbered() -> Records:
    """Commands without end, no two of one name."""
    for number in itertools.count():
        yield Record(Stream.OUTPUT, metadata(f"Get-It{number}"))


def portable(**answers: Any) -> FakeSession:
    """A host without scripts; an answer is a function, to be had more than once."""
    made = session(Host([INNOCENT, LAST], [Views("Some.Type", "x")]), "portable")
    made._answers |= {name.replace("_", "-"): told for name, told in answers.items()}
    return made


def scripted(answer: Callable[[], Records]) -> FakeSession:
    """A host whose answer to the compact road's script this is."""
    made = session(Host([INNOCENT, LAST]), "compact")
    facts = made._answers["script"]

    def script(question: Question) -> Any:
        assert isinstance(question, Script)
        return answer() if question.text == compact.SCRIPT else facts(question)  # type: ignore[operator]

    made._answers["script"] = script
    return made


def deep(depth: int) -> bytes:
    return b"<Obj><MS>" * depth + b"</MS></Obj>" * depth


def wide(name: bytes = b"x") -> bytes:
    """A record that unfolds: 400,000 properties."""
    return b"<Obj><MS>" + b'<S N="%b"/>' % name * 400_000 + b"</MS></Obj>"


def bomb() -> bytes:
    """Entities in entities: a billion laughs."""
    entities = "".join(
        f'<!ENTITY l{i} "{f"&l{i - 1};" * 10 if i else "lol"}">' for i in range(12)
    )
    return f"<!DOCTYPE x [{entities}]><S>&l11;</S>".encode()


def unfolding() -> bytes:
    """A gigabyte, compressed."""
    packer = zlib.compressobj(wbits=31)
    packed = [packer.compress(bytes(10**6)) for _ in range(1_000)]
    return b"".join([*packed, packer.flush()])


def pieces(number_of: int, records: list[Any]) -> Records:
    for number in range(number_of):
        yield Record(Stream.OUTPUT, piece(records, number))
    yield COMPLETED


def types_without_end() -> Records:
    records = [["type", "System.String", ["value"] * 50, 0]] * 20_000
    yield from pieces(100_000, records)


HOSTS: dict[str, Callable[[], FakeSession]] = {
    # tiny records, by the million
    "tiny records": lambda: portable(metadata=lambda q: many(1_000_000, b"<S>x</S>")),
    "tiny commands": lambda: portable(metadata=lambda q: many(1_000_000, _COMMAND)),
    "commands": lambda: portable(metadata=lambda q: numbered()),
    "tiny sets": lambda: portable(sets=lambda q: many(1_000_000, b"<S>x</S>")),
    "tiny views": lambda: portable(Get_FormatData=lambda q: many(10**6, b"<S>x</S>")),
    "tiny modules": lambda: portable(Get_Module=lambda q: many(10**6, b"<S>x</S>")),
    "tiny help": lambda: portable(Get_Help=lambda q: many(10**6, b"<S>x</S>")),
    # no end
    "output of facts": lambda: portable(script=lambda q: of(Stream.OUTPUT, _WORDS)),
    "errors": lambda: portable(metadata=lambda q: of(Stream.ERROR, _ERROR)),
    "warnings": lambda: portable(metadata=lambda q: of(Stream.WARNING, _WORDS)),
    "progress": lambda: portable(metadata=lambda q: of(Stream.PROGRESS, _WORDS)),
    "debug": lambda: portable(Get_FormatData=lambda q: of(Stream.DEBUG, _WORDS)),
    "loading": lambda: portable(Import_Module=lambda q: of(Stream.OUTPUT, _WORDS)),
    # too much at once
    "200 MB": lambda: portable(
        metadata=lambda q: outputs(b"<S>" + b"x" * 200_000_000 + b"</S>")
    ),
    "200 MB of an error": lambda: portable(
        metadata=lambda q: [
            Record(Stream.ERROR, b"<S>" + b"x" * 200_000_000 + b"</S>"),
            *output(count(1), _COMMAND),
        ]
    ),
    "200 MB of a failure": lambda: portable(
        metadata=lambda q: [
            Record(Stream.STATE, b"x" * 200_000_000, PipelineState.FAILED)
        ]
    ),
    "a wide record": lambda: portable(metadata=lambda q: many(3, wide())),
    "a deep record": lambda: portable(metadata=lambda q: many(20, deep(100_000))),
    "a bomb": lambda: portable(metadata=lambda q: many(20, bomb())),
    "private data": lambda: _private(wide()),
    "private data that is a bomb": lambda: _private(bomb()),
    # the compact road
    "pieces without records": lambda: scripted(lambda: pieces(1_000_000, [])),
    "types without end": lambda: scripted(types_without_end),
    "a piece that unfolds": lambda: scripted(lambda: many(1, packed(unfolding()))),
    "a piece of brackets": lambda: scripted(
        lambda: many(1, packed(gzip.compress(b"[" * 15_000_000)))
    ),
    "a piece of 200 MB": lambda: scripted(
        lambda: many(1, b"<BA>" + base64.b64encode(bytes(150_000_000)) + b"</BA>")
    ),
    "commands without end": lambda: scripted(
        lambda: pieces(100_000, [command(f"Get-It{i}") for i in range(5_000)])
    ),
    "failures without end": lambda: scripted(
        lambda: pieces(100_000, [["failed", ["x", "y" * 5_000]]] * 500)
    ),
    "problems without end": lambda: scripted(
        lambda: pieces(100_000, [["problem", ["x", "y" * 5_000]]] * 500)
    ),
    # an answer that is not whole, or not what it says
    "no end": lambda: portable(metadata=lambda q: outputs(count(1), _COMMAND)),
    "failed after half": lambda: portable(
        metadata=lambda q: [*output(count(2), _COMMAND)[:-1], *failure("enough")]
    ),
    "stopped after half": lambda: portable(
        metadata=lambda q: [
            *output(count(2), _COMMAND)[:-1],
            Record(Stream.STATE, b"", PipelineState.STOPPED),
        ]
    ),
    "half of the pieces": lambda: scripted(
        lambda: iter(output(*map(piece, [compact_records(Host([LAST]))])))
    ),
    "pieces out of order": lambda: scripted(
        lambda: iter(output(piece([], 1), piece([end()], 0)))
    ),
    # which costs nothing, as what came is what counts
    "fewer than announced": lambda: portable(
        metadata=lambda q: output(count(1_000), _COMMAND)
    ),
    "more than announced": lambda: portable(
        metadata=lambda q: output(count(-3), _COMMAND, _COMMAND)
    ),
    "announced twice": lambda: portable(
        metadata=lambda q: output(count(3), _COMMAND, count(10**18))
    ),
    "sets failed after half": lambda: portable(
        sets=lambda q: [*output(_COMMAND)[:-1], *failure("enough")]
    ),
}


def _private(data: bytes) -> FakeSession:
    made = session(Host([INNOCENT, LAST]), "portable")
    made.greeting = type(made.greeting)("c0ffee", data, 1)
    return made


#: What takes long to come to our limits, which are therefore made smaller.
SLOW = {
    "tiny commands",
    "commands",
    "tiny help",
    "pieces without records",
    "types without end",
    "commands without end",
    "problems without end",
    "a wide record",
}
_SECONDS = 120


def run(name: str, folder: Path) -> dict[str, Any]:
    """Export from a host; what it came to."""
    came_to: dict[str, Any] = {"host": name, "id": "", "commands": [], "skipped": []}
    try:
        result = psexport.export(
            HOSTS[name](),
            folder / "X",
            allow_clobber=True,
            module="x",
            format_type_name="*",
        )
        came_to["commands"] = result.commands
        came_to["skipped"] = sorted({one.id for one in result.skipped})
    except psexport.PSExportError as error:
        came_to["id"] = error.id
    came_to["made"] = sorted(path.name for path in folder.iterdir())
    return came_to


def measured(name: str, whole: bool) -> dict[str, Any]:
    """Do that in a process of its own, and say what it took."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(_SECONDS)
        if name in SLOW and not whole:
            for module, limit in LIMITS:
                setattr(module, limit, getattr(module, limit) // 40)
        before = _most_memory()
        with tempfile.TemporaryDirectory() as folder:
            came_to = run(name, Path(folder))
        came_to["memory"] = _most_memory() - before
        os.write(writer, json.dumps(came_to).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as answer:
        said = answer.read()
    os.waitpid(child, 0)
    return json.loads(said) if said else {"host": name, "id": "it never ended"}


LIMITS = (
    (portable_road, "MAX_COMMANDS"),
    (interview, "MAX_ANSWER_RECORDS"),
    (records, "MAX_RECORDS"),
    (pieces_, "MAX_ANSWER"),
)


def _most_memory() -> int:
    """The most memory that this process ever had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


if __name__ == "__main__":
    for one in HOSTS:
        print(json.dumps(measured(one, "--whole" in sys.argv)), flush=True)
