"""The program: arguments in, an exit code out; nothing here knows the work itself."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Sequence
from typing import NoReturn, TextIO

from ..errors import PSExportError
from .parameters import EXPORT, Verb, find_verb
from .scanner import asks_for_help

INTERRUPTED = 130

#: What a * ends in that a shell has replaced by the names of the files here.
_AFTER_EXPANSION = ("ErrorNoResultsFromRemoteEnd", "PositionalParameterNotFound")


def main(
    argv: Sequence[str],
    stdout: TextIO,
    stderr: TextIO,
    stdin: TextIO | None = None,
) -> int:
    """Run psexport.

    :param argv: the arguments, without the program's name.
    :param stdin: where a prompt for a password reads from; ``None`` if there is
        nobody to ask.
    :return: 0 done, 1 failed, 2 asked wrongly, 3 drift found or not valid, 130
        interrupted.
    """
    show_trace = False
    try:
        verb, arguments = _verb(argv)
        if arguments == ["--version"]:
            return _version(stdout)
        if asks_for_help(arguments):
            from .help import text

            stdout.write(text(verb))
            return 0
        from .binder import bind

        bound = bind(verb, arguments)
        show_trace = bound.flag("Debug")
        from .verbs import run_verb

        return run_verb(bound, stdout, stderr, stdin)
    except PSExportError as error:
        if error.id in _AFTER_EXPANSION and _is_expanded(argv):
            error.hint = "The shell has put names of files for a *: write it as '*'."
        return _failed(error, stderr, show_trace)
    except KeyboardInterrupt:
        print("psexport: Interrupted; nothing was left behind", file=stderr)
        return INTERRUPTED
    except BrokenPipeError:
        # Whoever read standard output has gone, and nobody is left to tell.
        return 1
    except Exception as error:
        mistake = PSExportError(
            f"A mistake in psexport itself: {type(error).__name__}: {error}",
            id="InternalError",
            hint="Run it again with -Debug, and report what it shows.",
        )
        return _failed(mistake, stderr, show_trace)


def _failed(error: PSExportError, stderr: TextIO, show_trace: bool) -> int:
    """Say on one line what failed, below a traceback if one is wanted."""
    from ..report import error_line

    if show_trace:
        import traceback

        traceback.print_exc(file=stderr)
    print(error_line(error), file=stderr)
    return error.exit_code


def _is_expanded(argv: Sequence[str]) -> bool:
    """Whether all that a shell puts for a ``*`` is among the arguments."""
    from pathlib import Path

    try:
        names = {path.name for path in Path().iterdir() if path.name[0] != "."}
    except OSError:
        return False
    return bool(names) and names <= set(argv)


def _verb(argv: Sequence[str]) -> tuple[Verb, list[str]]:
    """Split a leading verb from the arguments; without one it is ``export``."""
    if argv and (verb := find_verb(argv[0])):
        return verb, list(argv[1:])
    return EXPORT, list(argv)


def _version(stdout: TextIO) -> int:
    from .. import __version__

    print(f"psexport {__version__}", file=stdout)
    return 0


def run() -> NoReturn:
    """Be the program ``psexport``."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        # Who started us may have closed it: then nobody speaks or listens there.
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: PTH123, SIM115
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character is no reason to fail.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), _leave)
    code = main(sys.argv[1:], sys.stdout, sys.stderr, sys.stdin)
    # What is left goes with the process; nobody need look through it for garbage.
    gc.freeze()
    sys.exit(code)


def _leave(number: int, _: object) -> NoReturn:
    """End on a signal as on Ctrl-C, so that everything is cleaned up."""
    raise SystemExit(128 + number)
