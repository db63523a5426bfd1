"""A real PowerShell as host: what the fakes take for granted."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from psexport import clixml
from psexport.connection import parse
from psexport.errors import TransportError
from psexport.model import CommandType
from psexport.pslang import parse_literal
from psexport.transport import connect, local
from psexport.transport.base import (
    Argument,
    Call,
    Commands,
    Limits,
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

LIMITS = Limits(open=60, silence=60, close=5)

RESTRICTED = """@{
SchemaVersion = '2.0.0.0'
GUID = '6b2cd8b9-1b2c-4b53-a6f5-0a3f1c5f3a10'
SessionType = 'RestrictedRemoteServer'
LanguageMode = 'NoLanguage'
VisibleCmdlets = 'Get-Date'
}
"""


@pytest.fixture(scope="module")
def host(pwsh: str) -> Iterator[Session]:
    with connect(parse(f"pwsh:{pwsh}"), limits=LIMITS) as session:
        yield session


def ask(session: Session, question: Question) -> list[Record]:
    with session.ask(question) as answer:
        return list(answer)


def run(session: Session, script: str, **parameters: Argument) -> list[str]:
    """The output of a script, as texts."""
    records = ask(session, Script(script, tuple(parameters.items())))
    assert records[-1].state is PipelineState.COMPLETED, records
    return [
        clixml.text(clixml.parse(record.data).root)
        for record in records
        if record.stream is Stream.OUTPUT
    ]


@pytest.mark.engine
def test_the_greeting(host: Session) -> None:
    assert len(host.greeting.runspace_id) == 36
    assert host.greeting.runspaces == local.RUNSPACES
    doc = clixml.parse(host.greeting.private_data)
    told = doc.value(doc.root)
    assert isinstance(told, dict)
    assert "PSVersionTable" in str(told)
    # It is the runspace that a module would look for.
    (script,) = run(host, "$PSSenderInfo.ApplicationArguments.ClientName")
    assert script == "psexport"


@pytest.mark.engine
def test_arguments_arrive_as_they_were_given(host: Session) -> None:
    values: dict[str, Argument] = {
        "Text": "a ’quoted‘ _x0041_ \x1f\n😀",
        "Number": 2**40,
        "Real": 0.1,
        "Truth": True,
        "Nothing": None,
        "Version": Version("5.1"),
        "List": ("a", 1),
    }
    script = """
        param($Text, $Number, $Real, $Truth, $Nothing, $Version, $List)
        $Text; $Number; $Real.ToString('R'); $Truth -is [bool]; $null -eq $Nothing
        $Version.GetType().Name; $List.Count
    """
    assert run(host, script, **values) == [
        values["Text"],
        str(2**40),
        "0.1",
        "true",
        "true",
        "Version",
        "2",
    ]


@pytest.mark.engine
def test_every_stream(host: Session) -> None:
    records = ask(
        host,
        Script(
            "$VerbosePreference = $DebugPreference = 'Continue';"
            "1; Write-Error e; Write-Warning w; Write-Verbose v; Write-Debug d;"
            "Write-Information i; Write-Progress p; throw 'last'"
        ),
    )
    assert {record.stream for record in records} == set(Stream)
    assert records[-1].state is PipelineState.FAILED
    assert clixml.error(records[-1].data).message == "last"


@pytest.mark.engine
def test_a_prompt_is_refused_at_once(host: Session) -> None:
    records = ask(host, Script("Read-Host 'Password'"))
    streams = [record.stream for record in records]
    assert Stream.ERROR in streams or records[-1].state is PipelineState.FAILED


@pytest.mark.engine
def test_a_pipeline_of_commands(host: Session) -> None:
    calls = (
        Call("Get-Command", (("CommandType", "Cmdlet"), ("Name", ("Get-H*",)))),
        Call("Select-Object", (("Property", "Name"),)),
    )
    records = ask(host, Commands(calls))
    assert records[-1].state is PipelineState.COMPLETED
    assert any(b"Get-Help" in record.data for record in records)


@pytest.mark.engine
@pytest.mark.parametrize(
    ("question", "names"),
    [
        (MetadataQuery(("Get-History",), CommandType.CMDLET), 1),
        (MetadataQuery(("No-Such-Thing",)), 0),
        (
            MetadataQuery(
                ("Get-Date",),
                full_modules=(ModuleSpec("Microsoft.PowerShell.Utility", "1.0"),),
            ),
            1,
        ),
        (
            MetadataQuery(
                ("Get-Date",),
                full_modules=(ModuleSpec("Microsoft.PowerShell.Utility", "999.0"),),
            ),
            0,
        ),
    ],
    ids=str,
)
def test_command_metadata(host: Session, question: Question, names: int) -> None:
    records = ask(host, question)
    assert records[-1].state is PipelineState.COMPLETED, clixml.error(records[-1].data)
    # The first record is the count.
    assert len(records) == names + 2


@pytest.mark.engine
def test_questions_run_beside_each_other(host: Session, tmp_path: Path) -> None:
    """Each waits until all are there, which would take for ever in turns."""
    script = """
        param($Folder, $Name, $All)
        New-Item -Path "$Folder/$Name" -ItemType File | Out-Null
        foreach ($turn in 1..300) {
            if ([IO.Directory]::GetFiles($Folder).Count -eq $All) { 'met'; break }
            Start-Sleep -Milliseconds 100
        }
    """
    all = local.RUNSPACES
    answers = [
        host.ask(
            Script(script, (("Folder", str(tmp_path)), ("Name", str(n)), ("All", all)))
        )
        for n in range(all)
    ]
    for answer in answers:
        with answer:
            assert [record.data for record in answer] == [b"<S>met</S>", b""]


@pytest.mark.engine
def test_one_after_another_meets_the_same_runspace(host: Session) -> None:
    for number in range(10):
        run(host, f"$global:x = {number}")
        assert run(host, "$global:x") == [str(number)]


@pytest.mark.engine
def test_leaving_early_stops_an_endless_pipeline(host: Session) -> None:
    with host.ask(Script("while ($true) { 1 }")) as answer:
        for record, _ in zip(answer, range(5), strict=False):
            assert record.data == b"<I32>1</I32>"
    assert run(host, "2") == ["2"]


@pytest.mark.engine
def test_a_flood_behind_another_question(host: Session) -> None:
    """More than the buffer holds, and one thread that reads the other first."""
    flood = host.ask(Script("1..40 | % { 'x' * 1000000 }"))
    assert run(host, "'small'") == ["small"]
    with flood:
        assert len(list(flood)) == 41


@pytest.mark.engine
def test_a_large_question(host: Session) -> None:
    """Longer than a fragment, both ways."""
    text = "é" * 200_000
    assert run(host, "param($Text) $Text", Text=text) == [text]


@pytest.mark.engine
def test_a_restricted_endpoint(pwsh: str, tmp_path: Path) -> None:
    file = tmp_path / "r.pssc"
    file.write_text(RESTRICTED)
    connection = parse(f"pwsh:{pwsh}", {"ConfigurationFile": file})
    with connect(connection, limits=LIMITS) as session:
        (refused,) = ask(session, Script("1"))
        assert clixml.error(refused.data).id == "ScriptsNotAllowed"
        (unknown,) = ask(session, Commands((Call("Get-Item"),)))
        assert clixml.error(unknown.data).id == "CommandNotFoundException"
        assert len(ask(session, MetadataQuery(("Get-Date",)))) == 3


@pytest.mark.engine
@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "Could not find"), ("@{ SchemaVersion='2.0.0.0'; x", "Missing")],
)
def test_a_configuration_that_cannot_be_read(
    pwsh: str, tmp_path: Path, content: str | None, words: str
) -> None:
    file = tmp_path / "r.pssc"
    if content is not None:
        file.write_text(content)
    connection = parse(f"pwsh:{pwsh}", {"ConfigurationFile": str(file)})
    with pytest.raises(TransportError) as caught:
        connect(connection, limits=LIMITS)
    # The process hangs, but that is not waited for: it would be ErrorSessionTimeout.
    assert caught.value.id == "ErrorSessionOpen"
    assert words in caught.value.message


@pytest.mark.engine
def test_a_host_that_is_killed_in_the_middle(pwsh: str) -> None:
    with connect(parse(f"pwsh:{pwsh}"), limits=LIMITS) as session:
        (pid,) = run(session, "$PID")
        killer = threading.Timer(0.5, session._process._popen.kill)  # type: ignore[attr-defined]
        killer.start()
        with pytest.raises(TransportError) as caught:
            ask(session, Script("while ($true) { Start-Sleep 1 }"))
        assert caught.value.id == "ErrorSessionBroken"
        assert int(pid) > 0
        killer.join()


def test_where_the_program_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    tail = ["-s", "-NoLogo", "-NoProfile"]
    assert local.command(parse("pwsh:/x"), {}) == ["/x", *tail]
    assert local.command(parse("pwsh:"), {"PSEXPORT_PWSH": "/y"}) == ["/y", *tail]
    monkeypatch.setattr("shutil.which", lambda name: f"/bin/{name}")
    assert local.command(parse("pwsh:"), {}) == ["/bin/pwsh", *tail]
    connection = parse("pwsh:/x?ConfigurationFile=c.pssc&Argument=-a&Argument=b")
    assert local.command(connection, {})[4:] == [
        "-ConfigurationFile",
        "c.pssc",
        "-a",
        "b",
    ]
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(TransportError) as caught:
        local.command(parse("pwsh:"), {})
    assert caught.value.id == "ErrorPowerShellNotFound"


@pytest.mark.engine
@pytest.mark.parametrize(
    "said", [{}, {"DOTNET_TieredPGO": "1", "DOTNET_gcServer": "0"}]
)
def test_a_host_is_tuned_for_a_short_life_unless_it_is_told_otherwise(
    pwsh: str, monkeypatch: pytest.MonkeyPatch, said: dict[str, str]
) -> None:
    for name in local.ENVIRONMENT:
        monkeypatch.delenv(name, raising=False)
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    with connect(parse(f"pwsh:{pwsh}"), limits=LIMITS) as session:
        told = run(
            session,
            "Get-ChildItem env:DOTNET_* | ForEach-Object { $_.Name + '=' + $_.Value }",
        )
    settings = dict(one.split("=", 1) for one in told)
    assert settings.items() >= {**local.ENVIRONMENT, **said}.items()


@pytest.mark.engine
def test_a_local_host_learns_no_password(
    pwsh: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PSEXPORT_PASSWORD", "PSEXPORT_CERTIFICATE_PASSWORD"):
        monkeypatch.setenv(name, "hunter2")
    monkeypatch.setenv("PSEXPORT_OTHER", "seen")
    with connect(parse(f"pwsh:{pwsh}"), limits=LIMITS) as session:
        told = run(session, "Get-ChildItem env: | ForEach-Object Value")
    assert "seen" in told
    assert "hunter2" not in told


@pytest.mark.parametrize(
    ("written", "type_name"),
    [
        ("5", "Int32"),
        ("5l", "Int64"),
        ("5000000000", "Int64"),
        ("5y", "SByte"),
        ("5uy", "Byte"),
        ("5s", "Int16"),
        ("5us", "UInt16"),
        ("5u", "UInt32"),
        ("5ul", "UInt64"),
        ("1.5", "Double"),
        ("1.5d", "Decimal"),
        ("0.1d", "Decimal"),
        ("2kb", "Int32"),
    ],
)
def test_a_number_arrives_as_powershell_types_it(
    host: Session, written: str, type_name: str
) -> None:
    number = parse_literal(written)
    assert isinstance(number, int | float | Decimal)
    kind, value = run(host, "param($N) $N.GetType().Name; [string] $N", N=number)
    assert (kind, float(value)) == (type_name, float(number))
