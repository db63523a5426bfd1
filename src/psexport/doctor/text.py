"""An examination for people: a line for each finding, then what it comes to."""

from __future__ import annotations

import textwrap

from ..report import harmless
from .findings import Advice, Diagnosis, Step

_TITLE = 18
_WIDTH = 88


def step_lines(step: Step) -> str:
    """The lines of a step: how it went, its name, what was found, how long it took."""
    lines = []
    title = step.title
    for finding in step.findings:
        lines.append(
            f"{finding.outcome.value:<8} {title:<{_TITLE}} {harmless(finding.text)}"
        )
        title = ""
    if step.seconds >= 0.0005:
        lines[0] += f" ({_spoken(step.seconds)})"
    return "\n".join(lines) + "\n"


def closing_lines(diagnosis: Diagnosis) -> str:
    """The verdict, with what to do."""
    verdict = diagnosis.verdict
    lines = ["", *_wrapped(verdict.text)]
    if verdict.cause is not None:
        lines += _help(verdict.cause)
    for remark in verdict.remarks:
        lines += ["", *_wrapped(f"Remark: {remark.text}"), *_help(remark)]
    return "\n".join(lines) + "\n"


def _help(advice: Advice) -> list[str]:
    lines = []
    if advice.here:
        lines += ["", "  Here:"]
        for sentence in advice.here:
            lines += _wrapped(sentence, "    ")
    if advice.on_host:
        lines += ["", "  On the host, as an administrator:"]
        # Not wrapped: these are to be copied.
        lines += [f"    {harmless(line)}" for line in advice.on_host]
    return lines


def _wrapped(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(
        harmless(text),
        _WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _spoken(seconds: float) -> str:
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


__all__ = ["Step", "closing_lines", "step_lines"]
