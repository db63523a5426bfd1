"""Three ways to show how far the work is: a bar, plain lines, or not at all."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TextIO

from ..events import Progress
from ..report import harmless

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

#: Seconds between two plain lines.
_PAUSE = 3.0


class Display(Protocol):
    """Shows progress, and prints lines without tearing it."""

    def update(self, progress: Progress) -> None:
        """Show how far an activity is."""

    def line(self, text: str) -> None:
        """Print one line beside the progress."""

    def close(self) -> None:
        """Take the progress away; harmless when repeated."""


def display(stderr: TextIO, action: str | None) -> Display:
    """Choose a display.

    :param action: the ProgressAction, ``None`` if none was given: then progress is
        shown on a terminal only, so that it never ends up in a log.
    """
    if action in ("SilentlyContinue", "Ignore"):
        return _Silent(stderr)
    if stderr.isatty():
        return _Bar(stderr)
    return _Silent(stderr) if action is None else Lines(stderr)


class _Silent:
    """Shows no progress."""

    def __init__(self, stderr: TextIO) -> None:
        self._stderr = stderr

    def update(self, progress: Progress) -> None:
        pass

    def line(self, text: str) -> None:
        print(text, file=self._stderr, flush=True)

    def close(self) -> None:
        pass


class Lines(_Silent):
    """Shows progress as plain lines, one every few seconds."""

    def __init__(
        self, stderr: TextIO, clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(stderr)
        self._clock = clock
        self._last = clock()

    def update(self, progress: Progress) -> None:
        """Print a line if the last one is old enough."""
        now = self._clock()
        if now - self._last >= _PAUSE:
            self._last = now
            self.line(f"psexport: {_words(progress)}")


def _words(progress: Progress) -> str:
    activity = harmless(progress.activity)
    if not progress.total:
        return f"{activity}: {progress.done}"
    percent = min(100, 100 * progress.done // progress.total)
    return f"{activity}: {percent}% ({progress.done} of {progress.total})"


class _Bar:
    """Shows progress as a bar with percent and estimate, for terminals."""

    def __init__(self, stderr: TextIO) -> None:
        self._stderr = stderr
        self._bar: RichProgress | None = None
        self._tasks: dict[str, TaskID] = {}

    def update(self, progress: Progress) -> None:
        bar = self._bar or self._start()
        name = harmless(progress.activity)
        if name not in self._tasks:
            self._tasks[name] = bar.add_task(name, total=None)
        bar.update(self._tasks[name], completed=progress.done, total=progress.total)

    def _start(self) -> RichProgress:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            Progress,
            TaskProgressColumn,
            TextColumn,
            TimeRemainingColumn,
        )

        self._bar = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TaskProgressColumn(show_speed=True),
            TimeRemainingColumn(),
            console=Console(file=self._stderr),
            transient=True,
        )
        self._bar.start()
        return self._bar

    def line(self, text: str) -> None:
        if self._bar is None:
            print(text, file=self._stderr, flush=True)
        else:
            self._bar.console.print(
                text, markup=False, highlight=False, emoji=False, soft_wrap=True
            )

    def close(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
