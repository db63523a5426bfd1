"""Folders: one signer, and a manifest that speaks for what cannot be signed."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psexport.authenticode import (
    Signer,
    Trust,
    load_trust,
    sign_paths,
    verify_paths,
)
from psexport.authenticode.manifest import escapes, read_file_hashes
from psexport.errors import PSExportError

from . import pki
from .conftest import signer_of

HEX = hashlib.sha256(b"<Objs/>").hexdigest().upper()
ARGUMENTS = "ApplicationArguments.xml"


def manifest(table: str) -> str:
    return (
        "@{\r\n"
        "    # PrivateData = @{ PSExport = @{ FileHashes = @{ 'no' = 'no' } } }\r\n"
        "    Description = 'a } brace; it''s = no entry'\r\n"
        '    RootModule = "M.psm1"\r\n'
        "    PrivateData = @{\r\n        ImplicitRemoting = $true\r\n"
        '        PSData = @{ Tags = @(\'a\', "b`" }") }\r\n'
        f"        PSExport = @{{\r\n            FileHashes = {table}\r\n"
        "            Endpoint = 'x'\r\n        }\r\n    }\r\n}\r\n"
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (manifest(f"@{{ '{ARGUMENTS}' = '{HEX}' }}"), {ARGUMENTS: HEX}),
        (
            manifest("@{\r\n'a.xml' = 'AB' ; 'en-US/M-help.xml' = 'cd'\r\n}"),
            {"a.xml": "AB", "en-US/M-help.xml": "CD"},
        ),
        (
            manifest("@{ 'en-US\\M.xml'='AB';'it''s' = 'CD' }"),
            {"en-US/M.xml": "AB", "it's": "CD"},
        ),
        (manifest("@{ 'it’’s' = 'AB' }"), {"it’s": "AB"}),
        (manifest("@{}"), {}),
        (manifest("@{ 'a' = 'b' ").replace("}", ""), None),
        ("@{ FileHashes = @{ 'a' = 'b' } }", None),
        ("@{ PrivateData = @{ FileHashes = @{ 'a' = 'b' } } }", None),
        (
            "@{ privatedata = @{ 'PSEXPORT' = @{ filehashes = @{ a = 'b' } } } }",
            {"a": "B"},
        ),
        ("<# @{ PrivateData = #> @{ GUID = @'\n} @{ PrivateData\n'@ }", None),
        ("", None),
        ("'", None),
    ],
)
def test_the_table_of_a_manifest(text: str, expected: dict[str, str] | None) -> None:
    assert read_file_hashes(text) == expected


def test_a_text_of_many_tables_is_read_at_once() -> None:
    """Each of them looking at all around it would take minutes."""
    assert read_file_hashes("@{" * 500_000) is None


@given(st.text(alphabet="@{}()='\";#<> \nab’“`", max_size=80))
def test_any_text_can_be_read(text: str) -> None:
    read_file_hashes(text)
    read_file_hashes(manifest(text))


@pytest.mark.parametrize(
    ("path", "out"),
    [("a/b", False), ("..a", False), ("../a", True), ("/a", True), ("C:/a", True)],
)
def test_paths_that_escape(path: str, out: bool) -> None:
    assert escapes(path) is out


@pytest.fixture
def module(tmp_path: Path, signer: Signer) -> Path:
    """A module as we make them, signed."""
    folder = tmp_path / "M"
    (folder / "en-US").mkdir(parents=True)
    pki.write(folder / "M.psm1", b"function f {}\r\n")
    pki.write(folder / "M.format.ps1xml", b"<Configuration/>\r\n")
    pki.write(folder / ARGUMENTS, b"<Objs/>")
    pki.write(folder / "en-US" / "M-help.xml", b"<Objs/>")
    pki.write(folder / ".gitattributes", b"* -text\n")
    table = f"@{{ '{ARGUMENTS}' = '{HEX}'; 'en-US/M-help.xml' = '{HEX}' }}"
    pki.write(folder / "M.psd1", manifest(table).encode())
    sign_paths([folder], signer)
    return folder


def test_a_whole_module(module: Path, trust: Trust) -> None:
    result = verify_paths([module], trust)
    assert result.valid
    assert [Path(each.path).name for each in result.files] == [
        "M.format.ps1xml",
        "M.psd1",
        "M.psm1",
    ]
    assert result.unprotected == (str(module / ".gitattributes"),)
    plain = result.to_json()
    assert json.loads(json.dumps(plain)) == plain
    assert plain["valid"] is True


def change_arguments(module: Path) -> None:
    pki.write(module / ARGUMENTS, b"<Objs>evil</Objs>")


def drop_help(module: Path) -> None:
    (module / "en-US" / "M-help.xml").unlink()


def add_xml(module: Path) -> None:
    pki.write(module / "en-US" / "extra.xml", b"<x/>")


def sign_by_another(module: Path) -> None:
    sign_paths([module / "M.psm1"], signer_of(pki.issue("Another")))


def link_outside(module: Path) -> None:
    (module / "again").symlink_to(module / "en-US")
    (module.parent / "elsewhere").mkdir()
    (module / "lib").symlink_to(module.parent / "elsewhere")


@pytest.mark.parametrize(
    ("damage", "id"),
    [
        pytest.param(
            link_outside,
            "ErrorModuleLink",
            marks=pytest.mark.skipif(sys.platform == "win32", reason="needs links"),
        ),
        (change_arguments, "ErrorModuleFileChanged"),
        (drop_help, "ErrorModuleFileMissing"),
        (add_xml, "ErrorModuleFileNotListed"),
        (sign_by_another, "ErrorModuleSigners"),
    ],
)
def test_damaged_modules(damage, id: str, module: Path, trust: Trust) -> None:
    damage(module)
    result = verify_paths([module], trust)
    assert not result.valid
    assert [each.id for each in result.problems] == [id]
    assert result.to_json()["problems"][0]["id"] == id


def test_an_unsigned_file_in_a_module(module: Path, trust: Trust) -> None:
    pki.write(module / "evil.ps1", b"Remove-Item *")
    result = verify_paths([module], trust)
    assert not result.valid
    assert [each.status for each in result.files].count("NotSigned") == 1


def test_a_manifest_that_points_outside(
    tmp_path: Path, signer: Signer, trust: Trust
) -> None:
    folder = tmp_path / "M"
    folder.mkdir()
    pki.write(tmp_path / "secret", b"<Objs/>")
    text = manifest(f"@{{ '../secret' = '{HEX}' }}")
    pki.write(folder / "M.psd1", text.encode())
    sign_paths([folder], signer)
    [problem] = verify_paths([folder], trust).problems
    assert problem.id == "ErrorModuleFilePath"


def test_manifests_in_utf16(tmp_path: Path, signer: Signer, trust: Trust) -> None:
    text = manifest(f"@{{ '{ARGUMENTS}' = '{HEX}' }}")
    pki.write(tmp_path / "M.psd1", f"\ufeff{text}".encode("utf-16-be"))
    pki.write(tmp_path / ARGUMENTS, b"<Objs>x</Objs>")
    sign_paths([tmp_path], signer)
    [problem] = verify_paths([tmp_path], trust).problems
    assert problem.id == "ErrorModuleFileChanged"


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16", "cp1252", "cp1251"])
def test_names_in_every_encoding(
    codec: str, tmp_path: Path, signer: Signer, trust: Trust
) -> None:
    name, page = ("Да.xml", "1251") if codec == "cp1251" else ("Grüß.xml", "1252")
    hashed = hashlib.sha256(b"<x/>").hexdigest()
    text = manifest(f"@{{ '{name}' = '{hashed}' }}")
    pki.write(tmp_path / "M.psd1", text.encode(codec))
    pki.write(tmp_path / name, b"<x/>")
    sign_paths([tmp_path], signer, code_page=page)
    assert verify_paths([tmp_path], trust, code_page=page).valid


def test_files_that_were_named(module: Path, trust: Trust) -> None:
    result = verify_paths([module / "M.psm1", module / ARGUMENTS], trust)
    assert [each.status for each in result.files] == ["Valid", "NotSupportedFileFormat"]
    assert not result.valid


@pytest.mark.skipif(
    sys.platform == "win32" or os.geteuid() == 0, reason="root may look at anything"
)
@pytest.mark.parametrize("mode", [0o000, 0o400])
def test_a_folder_that_is_locked(mode: int, module: Path, trust: Trust) -> None:
    locked = module / "en-US"
    locked.chmod(mode)
    try:
        for path in (module, locked, locked / "M-help.xml"):
            with pytest.raises(PSExportError) as caught:
                verify_paths([path], trust)
            assert caught.value.id == "ErrorFileUnreadable"
    finally:
        locked.chmod(0o700)


def test_a_path_that_the_system_refuses(trust: Trust) -> None:
    with pytest.raises(PSExportError) as caught:
        verify_paths(["x" * 5000], trust)
    assert caught.value.id == "ErrorFileUnreadable"


def test_nothing_to_verify(tmp_path: Path, trust: Trust) -> None:
    result = verify_paths([tmp_path], trust)
    assert [each.id for each in result.problems] == ["ErrorModuleNothingSigned"]
    assert not verify_paths([], trust).valid
    for path in (tmp_path / "no", ""):
        with pytest.raises(PSExportError) as caught:
            verify_paths([path], trust)
        assert caught.value.id == "ErrorFileNotFound"


def test_the_system_store_is_the_default(
    module: Path, root: pki.Identity, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert not verify_paths([module]).valid
    store = pki.write(tmp_path / "store.pem", root.pem())
    monkeypatch.setenv("SSL_CERT_FILE", str(store))
    assert verify_paths([module]).valid
    assert verify_paths([module], load_trust(store)).valid
