"""What each verb does: bound parameters in, calls of the Python interface, text out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TextIO

from ..errors import PSExportError, UsageError
from .binder import Bound
from .console import Console
from .parameters import VERBS, find_verb

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
    "help": _help,
    "completion": _completion,
}
