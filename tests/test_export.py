"""Export through the Python interface: from a session to files."""

from __future__ import annotations

import hashlib
import subprocess
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

import psexport
from authenticode import pki
from psexport import exporter
from psexport.authenticode import load_trust, verify_paths
from psexport.errors import UsageError
from psexport.events import Event, Message, Problem, Progress, Severity, ignore
from psexport.order import Order
from psexport.preparation import prepare
from recorded_host import write_recording


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recording(tmp_path_factory.mktemp("host"))


@pytest.fixture
def session(recording: Path) -> Iterator[psexport.Session]:
    with psexport.connect(f"replay:{recording}") as opened:
        yield opened


def test_what_comes_back_is_what_is_on_the_disk(
    session: psexport.Session, tmp_path: Path
) -> None:
    result = psexport.export(session, tmp_path / "X", command_name=["Get-T*", "gth"])
    assert result.module == tmp_path / "X"
    assert result.commands == ("Get-Thing",)
    assert result.aliases == ("gth",)
    assert result.formats == ()
    assert sorted(tmp_path.rglob("*.*")) == [file.path for file in result.files]
    for file in result.files:
        data = file.path.read_bytes()
        assert file.length == len(data)
        assert file.sha256 == hashlib.sha256(data).hexdigest()
        assert file.signature is None


def test_events_and_result_agree(session: psexport.Session, tmp_path: Path) -> None:
    events: list[Event] = []
    result = psexport.export(session, tmp_path / "X", on_event=events.append)
    problems = [event.skipped for event in events if isinstance(event, Problem)]
    assert result.errors == tuple(problems)
    assert {one.id for one in problems} == {
        "ErrorSkippedUnsafeCommandName",
        "ErrorCouldntResolveAlias",
    }
    assert set(result.errors) <= set(result.skipped)
    assert "Get-ChildItem" in {one.name for one in result.skipped}
    warnings = [
        event.text
        for event in events
        if isinstance(event, Message) and event.severity is Severity.WARNING
    ]
    assert result.warnings == tuple(warnings)
    assert any(isinstance(event, Progress) for event in events)


def test_a_listener_may_end_it(session: psexport.Session, tmp_path: Path) -> None:
    def stop(event: Event) -> None:
        if isinstance(event, Problem):
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        psexport.export(session, tmp_path / "X", on_event=stop)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "id"),
    [
        (
            {"module": "a", "fully_qualified_module": "b"},
            "ModuleAndFullyQualifiedModuleCannotBeSpecifiedTogether",
        ),
        ({"fully_qualified_module": {"ModuleName": "X"}}, "CannotConvert"),
        ({"command_type": "Nonsense"}, "CannotConvert"),
        ({"fidelity": "Half"}, "CannotConvert"),
        ({"command_name": 5}, "CannotConvert"),
        ({"module": ["A", 5]}, "CannotConvert"),
        ({"timestamp_server": "http://ts.example"}, "MissingMandatoryParameter"),
        ({"certificate_key": "code.key"}, "MissingMandatoryParameter"),
        ({"hash_algorithm": "SHA512"}, "MissingMandatoryParameter"),
        ({"module_version": "1"}, "CannotConvert"),
        ({"encoding": "nope"}, "ErrorUnknownEncoding"),
        ({"baseline": "nope"}, "ErrorBaseline"),
    ],
)
def test_what_makes_no_sense_is_refused_before_the_host_is_asked(
    options: dict[str, object], id: str, tmp_path: Path
) -> None:
    with pytest.raises(UsageError) as caught:
        psexport.export(Untouchable(), tmp_path / "X", **options)  # type: ignore[arg-type]
    assert caught.value.id.startswith(id)
    assert caught.value.hint
    assert list(tmp_path.iterdir()) == []


class Untouchable(psexport.Session):
    """A session that must not be asked."""

    name = "untouchable"

    def ask(self, question: object) -> object:  # type: ignore[override]
        raise AssertionError("it was asked")

    def close(self) -> None:
        pass


def test_a_module_that_is_there_is_an_error_before_the_host_is_asked(
    tmp_path: Path,
) -> None:
    with pytest.raises(psexport.PSExportError) as caught:
        psexport.export(Untouchable(), tmp_path)
    assert caught.value.id == "ExportProxyCommand_OutputDirectoryExists"


def test_a_captured_catalogue_builds_the_same(
    session: psexport.Session, recording: Path, tmp_path: Path
) -> None:
    exported = psexport.export(session, tmp_path / "a" / "X")
    catalogue = psexport.capture(session)
    built = psexport.build(
        catalogue, tmp_path / "b" / "X", session=f"replay:{recording}"
    )
    assert [file.sha256 for file in built.files] == [
        file.sha256 for file in exported.files
    ]
    assert built.commands == exported.commands


def test_sessions_in_threads_do_not_touch_each_other(
    recording: Path, tmp_path: Path
) -> None:
    names = ("Get-Thing", "Set-Thing", "Test-Files", "Get-Widget")
    results: dict[str, tuple[str, ...]] = {}

    def work(name: str) -> None:
        with psexport.connect(f"replay:{recording}") as session:
            made = psexport.export(session, tmp_path / name, command_name=name)
            results[name] = made.commands

    threads = [threading.Thread(target=work, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {name: (name,) for name in names}


SIGNER = pki.issue("Signer", pki.issue("Root", ca=True))


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return pki.write(tmp_path / "code.pem", SIGNER.pem(key=True))


@pytest.mark.parametrize(
    ("encoding", "mark"),
    [
        ("utf8NoBOM", b"\xef\xbb\xbf"),
        ("utf8BOM", b"\xef\xbb\xbf"),
        ("unicode", b"\xff\xfe"),
        ("1252", b"<#"),
    ],
)
def test_a_signed_module(
    encoding: str, mark: bytes, session: psexport.Session, key: Path, tmp_path: Path
) -> None:
    result = psexport.export(
        session,
        tmp_path / "X",
        command_name="Gr*",
        encoding=encoding,
        certificate=key,
    )
    # Those without are vouched for by the manifest.
    assert [file.signature for file in result.files] == ["Valid"] * 3 + [None] * 2
    script = next(file.path for file in result.files if file.path.suffix == ".psm1")
    assert script.read_bytes().startswith(mark)
    root = SIGNER.issuer
    assert root is not None
    trust = load_trust(pki.write(tmp_path / "root.pem", root.pem()))
    found = verify_paths([result.module], trust, code_page="cp1252")
    assert found.valid
    assert not found.unprotected


@pytest.mark.parametrize("encoding", ["utf7", "utf32", "bigendianutf32", "37"])
def test_what_cannot_be_signed_is_refused_before_the_host_is_asked(
    encoding: str, key: Path, tmp_path: Path
) -> None:
    with pytest.raises(psexport.PSExportError) as caught:
        psexport.export(
            Untouchable(), tmp_path / "X", encoding=encoding, certificate=key
        )
    assert caught.value.id == "ErrorSigningEncoding"


def test_text_that_windows_would_hash_otherwise_is_not_signed(
    session: psexport.Session, key: Path, tmp_path: Path
) -> None:
    with pytest.raises(psexport.PSExportError) as caught:
        psexport.export(
            session,
            tmp_path / "X",
            command_name="Gr*",
            encoding="850",
            certificate=key,
        )
    assert caught.value.id.startswith("ErrorSigning")
    assert not (tmp_path / "X").exists()


@pytest.mark.engine
def test_the_engine_takes_what_was_written(
    pwsh: str, session: psexport.Session, tmp_path: Path
) -> None:
    result = psexport.export(session, tmp_path / "X", encoding="utf8BOM")
    script = f"""
        $errors = $null
        $null = [System.Management.Automation.Language.Parser]::ParseFile(
            '{result.module}/X.psm1', [ref] $null, [ref] $errors)
        if ($errors) {{ throw "$errors" }}
        $manifest = Test-ModuleManifest '{result.module}/X.psd1' -ErrorAction Stop
        Import-Module '{result.module}/X.psd1' -ErrorAction Stop -DisableNameChecking
        (Get-Command -Module X -CommandType Function).Name
    """
    said = subprocess.run(
        [pwsh, "-NoProfile", "-Command", script],
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert said.stderr == ""
    assert said.returncode == 0
    assert sorted(said.stdout.split()) == sorted(result.commands)


def test_an_address_is_no_catalogue(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no catalogue") as caught:
        psexport.build("demo", tmp_path / "X")  # type: ignore[arg-type]
    assert caught.value.target == "catalogue"


def test_an_address_is_no_session(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is no session"):
        psexport.export("demo", tmp_path / "X")  # type: ignore[arg-type]


@pytest.mark.parametrize("works", [True, False])
def test_a_session_that_nobody_wants_any_more_is_closed(
    session: psexport.Session,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    works: bool,
) -> None:
    order = Order(output_module=str(tmp_path / "X"), command_name=("Get-Thing",))
    if not works:
        monkeypatch.setattr(exporter, "build_module", _fail)
    for last in (False, True):
        closed = threading.Event()
        monkeypatch.setattr(session, "close", closed.set)
        prepared = prepare(replace(order, force=last), None)
        with nullcontext() if works else pytest.raises(OSError, match="disk"):
            exporter.run(prepared, session, ignore, last=last)
        assert closed.is_set() is last


def _fail(*_: object) -> None:
    raise OSError("no disk")


def test_what_is_done_ahead_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = []
    for folder, most in (("ahead", 50_000), ("some", 20), ("none", 0)):
        monkeypatch.setattr(exporter, "_MOST_AHEAD", most)
        with psexport.connect("demo") as session:
            result = psexport.export(
                session, tmp_path / folder / "X", command_name="*", allow_clobber=True
            )
        made.append([(one.path.name, one.sha256) for one in result.files])
    assert made[0] == made[1] == made[2]
    assert len(made[0]) > 3
