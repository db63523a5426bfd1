"""Anything may come: what is read, bound and made of it is a value or a clear error.

``scripts/fuzz`` runs these for longer, with seeds of its own.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

import psexport
from clixml_text import write
from command_records import count, metadata
from hostile.host import KINDS, Host, Parameter, Told, compact_records, session
from hostile.texts import TEXTS
from hostile.views import Views
from pieces_text import end, packed
from psexport import clixml
from psexport.cli import main
from psexport.cli.binder import bind
from psexport.cli.parameters import VERBS
from psexport.errors import PSExportError, UsageError
from psexport.fetch import FetchRequest, commands, topics, views
from psexport.fetch.records import Reader
from psexport.model import CommandType
from psexport.model import Host as HostFacts
from psexport.pslang import parse_literal


def refusal(work: Callable[[], object]) -> PSExportError | None:
    """How it was refused; ``None`` if it was not. Anything else is a mistake."""
    try:
        work()
    except PSExportError as error:
        return error
    return None


#: A harmless character, a hostile text, or anything that Python can hold.
TEXT = st.one_of(
    st.sampled_from(["Name", "name", "Get-It", "A", "B", "AsJob", ""]),
    st.sampled_from(list(TEXTS.values())).filter(lambda text: len(text) < 300),
    st.text(max_size=20),
)
TEXTS_OF = st.lists(TEXT, max_size=3)
PARAMETER = st.builds(
    Parameter,
    name=TEXT,
    type=st.one_of(st.sampled_from(["System.String", "System.Int32[]"]), TEXT),
    aliases=TEXTS_OF,
    sets=st.one_of(st.just(("__AllParameterSets",)), TEXTS_OF),
    position=st.integers(-(2**31), 2**40),
    enum=TEXTS_OF,
    values=TEXTS_OF,
    checks=st.lists(
        st.tuples(
            st.sampled_from(
                ["ValidateRange", "ValidateCount", "ValidatePattern", "HostOnly", "?"]
            ),
            TEXT,
            TEXT,
        ),
        max_size=2,
    ),
    completions=TEXTS_OF,
)
TOLD = st.builds(
    Told,
    name=TEXT,
    parameters=st.lists(PARAMETER, max_size=4),
    kind=st.sampled_from(sorted(KINDS)),
    module=TEXT,
    help_uri=TEXT,
    resolved=TEXT,
    outputs=TEXTS_OF,
    default_set=TEXT,
    impact=TEXT,
)
HOST = st.builds(
    Host,
    commands=st.lists(TOLD, max_size=5),
    views=st.lists(st.builds(Views, TEXT, TEXT), max_size=1),
    facts=st.dictionaries(st.sampled_from(["Version", "UiCulture", "Os"]), TEXT),
)


@given(HOST, st.sampled_from(["compact", "portable"]), st.booleans())
def test_any_host_is_a_module_or_an_error(host: Host, road: str, code: bool) -> None:
    made: list[psexport.ExportResult] = []
    with tempfile.TemporaryDirectory() as folder:

        def export() -> None:
            result = psexport.export(
                session(host, road),
                Path(folder, "X"),
                command_type=CommandType.ALL,
                format_type_name="*",
                allow_clobber=True,
                include_script_block=code,
            )
            made.append(result)

        error = refusal(export)
        assert error is None or error.id.startswith("Error")
        assert list(Path(folder).iterdir()) == [one.module for one in made]
        for result in made:
            names = [name.upper() for name in result.commands]
            assert len(set(names)) == len(names)
            for path in result.module.rglob("*.*xml"):
                etree.parse(path)


NODES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), TEXT
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(TEXT, inner, max_size=4)
    ),
    max_leaves=20,
)


def mutated(data: bytes, changes: list[tuple[int, bytes]]) -> bytes:
    """The data with a few places overwritten."""
    for at, new in changes:
        at %= len(data)
        data = data[:at] + new + data[at + len(new) :]
    return data


CHANGES = st.lists(
    st.tuples(
        st.integers(0, 2**16),
        st.one_of(
            st.binary(max_size=4),
            st.sampled_from(
                [b"<Obj>", b"</Obj>", b"<Nil/>", b'RefId="0"', b"<Ref/>", b"<LST>"]
            ),
        ),
    ),
    max_size=4,
)
DOCUMENTS = [
    metadata("Get-It", "Cmdlet", {"Name": ("System.String", "n")}),
    count(3),
    Views("Some.Type", "x").document(),
    write({"a": [1, "b", None, {"c": True}]}),
]


@given(st.sampled_from(DOCUMENTS), CHANGES)
def test_a_damaged_document_is_read_or_refused(
    document: bytes, changes: list[tuple[int, bytes]]
) -> None:
    data = mutated(document, changes)
    clixml.error(data)
    for read in (
        lambda: clixml.parse(data).value(clixml.parse(data).root),
        lambda: commands.command(clixml.parse(data)),
        lambda: commands.shown(clixml.parse(data)),
        lambda: commands.expected(clixml.parse(data)),
        lambda: views.decode(data),
        lambda: topics.from_topic("Get-It", data),
        lambda: topics.from_comment("Get-It", data, []),
    ):
        error = refusal(read)
        assert error is None or isinstance(error, clixml.MalformedError)


@given(NODES)
def test_any_value_is_no_command_or_one(value: object) -> None:
    data = write(value)
    for read in (commands.command, commands.shown, commands.expected):
        refusal(lambda: read(clixml.parse(data)))  # noqa: B023 - called at once
    refusal(lambda: views.decode(data))
    refusal(lambda: topics.from_topic("Get-It", data))


RECORDS = compact_records(Host([Told("Get-It"), Told("Set-It")], [Views("T", "x")]))
KIND = st.sampled_from(
    [
        "type",
        "parameter",
        "command",
        "view",
        "help",
        "comment",
        "module",
        "failed",
        "problem",
        "expect",
        "end",
        "other",
    ]
)
RECORD = st.one_of(
    st.sampled_from(RECORDS),
    st.builds(lambda kind, rest: [kind, *rest], KIND, st.lists(NODES, max_size=6)),
)


@given(st.lists(RECORD, max_size=6), st.booleans())
def test_any_records_are_a_catalogue_or_an_error(
    records: list[Any], ends: bool
) -> None:
    if ends:
        records = [*records, end(*(one for one in records if one[0] != "end"))]
    told = json.dumps({"psexport": 1, "piece": 0, "records": records})
    reader = Reader(lambda event: None)

    def read() -> None:
        reader.take(packed(gzip.compress(told.encode(), 1)))
        reader.catalogue(FetchRequest(), HostFacts())

    error = refusal(read)
    assert error is None or error.id.startswith("Error")


@given(st.binary(max_size=200))
def test_any_bytes_are_a_piece_or_an_error(data: bytes) -> None:
    for document in (data, b"<BA>%b</BA>" % base64.b64encode(data), packed(data)):
        reader = Reader(lambda event: None)
        error = refusal(lambda: reader.take(document))  # noqa: B023 - called at once
        assert error is None or error.id == "ErrorMalformedDataFromRemoteCommand"


NAMES = sorted({f"-{one.name}" for verb in VERBS for one in verb.parameters})
WORD = st.one_of(
    st.sampled_from(NAMES),
    st.sampled_from(
        [
            *[
                "@{",
                "}",
                "(",
                ")",
                "@(",
                ",",
                ";",
                "'",
                '"',
                "$true",
                "$null",
                ":",
                "--",
                "-",
            ],
            "a,b",
            "@{a='b'}",
            "-X:",
        ]
    ),
    st.builds(
        lambda name, cut, value: f"{name[:cut]}:{value}",
        st.sampled_from(NAMES),
        st.integers(2, 9),
        TEXT,
    ),
    TEXT,
)


@given(st.sampled_from(VERBS), st.lists(WORD, max_size=8))
def test_any_words_are_bound_or_refused(verb: Any, words: list[str]) -> None:
    error = refusal(lambda: bind(verb, words))
    assert error is None or (error.exit_code == 2 and error.id)


@given(st.text(alphabet="a1'\"`$@{}(),; =.-ekb\u2018\u201d\n", max_size=30))
def test_any_literal_is_read_or_refused(text: str) -> None:
    error = refusal(lambda: parse_literal(text))
    assert error is None or (isinstance(error, UsageError) and error.hint)


@given(st.lists(st.one_of(st.sampled_from(NAMES), TEXT), max_size=4))
def test_any_command_line_is_a_line_and_a_code(words: list[str]) -> None:
    """Whatever is typed, one line says what is wrong with it."""
    stdout, stderr = io.StringIO(), io.StringIO()
    code = main(["replay:/nowhere/at all", "./X", *words], stdout, stderr)
    if stdout.getvalue():
        assert code == 0  # help was asked for
        return
    assert code in (1, 2)
    assert stderr.getvalue().splitlines()[-1].startswith("psexport: ")
    assert "Traceback" not in stderr.getvalue() or "-Debug" in str(words)
