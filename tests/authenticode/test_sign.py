"""Signing bytes and files: what is refused, what is kept, what is on the disk."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

import psexport.authenticode.sign as sign_module
from psexport.authenticode import (
    Signer,
    Trust,
    require_signable_encoding,
    require_signed,
    sign_bytes,
    sign_paths,
    verify_bytes,
)
from psexport.authenticode.envelope import SCRIPT, strip_block
from psexport.errors import PSExportError, UsageError

from . import independent, pki
from .conftest import signer_of

HEADER = b"# SIG # Begin signature block"
IDENTITY = pki.issue("Law Signer")
LAW_SIGNER = signer_of(IDENTITY)
LAW_TRUST = Trust((IDENTITY.certificate,), ())


@pytest.mark.parametrize("codec", ["ascii", "utf-8-sig", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("name", ["a.psm1", "a.format.ps1xml", "a.cdxml"])
def test_every_kind_encoding_and_newline(
    codec: str, newline: str, name: str, signer: Signer, trust: Trust
) -> None:
    text = f"one{newline}two{newline}"
    if codec != "ascii":
        text += "häßlich 😀"
    if codec.startswith("utf-16"):
        text = f"\ufeff{text}"
    body = text.encode(codec)
    signed = sign_bytes(body, name, signer)
    found = verify_bytes(signed, name, trust)
    assert found.valid, found.message
    assert signed.startswith(body)
    assert found.hash_algorithm == "SHA256"
    assert found.signer is not None
    assert found.signer.subject == "CN=Test Signer"
    assert [each.subject for each in found.chain] == [
        "CN=Test Signer",
        "CN=Test Intermediate",
        "CN=Test Root",
    ]
    assert verify_bytes(body, name, trust).status == "NotSigned"


@pytest.mark.parametrize("algorithm", ["SHA256", "sha384", "SHA-512"])
@pytest.mark.parametrize("key", ["RSA-2048", "P-256", "P-384", "P-521"])
def test_every_key_and_hash(
    key: str, algorithm: str, identities: dict[str, pki.Identity], trust: Trust
) -> None:
    signed = sign_bytes(b"Get-Date", "a.ps1", signer_of(identities[key]), algorithm)
    found = verify_bytes(signed, "a.ps1", trust)
    assert found.valid, found.message
    assert found.hash_algorithm == algorithm.upper().replace("-", "")


@given(
    st.text(
        st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
        min_size=4,
        max_size=40,
    ),
    st.sampled_from(["utf-8-sig", "utf-16-le", "utf-16-be"]),
)
def test_sign_verify_strip_is_identity(text: str, codec: str) -> None:
    marked = text if codec == "utf-8-sig" else f"\ufeff{text}"
    body = marked.encode(codec)
    signed = sign_bytes(body, "a.ps1", LAW_SIGNER)
    assert verify_bytes(signed, "a.ps1", LAW_TRUST).valid
    assert strip_block(signed, SCRIPT) == body
    assert independent.digest(signed) == independent.digest(body)


def test_the_same_input_gives_the_same_bytes(
    identities: dict[str, pki.Identity],
) -> None:
    for identity in identities.values():
        signer = signer_of(identity)
        first = sign_bytes(b"Get-Date", "a.ps1", signer)
        assert first == sign_bytes(b"Get-Date", "a.ps1", signer)


def test_an_old_signature_is_replaced(signer: Signer, trust: Trust) -> None:
    once = sign_bytes(b"Get-Date", "a.ps1", signer)
    again = sign_bytes(once, "a.ps1", signer, "SHA512")
    assert again.count(HEADER) == 1
    assert again == sign_bytes(b"Get-Date", "a.ps1", signer, "SHA512")
    converted = once.replace(b"\r\n", b"\n")
    assert verify_bytes(converted, "a.ps1", trust).status == "NotSigned"
    assert sign_bytes(converted, "a.ps1", signer) == once


@pytest.mark.parametrize(
    ("data", "name", "id"),
    [
        (b"Get-Date", "a.txt", "ErrorSigningFileFormat"),
        (b"Get-Date", "a", "ErrorSigningFileFormat"),
        (b"", "a.ps1", "ErrorSigningFileTooShort"),
        (b"abc", "a.ps1", "ErrorSigningFileTooShort"),
        ("\ufeffGet-Date".encode("utf-32-le"), "a.ps1", "ErrorSigningEncoding"),
        ("\ufeffGet-Date".encode("utf-32-be"), "a.ps1", "ErrorSigningEncoding"),
        (b"+/v8-Get-Date", "a.ps1", "ErrorSigningEncoding"),
        (b"@'\r\n" + HEADER + b"\r\n'@", "a.ps1", "ErrorSigningBlockInText"),
        (b"@'\n" + HEADER + b"\n'@", "a.ps1", "ErrorSigningBlockInText"),
        (b"x\r\n" + HEADER + b"\r\n# AAAA", "a.ps1", "ErrorSigningBlockInText"),
        ("Get-Date # é".encode(), "a.ps1", "ErrorSigningEncodingUncertain"),
        ("é Get-Date".encode(), "a.ps1", "ErrorSigningEncodingUncertain"),
        ("Get-Date é".encode("cp1252"), "a.ps1", "ErrorSigningMalformedText"),
        (b"\xef\xbb\xbfabc\xff", "a.ps1", "ErrorSigningMalformedText"),
        (b"\xfe\xffabc", "a.ps1", "ErrorSigningMalformedText"),
        ("Get-Date".encode("utf-16-le"), "a.ps1", "ErrorSigningMalformedText"),
    ],
)
def test_files_that_are_refused(
    data: bytes, name: str, id: str, signer: Signer, tmp_path: Path
) -> None:
    with pytest.raises(PSExportError) as caught:
        sign_bytes(data, name, signer)
    assert (caught.value.id, caught.value.target) == (id, name)
    assert caught.value.hint
    path = pki.write(tmp_path / name, data)
    with pytest.raises(PSExportError):
        sign_paths([path], signer)
    assert path.read_bytes() == data
    assert os.listdir(tmp_path) == [name]  # noqa: PTH208 - names, not paths


def test_odd_utf16_is_refused(signer: Signer) -> None:
    with pytest.raises(PSExportError) as caught:
        sign_bytes(b"\xff\xfeabc", "a.ps1", signer)
    assert caught.value.id == "ErrorSigningMalformedText"


def test_unmarked_text_can_be_signed_for_a_code_page(
    signer: Signer, trust: Trust
) -> None:
    body = "Get-Date # caf\u00e9 \u20ac".encode("cp1252")
    signed = sign_bytes(body, "a.ps1", signer, code_page="cp1252")
    assert signed.startswith(body)
    assert verify_bytes(signed, "a.ps1", trust).valid
    greek = verify_bytes(signed, "a.ps1", trust, code_page="1253")
    assert greek.status == "HashMismatch"
    everywhere = sign_bytes("é".encode() * 9, "a.ps1", signer, code_page="65001")
    assert verify_bytes(everywhere, "a.ps1", trust, code_page="utf-8").valid
    with pytest.raises(PSExportError) as caught:
        sign_bytes(body, "a.ps1", signer, code_page="65001")
    assert caught.value.id == "ErrorSigningMalformedText"


@pytest.mark.parametrize("code_page", ["99999", "no-such", "utf-16", "37", "²", "\0"])
def test_code_pages_that_are_none(code_page: str, signer: Signer, trust: Trust) -> None:
    for call in (
        lambda: sign_bytes(b"Get-Date", "a.ps1", signer, code_page=code_page),
        lambda: verify_bytes(b"Get-Date", "a.ps1", trust, code_page=code_page),
    ):
        with pytest.raises(UsageError) as caught:
            call()
        assert caught.value.id == "ErrorSigningCodePage"


@pytest.mark.parametrize(
    ("options", "error", "id"),
    [
        (("SHA1",), PSExportError, "ErrorSigningHashAlgorithm"),
        (("MD5",), PSExportError, "ErrorSigningHashAlgorithm"),
        (("SHA256", "some"), UsageError, "ErrorSigningIncludeChain"),
    ],
)
def test_options_that_are_refused(
    options: tuple[str, ...], error: type[PSExportError], id: str, signer: Signer
) -> None:
    with pytest.raises(error) as caught:
        sign_bytes(b"Get-Date", "a.ps1", signer, *options)
    assert caught.value.id == id


@pytest.mark.parametrize(
    ("include", "count"), [("signer", 1), ("notroot", 2), ("all", 3), ("NotRoot", 2)]
)
def test_include_chain(
    include: str, count: int, signer: Signer, root: pki.Identity
) -> None:
    from psexport.authenticode.cms import read_signed_data
    from psexport.authenticode.envelope import read_block, split

    signed = sign_bytes(b"Get-Date", "a.ps1", signer, include_chain=include)
    block = read_block(split(signed, SCRIPT).tail, SCRIPT)
    certificates = read_signed_data(block).certificates
    assert set(certificates) == set(signer.chain[:count])


def test_all_needs_the_root(signer: Signer) -> None:
    with pytest.raises(PSExportError) as caught:
        sign_bytes(
            b"Get-Date",
            "a.ps1",
            Signer(signer.chain[:2], signer.key),
            include_chain="all",
        )
    assert caught.value.id == "ErrorCertificateChainIncomplete"


def test_a_self_signed_signer_is_in_its_own_signature() -> None:
    for include in ("signer", "notroot", "all"):
        signed = sign_bytes(b"Get-Date", "a.ps1", LAW_SIGNER, include_chain=include)
        assert verify_bytes(signed, "a.ps1", LAW_TRUST).valid


def test_a_key_that_breaks_is_an_error(leaf: pki.Identity, signer: Signer) -> None:
    class Broken:
        def sign_digest(self, algorithm: object, digest: bytes) -> bytes:
            raise ConnectionResetError("the token was pulled out")

    class Wrong:
        def sign_digest(self, algorithm: object, digest: bytes) -> bytes:
            return b"no signature"

    for key, id in (
        (Broken(), "ErrorKeyService"),
        (Wrong(), "ErrorCertificateKeyMismatch"),
    ):
        with pytest.raises(PSExportError) as caught:
            sign_bytes(b"Get-Date", "a.ps1", Signer(signer.chain, key))
        assert caught.value.id == id


@pytest.mark.parametrize(
    ("encoding", "signable"),
    [
        ("utf-8", True),
        ("utf-8-sig", True),
        ("ascii", True),
        ("cp1252", True),
        ("utf-16", True),
        ("utf-16-be", True),
        ("utf-7", False),
        ("utf-32", False),
        ("utf-32-be", False),
        ("cp037", False),
        ("no-such", False),
    ],
)
def test_encodings_are_refused_up_front(encoding: str, signable: bool) -> None:
    if signable:
        require_signable_encoding(encoding)
    else:
        with pytest.raises(PSExportError) as caught:
            require_signable_encoding(encoding)
        assert caught.value.id == "ErrorSigningEncoding"


# -- files ------------------------------------------------------------------------


def test_a_folder_is_signed(signer: Signer, trust: Trust, tmp_path: Path) -> None:
    (tmp_path / "en-US").mkdir()
    bodies = {
        tmp_path / "M.psm1": b"function f {}\n",
        tmp_path / "M.psd1": b"@{}\r\n",
        tmp_path / "M.format.ps1xml": "\ufeff<é/>".encode(),
        tmp_path / "en-US" / "x.ps1": sign_bytes(b"Get-Date", "x.ps1", signer),
    }
    for path, body in bodies.items():
        pki.write(path, body)
    text = pki.write(tmp_path / "en-US" / "M-help.xml", b"<help/>")
    result = sign_paths([tmp_path], signer)
    assert {Path(each.path) for each in result.files} == set(bodies)
    assert [each.path for each in result.skipped] == [str(text)]
    assert text.read_bytes() == b"<help/>"
    for each in result.files:
        data = Path(each.path).read_bytes()
        body = bodies[Path(each.path)]
        assert data.startswith(strip_block(body, SCRIPT))
        assert verify_bytes(data, each.path, trust).valid
        assert each.length == len(data)
        assert each.replaced is each.path.endswith("x.ps1")
        assert each.signature.valid
    assert result.to_json()["files"][0]["signature"]["status"] == "Valid"


def test_nothing_is_written_if_one_file_is_refused(
    signer: Signer, tmp_path: Path
) -> None:
    good = pki.write(tmp_path / "a.ps1", b"Get-Date")
    pki.write(tmp_path / "b.ps1", b"\xff\xff\xff\xff")
    with pytest.raises(PSExportError):
        sign_paths([tmp_path], signer)
    assert good.read_bytes() == b"Get-Date"
    assert len(list(tmp_path.iterdir())) == 2


def test_paths_that_name_nothing(signer: Signer, tmp_path: Path) -> None:
    for path, id in (
        (tmp_path / "no.ps1", "ErrorFileNotFound"),
        (tmp_path, "ErrorSigningNothing"),
    ):
        with pytest.raises(PSExportError) as caught:
            sign_paths([path], signer)
        assert caught.value.id == id


@pytest.mark.skipif(sys.platform == "win32", reason="modes and links are POSIX's")
def test_modes_and_links_are_kept(signer: Signer, tmp_path: Path) -> None:
    folder = tmp_path / "module"
    folder.mkdir()
    script = pki.write(folder / "a.ps1", b"Get-Date")
    script.chmod(0o751)
    outside = pki.write(tmp_path / "outside.ps1", b"Get-Date")
    (folder / "link.ps1").symlink_to(script)
    (folder / "out.ps1").symlink_to(outside)
    (folder / "loop").symlink_to(folder)
    (folder / "away").symlink_to(tmp_path)
    result = sign_paths([folder], signer)
    assert [each.path for each in result.files] == [str(script.resolve())]
    assert [(Path(each.path).name, each.id) for each in result.skipped] == [
        ("away", "ErrorSigningLinkOutside"),
        ("out.ps1", "ErrorSigningLinkOutside"),
    ]
    assert script.stat().st_mode & 0o777 == 0o751
    assert (folder / "link.ps1").is_symlink()
    assert outside.read_bytes() == b"Get-Date"
    sign_paths([folder / "out.ps1"], signer)  # named itself, it is followed
    assert HEADER in outside.read_bytes()


def test_a_failing_write_leaves_the_file(
    signer: Signer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [pki.write(tmp_path / name, b"Get-Date") for name in ("a.ps1", "b.ps1")]
    works = Mock(side_effect=[None, OSError(28, "No space left on device")])
    monkeypatch.setattr(os, "fsync", works)
    with pytest.raises(PSExportError) as caught:
        sign_paths(paths, signer)
    assert caught.value.id == "ErrorFileUnwritable"
    assert sorted(tmp_path.iterdir()) == paths
    assert [path.read_bytes() for path in paths] == [b"Get-Date"] * 2


def test_what_a_file_is_to_the_system_is_kept(
    signer: Signer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"{'n' * 240}.ps1"  # there is hardly room for a longer name beside it
    path = pki.write(tmp_path / name, b"Get-Date")
    os.utime(path, (1, 1))
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        os.chown(path, 1234, 4321)
        path.chmod(0o4750)
    before = path.stat()
    sign_paths([path], signer)
    after = path.stat()
    assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)
    assert after.st_mode == before.st_mode
    assert after.st_mtime > 1000  # it is a new version of the file
    monkeypatch.setattr(os, "access", lambda file, mode: mode != os.W_OK)
    signed = path.read_bytes()
    with pytest.raises(PSExportError, match="write-protected"):
        sign_paths([path], signer)
    assert path.read_bytes() == signed


def test_a_file_that_changes_meanwhile_is_left(
    signer: Signer, tmp_path: Path, leaf: pki.Identity
) -> None:
    path = pki.write(tmp_path / "a.ps1", b"Get-Date")

    class Slow:
        def sign_digest(self, algorithm, digest: bytes) -> bytes:
            path.write_bytes(b"Get-Process")
            return signer.key.sign_digest(algorithm, digest)

    with pytest.raises(PSExportError, match="changed it meanwhile"):
        sign_paths([path], Signer(signer.chain, Slow()))
    assert path.read_bytes() == b"Get-Process"


def test_what_is_on_the_disk_is_verified(
    signer: Signer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = pki.write(tmp_path / "a.ps1", b"Get-Date")
    genuine = sign_module.replace_files

    def converting(plans) -> None:
        genuine(plans)
        path.write_bytes(path.read_bytes().replace(b"Get", b"get"))

    monkeypatch.setattr(sign_module, "replace_files", converting)
    with pytest.raises(PSExportError) as caught:
        sign_paths([path], signer)
    assert caught.value.id == "ErrorSigningVerification"


def test_require_signed(signer: Signer) -> None:
    signed = sign_bytes(b"Get-Date", "a.ps1", signer)
    assert require_signed(signed, "a.ps1").valid
    with pytest.raises(PSExportError):
        require_signed(b"Get-Date", "a.ps1")


def test_ten_megabytes(signer: Signer, trust: Trust) -> None:
    body = "\ufeff# häßlich 😀\r\n".encode() + b"# 0123456789abcdef\n" * 550_000
    signed = sign_bytes(body, "a.ps1", signer)
    assert verify_bytes(signed, "a.ps1", trust).valid
