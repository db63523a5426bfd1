"""What can be refused, or opened, before a host is asked for anything.

Apart from what it prepares, so that the rest of the program is loaded while the host
opens the session.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from . import baseline as baselines
from .connection import parse
from .encoding import WINDOWS_POWERSHELL, TextEncoding, encoder
from .errors import UsageError
from .files import ModuleFolder, module_folder
from .order import Order
from .pslang import Wildcard, check_prefix
from .seal import Prompt, Seal, open_signer, timestamp_client

_VERSION = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9}){1,3}")


@dataclass(frozen=True, slots=True)
class Prepared:
    """An order that can be carried out, as far as one can tell without the host."""

    order: Order
    target: ModuleFolder
    encoding: TextEncoding
    baseline: frozenset[str] | None
    seal: Seal | None


def prepare(order: Order, prompt: Prompt | None = None) -> Prepared:
    """Check an order, and open what it names, before a host is asked for anything.

    :raises UsageError: it makes no sense.
    :raises PSExportError: the module is there already, or something that the order
        names is not there or not usable.
    """
    if order.module is not None and order.fully_qualified_module is not None:
        raise UsageError(
            "-Module and -FullyQualifiedModule cannot be used together",
            id="ModuleAndFullyQualifiedModuleCannotBeSpecifiedTogether",
            target="Module",
            hint="Give just one of them.",
        )
    _check_words(order)
    target = ModuleFolder(module_folder(order.output_module), force=order.force)
    target.check()
    encoding = encoder(order.encoding)
    return Prepared(
        order,
        target,
        encoding,
        None if order.allow_clobber else _baseline(order.baseline),
        _seal(order, encoding, prompt),
    )


def _baseline(spec: str) -> frozenset[str]:
    """Return the commands that are not to be clobbered; a local shell is asked."""
    if not spec.lower().startswith("pwsh:"):
        return baselines.load(spec)
    from .fetch.shell import printed
    from .transport import connect

    with connect(parse(spec)) as shell:
        return baselines.capture(lambda script: printed(shell, script, "the baseline"))


def _check_words(order: Order) -> None:
    if order.fidelity.lower() not in ("full", "compatible"):
        raise UsageError(
            f"there is no fidelity {order.fidelity!r}",
            id="CannotConvertArgumentNoMessage",
            target="Fidelity",
            hint="Use Full or Compatible.",
        )
    if not _VERSION.fullmatch(order.module_version):
        raise UsageError(
            f"{order.module_version!r} is no version of a module",
            id="CannotConvertArgumentNoMessage",
            target="ModuleVersion",
            hint="Write two to four numbers: 1.2.0.",
        )
    check_prefix(order.prefix)
    for patterns in (order.command_name, order.format_type_name, order.module):
        for pattern in patterns or ():
            Wildcard(pattern)  # complains of what is none


def _check_unsigned(order: Order) -> None:
    """Refuse what says how to sign where nothing is signed: somebody expects it."""
    for name, given in (
        ("TimestampServer", order.timestamp_server),
        ("CertificateKey", order.certificate_key),
        ("CertificatePasswordFile", order.certificate_password_file),
        ("IncludeChain", order.include_chain != "NotRoot"),
        ("HashAlgorithm", order.hash_algorithm != "SHA256"),
    ):
        if given:
            raise UsageError(
                f"-{name} says how to sign, and without -Certificate nothing is signed",
                id="MissingMandatoryParameter",
                target="Certificate",
                hint=f"Give -Certificate too, or leave -{name} out.",
            )


def _seal(order: Order, encoding: TextEncoding, prompt: Prompt | None) -> Seal | None:
    if order.certificate is None:
        _check_unsigned(order)
        return None
    from .authenticode import require_signable_encoding

    require_signable_encoding(encoding.codec)
    # Windows reads a file without a mark in its ANSI code page, so that a signature
    # over any other text of more than ASCII would not hold there, and is refused.
    is_ansi = not encoding.bom and WINDOWS_POWERSHELL not in encoding.misread_by("\xe9")
    return Seal(
        signer=open_signer(
            order.certificate,
            order.certificate_key,
            order.certificate_password_file,
            prompt,
        ),
        hash_algorithm=order.hash_algorithm,
        include_chain=order.include_chain,
        timestamp=timestamp_client(order.timestamp_server),
        code_page=encoding.codec if is_ansi else None,
    )


__all__ = ["Prepared", "prepare"]
