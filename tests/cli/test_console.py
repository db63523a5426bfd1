"""What a run says, and what the action parameters make of it."""

from __future__ import annotations

import io

import pytest

from psexport.cli.binder import bind
from psexport.cli.console import Console
from psexport.cli.parameters import EXPORT
from psexport.cli.progress import Lines, display
from psexport.errors import PSExportError
from psexport.events import (
    Answered,
    Asking,
    Event,
    Message,
    Problem,
    Progress,
    Severity,
)
from psexport.model import Skipped

PROBLEM = Problem(Skipped("Get-Bad", "ErrorSkippedUnsafeCommandName", "Its name"))
WARNING = Message(Severity.WARNING, "Look out", "Care")
INFORMATION = Message(Severity.INFORMATION, "By the way")
VERBOSE = Message(Severity.VERBOSE, "In detail")
DEBUG = Message(Severity.DEBUG, "Inside")
ASKING = Asking("the commands")
ANSWERED = Answered("the commands", 12, 1.234)
PROGRESS = Progress("Commands", 3, 10)


def said(arguments: str, *events: Event) -> str:
    stderr = io.StringIO()
    bound = bind(EXPORT, ["demo", "./X", *arguments.split()])
    console = Console(bound, io.StringIO(), stderr)
    for event in events:
        console(event)
    console.close()
    return stderr.getvalue()


@pytest.mark.parametrize(
    ("arguments", "event", "text"),
    [
        (
            "",
            PROBLEM,
            "psexport: Get-Bad: Its name [ErrorSkippedUnsafeCommandName]\n",
        ),
        ("-ea SilentlyContinue", PROBLEM, ""),
        ("-ea Ignore", PROBLEM, ""),
        ("-ea Stop", PROBLEM, "ErrorSkippedUnsafeCommandName"),
        ("", WARNING, "WARNING: Look out [Care]\n"),
        ("-wa SilentlyContinue", WARNING, ""),
        ("-wa Ignore", WARNING, ""),
        ("-wa Stop", WARNING, "Care"),
        ("", INFORMATION, ""),
        ("-infa Continue", INFORMATION, "INFORMATION: By the way\n"),
        ("-infa Stop", INFORMATION, "ActionPreferenceStop"),
        ("", VERBOSE, ""),
        ("-Verbose", VERBOSE, "VERBOSE: In detail\n"),
        ("-Verbose:0", VERBOSE, ""),
        ("-Verbose", DEBUG, ""),
        ("-Debug", DEBUG, "DEBUG: Inside\n"),
        ("", ASKING, ""),
        ("-vb", ASKING, "VERBOSE: Asking for the commands\n"),
        ("-vb", ANSWERED, "VERBOSE: Got 12 records for the commands in 1.23 s\n"),
        ("", PROGRESS, ""),
        ("-proga Continue", PROGRESS, ""),
        (
            "",
            Message(Severity.WARNING, "\x1b[2J\u202e"),
            "WARNING: \\u{1b}[2J\\u{202e}\n",
        ),
    ],
)
def test_what_is_said(arguments: str, event: Event, text: str) -> None:
    if "Stop" in arguments:
        with pytest.raises(PSExportError) as caught:
            said(arguments, event)
        assert caught.value.id == text
    else:
        assert said(arguments, event) == text


@pytest.mark.parametrize("name", ["-ev x", "-wv x", "-iv x", "-ov x", "-pv x", "-ob 1"])
def test_what_makes_no_sense_is_warned_of(name: str) -> None:
    text = said(name)
    assert text.startswith("WARNING: -")
    assert "no effect" in text
    assert len(text.splitlines()) == 1
    assert said(f"{name} -wa Ignore") == ""


def test_progress_as_lines_comes_every_few_seconds() -> None:
    stderr = io.StringIO()
    times = iter([0.0, 1.0, 3.5, 4.0, 7.0])
    lines = Lines(stderr, clock=lambda: next(times))
    for done in (1, 4, 5, 9):
        lines.update(Progress("Commands", done, 10))
    assert stderr.getvalue() == (
        "psexport: Commands: 40% (4 of 10)\npsexport: Commands: 90% (9 of 10)\n"
    )


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_bar() -> None:
    terminal = Terminal()
    bar = display(terminal, None)
    bar.update(Progress("Commands [bold]", 5, 10))
    bar.line("[red]WARNING: x")
    bar.update(Progress("Views", 1))
    bar.close()
    bar.close()
    text = terminal.getvalue()
    assert "Commands [bold]" in text
    assert "50%" in text
    assert "[red]WARNING: x\n" in text


@pytest.mark.parametrize("action", ["SilentlyContinue", "Ignore"])
def test_a_terminal_gets_no_bar_if_it_is_not_wanted(action: str) -> None:
    terminal = Terminal()
    bar = display(terminal, action)
    bar.update(Progress("Commands", 5, 10))
    bar.close()
    assert terminal.getvalue() == ""


def test_a_warning_lists_all_names() -> None:
    names = ", ".join(f"Get-Something{number}" for number in range(500))
    assert said("", Message(Severity.WARNING, names)) == f"WARNING: {names}\n"
    endless = said("", Message(Severity.WARNING, "x" * 10_000_000))
    assert len(endless) < 200_000
