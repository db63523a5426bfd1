"""What each verb does: bound parameters in, calls of the Python interface, text out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields as dataclass_fields
from importlib import import_module
from pathlib import Path
from threading import Timer
from typing import TYPE_CHECKING, Any, TextIO

from ..errors import PSExportError, UsageError
from ..events import Severity
from ..report import harmless
from .binder import Bound
from .console import Console
from .parameters import SESSION, VERBS, find_verb

if TYPE_CHECKING:
    from ..connection import Connection
    from ..order import Order

#: Exit code where drift was found, or a signature is not valid.
NOT_AS_IT_SHOULD_BE = 3

#: Seconds after which a host has been asked to open a session.
_MEANWHILE = 0.05

#: A verb's work: returns the exit code.
Action = Callable[[Bound, Console, TextIO | None], int]


def run_verb(bound: Bound, stdout: TextIO, stderr: TextIO, stdin: TextIO | None) -> int:
    """Do what was asked for, and return the exit code.

    :raises PSExportError: it failed.
    """
    refuse_not_yet(bound)
    console = Console(bound, stdout, stderr)
    try:
        return _ACTIONS[bound.verb.name](bound, console, stdin)
    finally:
        console.close()


def refuse_not_yet(bound: Bound) -> None:
    """Refuse what the table has but the program has not.

    :raises PSExportError: id ``ErrorNotYet``.
    """
    if not bound.verb.ready:
        raise _not_yet(f"psexport {bound.verb.name}")
    for name, value in bound.values.items():
        if value is not False and not bound.verb.parameter(name).ready:
            raise _not_yet(f"-{name}")


def _not_yet(what: str) -> PSExportError:
    return PSExportError(
        f"{what} is not there yet",
        id="ErrorNotYet",
        target=what,
        hint="Leave it out, or look for a newer psexport.",
    )


def _export(bound: Bound, console: Console, stdin: TextIO | None) -> int:
    from ..api import open_session
    from ..preparation import prepare
    from ..report import as_json, entries, listing

    prompt = _prompt(console, stdin)
    connection = _connection(bound)
    prepared = prepare(_order(bound), prompt)
    # While the host opens its session there is nothing else to do; but first things
    # first.
    preloading = Timer(_MEANWHILE, import_module, ("psexport.exporter",))
    preloading.daemon = True
    preloading.start()
    with open_session(connection, prompt) as session:
        from ..exporter import run

        result = run(prepared, session, console, last=True)
    if bound.flag("AsJson"):
        console.write(as_json(result) + "\n")
    else:
        console.write(listing(entries(file.path for file in result.files)))
    return 0


def _order(bound: Bound) -> Order:
    """Take from the bound parameters what an order has; the rest is its default."""
    from ..order import Order

    fields = {
        field.name.replace("_", ""): field.name for field in dataclass_fields(Order)
    }
    given: dict[str, Any] = {
        fields[name.lower()]: value
        for name, value in bound.values.items()
        if name.lower() in fields
    }
    return Order(**given)


def _connection(bound: Bound) -> Connection:
    """Read what the bound parameters say about the session."""
    from ..connection import parse

    names = {one.name for one in SESSION}
    given: dict[str, Any] = {
        name: value for name, value in bound.values.items() if name in names
    }
    return parse(bound.text("Session"), given)


def _prompt(console: Console, stdin: TextIO | None) -> Callable[[str], str] | None:
    """Return what asks a person for a secret; ``None`` if nobody is there."""
    if stdin is None or not stdin.isatty():
        return None

    def ask(question: str) -> str:
        from getpass import getpass

        console.close()
        try:
            return getpass(harmless(question))
        except EOFError:  # Ctrl-D, or a terminal that went away
            raise PSExportError(
                "No password was typed",
                id="ErrorPasswordMissing",
                target=question.rstrip(": "),
                hint="Type it, or let it come from a file or the environment.",
            ) from None

    return ask


def _sign(bound: Bound, console: Console, stdin: TextIO | None) -> int:
    from ..api import sign
    from ..report import entries, listing

    signing = sign(
        bound.texts("Path") or (),
        bound.text("Certificate") or "",
        certificate_key=bound.text("CertificateKey"),
        certificate_password_file=bound.text("CertificatePasswordFile"),
        include_chain=bound.text("IncludeChain") or "NotRoot",
        hash_algorithm=bound.text("HashAlgorithm") or "SHA256",
        timestamp_server=bound.texts("TimestampServer") or (),
        code_page=bound.text("CodePage"),
        prompt=_prompt(console, stdin),
    )
    for skipped in signing.skipped:
        console.say(Severity.VERBOSE, f"{skipped.path}: {skipped.message}", skipped.id)
    if bound.flag("AsJson"):
        console.write(json.dumps(signing.to_json(), indent=2) + "\n")
    else:
        console.write(listing(entries(Path(file.path) for file in signing.files)))
    return 0


def _verify(bound: Bound, console: Console, stdin: TextIO | None) -> int:
    from ..api import verify
    from ..report import signatures

    found = verify(
        bound.texts("Path") or (),
        ca_file=bound.text("CAFile"),
        tsa_ca_file=bound.text("TsaCAFile"),
        crl_file=bound.texts("CRLFile") or (),
        code_page=bound.text("CodePage"),
    )
    if bound.flag("AsJson"):
        console.write(json.dumps(found.to_json(), indent=2) + "\n")
    else:
        console.write(signatures(found))
    return 0 if found.valid else NOT_AS_IT_SHOULD_BE


def _sessions(bound: Bound, console: Console, stdin: TextIO | None) -> int:
    from .sessions import sessions

    return sessions(bound, console, _prompt(console, stdin))


def _doctor(bound: Bound, console: Console, stdin: TextIO | None) -> int:
    from ..doctor import examine, text

    def show(step: text.Step) -> None:
        console.write(text.step_lines(step))

    as_json = bound.flag("AsJson")
    diagnosis = examine(
        _connection(bound),
        prompt=_prompt(console, stdin),
        on_step=None if as_json else show,
    )
    if as_json:
        console.write(json.dumps(diagnosis.to_json(), indent=2) + "\n")
    else:
        console.write(text.closing_lines(diagnosis))
    return 0 if diagnosis.verdict.works else 1


def _help(bound: Bound, console: Console, stdin: TextIO | None) -> int:
    from .help import text

    word = bound.text("Verb") or "export"
    verb = find_verb(word)
    if verb is None:
        raise UsageError(
            f"There is no verb {word!r}",
            id="VerbNotFound",
            target=word,
            hint=f"The verbs are {', '.join(one.name for one in VERBS)}.",
        )
    console.write(text(verb))
    return 0


def _completion(bound: Bound, console: Console, stdin: TextIO | None) -> int:
    from .completion import script

    console.write(script(bound.text("Shell") or ""))
    return 0


_ACTIONS: dict[str, Action] = {
    "export": _export,
    "sign": _sign,
    "verify": _verify,
    "doctor": _doctor,
    "sessions": _sessions,
    "help": _help,
    "completion": _completion,
}
