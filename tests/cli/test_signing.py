"""``psexport sign`` and ``psexport verify``: what they say, and their exit codes."""

from __future__ import annotations

import hashlib
import io
import json
from pathlib import Path
from unittest.mock import Mock

import pytest

from authenticode import pki
from psexport.cli import main

SIGNER = pki.issue("Signer", pki.issue("Root", ca=True))
PASSWORD = b"open sesame"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with scripts, keys and a trusted root, as the current one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PSEXPORT_CERTIFICATE_PASSWORD", raising=False)
    (tmp_path / "M").mkdir()
    for name in ("a.ps1", "M/M.psm1", "M/M.psd1"):
        (tmp_path / name).write_bytes(b"# nothing to see\r\n@{}\r\n")
    (tmp_path / "umlaut.ps1").write_bytes("# ä\n'ä'\n".encode("cp1252"))
    (tmp_path / "code.pem").write_bytes(SIGNER.pem(key=True))
    (tmp_path / "code.pfx").write_bytes(SIGNER.pfx(PASSWORD))
    (tmp_path / "code.crt").write_bytes(SIGNER.pem())
    (tmp_path / "password").write_bytes(PASSWORD + b"\n")
    root = SIGNER.issuer
    assert root is not None
    (tmp_path / "root.pem").write_bytes(root.pem())
    return tmp_path


def run(line: str) -> tuple[int, str, str]:
    stdout, stderr = io.StringIO(), io.StringIO()
    code = main(line.split(), stdout, stderr)
    return code, stdout.getvalue(), stderr.getvalue()


@pytest.mark.parametrize(
    "line",
    [
        "sign a.ps1 code.pem",
        "sign -Path a.ps1 -Certificate code.pem",
        "SIGN a.ps1 code.pem -HashAlgorithm sha512 -IncludeChain All",
        "sign a.ps1 code.pfx -CertificatePasswordFile password",
        "sign a.ps1 code.crt -CertificateKey code.pem",
        "sign a.ps1, M code.pem",
        "sign a.ps1 M -Certificate code.pem",
    ],
)
def test_what_is_signed_is_valid(folder: Path, line: str) -> None:
    code, stdout, stderr = run(line)
    assert (code, stderr) == (0, "")
    assert "a.ps1" in stdout
    code, stdout, stderr = run("verify a.ps1 -CAFile root.pem")
    assert (code, stderr) == (0, "")
    assert "Valid" in stdout


def test_a_module(folder: Path) -> None:
    assert run("sign M code.pem")[0] == 0
    code, stdout, _ = run("verify M -CAFile root.pem -AsJson")
    found = json.loads(stdout)
    assert code == 0
    assert found["valid"] is True
    assert [Path(file["path"]).name for file in found["files"]] == ["M.psd1", "M.psm1"]
    (folder / "M" / "M.psm1").write_bytes(b"# something else")
    code, stdout, _ = run("verify M -CAFile root.pem")
    assert code == 3
    assert "NotSigned" in stdout
    assert "M.psm1" in stdout


def test_json_of_signing(folder: Path) -> None:
    code, stdout, stderr = run("sign a.ps1 code.pem -AsJson")
    assert (code, stderr) == (0, "")
    signed = json.loads(stdout)
    assert [Path(file["path"]).name for file in signed["files"]] == ["a.ps1"]
    hashed = hashlib.sha256((folder / "a.ps1").read_bytes()).hexdigest()
    assert signed["files"][0]["sha256"] == hashed


@pytest.mark.parametrize(
    ("line", "code", "id"),
    [
        ("verify", 2, "MissingMandatoryParameter"),
        ("verify nowhere.ps1", 1, "ErrorFileNotFound"),
        ("verify a.ps1 -CAFile nowhere.pem", 1, "ErrorTrustFileUnreadable"),
        ("verify a.ps1 -CodePage 99999", 2, "ErrorUnknownEncoding"),
        ("sign a.ps1", 2, "MissingMandatoryParameter"),
        ("sign a.ps1 nowhere.pem", 1, "ErrorCertificateUnreadable"),
        ("sign nowhere.ps1 code.pem", 1, "ErrorFileNotFound"),
        ("sign a.ps1 code.crt", 1, "ErrorCertificateNoPrivateKey"),
        ("sign a.ps1 code.pfx", 1, "ErrorCertificatePassword"),
        ("sign a.ps1 code.pem -TimestampServer x", 2, "ErrorTimestampServerAddress"),
        ("sign a.ps1 code.pem -HashAlgorithm MD5", 2, "CannotConvertArgumentNoMessage"),
        ("sign code.crt code.pem", 1, "ErrorSigningFileFormat"),
        ("sign umlaut.ps1 code.pem", 1, "ErrorSigning"),
    ],
)
def test_what_fails(folder: Path, line: str, code: int, id: str) -> None:
    before = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    done, stdout, stderr = run(line)
    assert (done, stdout) == (code, "")
    assert f"[{id}" in stderr
    assert len(stderr.splitlines()) == 1
    after = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert after == before


@pytest.mark.parametrize(
    ("typed", "code", "id"),
    [
        (PASSWORD.decode(), 0, ""),
        ("wrong", 1, "[ErrorCertificatePassword]"),
        (EOFError(), 1, "[ErrorPasswordMissing]"),
        (KeyboardInterrupt(), 130, "Interrupted"),
    ],
)
def test_a_password_that_is_asked_for(
    folder: Path,
    typed: str | BaseException,
    code: int,
    id: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = Mock(side_effect=[typed])
    monkeypatch.setattr("getpass.getpass", asked)
    terminal, stdout, stderr = io.StringIO(), io.StringIO(), io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    assert main(["sign", "a.ps1", "code.pfx"], stdout, stderr, terminal) == code
    assert id in stderr.getvalue()
    assert PASSWORD.decode() not in stdout.getvalue() + stderr.getvalue()
    assert asked.call_args.args == ("Password of code.pfx: ",)


def test_a_code_page_that_is_said(folder: Path) -> None:
    assert run("sign umlaut.ps1 code.pem -CodePage 1252")[0] == 0
    assert run("verify umlaut.ps1 -CAFile root.pem -CodePage windows-1252")[0] == 0
    assert run("verify umlaut.ps1 -CAFile root.pem -CodePage 1251")[0] == 3


def test_an_untrusted_signer(folder: Path) -> None:
    assert run("sign a.ps1 code.pem")[0] == 0
    code, stdout, stderr = run("verify a.ps1")
    assert (code, stderr) == (3, "")
    assert "UnknownError" in stdout


def test_an_unsigned_file(folder: Path) -> None:
    code, stdout, stderr = run("verify a.ps1 -CAFile root.pem")
    assert (code, stderr) == (3, "")
    assert "NotSigned" in stdout
