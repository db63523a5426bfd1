"""PowerShell over remote shells, and what its processes may write."""

from __future__ import annotations

import base64
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from psexport.errors import RemoteError, TransportError
from psexport.transport import winrs
from psexport.transport.base import (
    Call,
    Commands,
    Limits,
    MetadataQuery,
    PipelineState,
    Record,
    Script,
    Session,
    Stream,
    Version,
)
from windows_host import ask, connect, output, spec
from wsman_server import WsmanServer
from wsman_server.clients import wait_until

engine = pytest.mark.engine


@pytest.fixture(scope="module")
def server(pwsh: str) -> Iterator[WsmanServer]:
    with WsmanServer(pwsh=pwsh, auth=["ntlm"]) as started:
        yield started


@pytest.fixture
def session(server: WsmanServer) -> Iterator[Session]:
    where = spec(server, kind="winrs", Authentication="NTLM")
    with connect(where) as opened:
        yield opened
    assert not server.open_shells


@engine
def test_streams_are_told_apart(session: Session) -> None:
    records = ask(
        session,
        Script(
            "1; Write-Error 'e €'; Write-Warning w; Write-Verbose v -Verbose;"
            "Write-Information i; $null; throw 'no'"
        ),
    )
    assert [each.stream for each in records] == [
        *(Stream.OUTPUT, Stream.ERROR, Stream.WARNING, Stream.VERBOSE),
        *(Stream.INFORMATION, Stream.OUTPUT, Stream.STATE),
    ]
    assert records[0].data == b"<I32>1</I32>"
    assert "e €" in records[1].data.decode()
    assert records[-2].data == b"<Nil />"
    assert records[-1].state is PipelineState.FAILED
    assert b">no<" in records[-1].data
    good = ask(session, Script("# nothing"))
    assert good == [Record(Stream.STATE, b"", PipelineState.COMPLETED)]


HOSTILE = "it's ‘x’ $(throw 1) `\" %PATH% & | > ^ \r\n\t\0 😀 }}"


@engine
def test_parameters_arrive_as_they_are(session: Session) -> None:
    script = (
        "param($Text, [int] $Number, $Yes, $None, $Version, [string[]] $Many, $Rest)\n"
        "$Text; $Number; $Yes; $null -eq $None; $Version.GetType().Name; $Many.Count;"
        "$Many[1]; $Rest"
    )
    parameters = (
        ("Text", HOSTILE),
        ("Number", 42),
        ("Yes", True),
        ("None", None),
        ("Version", Version("1.2.3")),
        ("Many", ("a", HOSTILE)),
        ("Rest", 1.5),
    )
    said = output(ask(session, Script(script, parameters)))
    assert said[1:6] == [
        *(b"<I32>42</I32>", b"<B>true</B>", b"<B>true</B>", b"<S>Version</S>"),
        b"<I32>2</I32>",
    ]
    assert said[0] == said[6]
    assert "‘x’ $(throw 1)" in said[0].decode()
    assert said[7] == b"<Db>1.5</Db>"


@engine
def test_scripts_and_answers_of_any_length(session: Session) -> None:
    text = "größer €\n" * 20_000
    said = output(ask(session, Script(f"'{text}'.Length; 'ü' * 3MB; # {text!r}")))
    assert said == [b"<I32>180000</I32>", f"<S>{'ü' * 3 * 1024 * 1024}</S>".encode()]


@engine
def test_commands_are_put_in_a_pipeline(session: Session) -> None:
    question = Commands(
        (
            Call("Get-Command", (("Name", ("Get-Date", "Get-It's")),)),
            Call("Select-Object", (("Property", ("Name",)),)),
        )
    )
    records = ask(session, question)
    assert [each.stream for each in records].count(Stream.ERROR) == 1
    (found,) = output(records)
    assert b">Get-Date<" in found


@engine
def test_what_a_shell_cannot_be_asked(session: Session) -> None:
    with pytest.raises(RemoteError) as caught:
        session.ask(MetadataQuery())
    assert caught.value.id == "ErrorRequiredRemoteCommandNotFound"


@engine
def test_answers_are_left_and_several(session: Session, server: WsmanServer) -> None:
    forever = "1; while ($true) { [Threading.Thread]::Sleep(50) }"
    with session.ask(Script(forever)) as first:
        assert next(iter(first)).data == b"<I32>1</I32>"
        assert output(ask(session, Script("2"))) == [b"<I32>2</I32>"]
    (shell,) = server.open_shells
    wait_until(lambda: not shell.commands)
    answer = session.ask(Script(forever))
    threading.Timer(0.3, answer.stop).start()
    assert list(answer)[-1].state is PipelineState.STOPPED


@engine
def test_no_powershell(tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.write_text(
        "#!/bin/sh\necho \"'powershell' is not recognized\" >&2\nexit 9\n"
    )
    broken.chmod(0o755)
    for program, words in (
        (str(broken), "(exit code 9), saying: 'powershell' is not recognized"),
        (str(tmp_path / "none"), "cannot find the program"),
        ("/bin/true", "(exit code 0)"),
    ):
        with WsmanServer(pwsh=program, auth=["ntlm"]) as server:
            with connect(spec(server, kind="winrs", Authentication="NTLM")) as session:
                with pytest.raises(TransportError) as caught:
                    ask(session, Script("1"))
                assert words in caught.value.message
                assert caught.value.hint
            assert not server.open_shells


def test_a_closed_session_is_closed() -> None:
    with WsmanServer(auth=["ntlm"]) as server:
        session = connect(spec(server, kind="winrs", Authentication="NTLM"))
        session.close()
        session.close()
        assert not server.open_shells
        with pytest.raises(TransportError):
            session.ask(Script("1"))


# What a process writes


def line(kind: str, number: int, data: str) -> bytes:
    wrapped = f"<Objs Version='1.1.0.1'>\r\n  {data}</Objs>".encode()
    return f"{kind} {number} ".encode() + base64.b64encode(wrapped) + b"\r\n"


WRITTEN: dict[str, tuple[bytes, list[bytes], bool]] = {
    "nothing": (b"", [], False),
    "all": (
        line("Output", 1, "<S>a</S>") + line("Completed", 2, ""),
        [b"<S>a</S>"],
        True,
    ),
    "noise": (
        b"\xef\xbb\xbf#< CLIXML\r\nHello!\r\n"
        + line("Output", 1, "<S>a</S>")
        + b"Output\r\nOutput x y\r\nOdd 2 AAAA\r\n"
        + line("Failed", 2, "<S>why</S>")
        + b"<Objs></Objs>",
        [b"<S>a</S>"],
        True,
    ),
    "not base64": (b"Output 1 A\r\n", [], False),
    "no end of line": (line("Output", 1, "<S>a</S>")[:-2], [], False),
}


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize("row", WRITTEN.values(), ids=WRITTEN)
def test_lines(row: tuple[bytes, list[bytes], bool], size: int) -> None:
    written, expected, ended = row
    reader = winrs._Reader()
    found: list[Any] = []
    for at in range(0, len(written), size):
        found += reader.feed(written[at : at + size], b"")
    assert [each.data for each in found] == expected
    assert (reader.state is not None) == ended


@pytest.mark.parametrize("numbers", [(2,), (1, 3), (1, 1)])
def test_a_lost_line_is_seen(numbers: tuple[int, ...]) -> None:
    reader = winrs._Reader()
    with pytest.raises(TransportError) as caught:
        list(reader.feed(b"".join(line("Output", n, "") for n in numbers), b""))
    assert caught.value.id == "ErrorSessionBroken"


def test_last_words() -> None:
    reader = winrs._Reader()
    list(reader.feed(b"", b"x" * 20_000))
    error = b'#< CLIXML\r\n<Objs><S S="Error">no _x000D__x000A_ luck</S></Objs>'
    list(reader.feed(b"", error))
    assert reader.words() == "no luck"
    plain = winrs._Reader()
    list(plain.feed(b"just\x1b[31m words\n", b""))
    assert plain.words() == "just [31m words"


def test_a_line_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(winrs, "_MAX_LINE", 1000)
    reader = winrs._Reader()
    list(reader.feed(b"x" * 1000, b""))
    with pytest.raises(TransportError) as caught:
        list(reader.feed(b"x", b""))
    assert caught.value.id == "ErrorMessageTooLarge"


def test_the_command_line_is_short_enough() -> None:
    assert len(" ".join(("powershell", *winrs._arguments()))) < 8000
    assert Limits().silence > 0
