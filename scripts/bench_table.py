"""The benchmark's figures as a table, and their place in docs/performance.md."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

_BEGIN, _END = "<!-- figures: scripts/bench --write -->", "<!-- end of figures -->"


@dataclass(frozen=True)
class Row:
    """One host by one road; seconds, bytes and milliseconds."""

    road: str
    count: int
    parameters: int
    sets: int
    seconds: float
    floor: float
    client_cpu: float
    host_cpu: float
    peak: float
    floor_peak: float
    received: int
    size: int
    write: float
    import_ms: float
    empty_ms: float
    call_ms: float
    bare_ms: float
    slow_seconds: float | None


_COLUMNS: tuple[tuple[str, Callable[[Row], str]], ...] = (
    ("road", lambda r: r.road),
    (
        "functions × parameters × sets",
        lambda r: f"{r.count} × {r.parameters} × {r.sets}",
    ),
    ("whole command, s", lambda r: f"{r.seconds:.2f}"),
    ("floor, s", lambda r: f"{r.floor:.2f}"),
    ("ratio", lambda r: f"{r.seconds / r.floor:.2f}"),
    ("CPU client + host, s", lambda r: f"{r.client_cpu:.2f} + {r.host_cpu:.2f}"),
    (
        "peak client (floor), MB",
        lambda r: f"{r.peak / 1e6:.0f} ({r.floor_peak / 1e6:.0f})",
    ),
    ("received, kB", lambda r: f"{r.received / 1e3:,.0f}"),
    ("module, kB", lambda r: f"{r.size / 1e3:,.0f}"),
    ("plain write, ms", lambda r: f"{r.write * 1e3:.1f}"),
    ("import (empty), ms", lambda r: f"{r.import_ms:.0f} ({r.empty_ms:.0f})"),
    ("call (by hand), ms", lambda r: f"{r.call_ms:.1f} ({r.bare_ms:.1f})"),
    (
        "50 ms, 10 Mbit/s line, s",
        lambda r: "" if r.slow_seconds is None else f"{r.slow_seconds:.2f}",
    ),
)


def table(rows: Sequence[Row], *, heading: bool = True) -> str:
    """The rows in Markdown."""
    lines = []
    if heading:
        lines.append(" | ".join(["", *(name for name, _ in _COLUMNS), ""]).strip())
        lines.append("|" + " --- |" * len(_COLUMNS))
    for row in rows:
        lines.append(" | ".join(["", *(show(row) for _, show in _COLUMNS), ""]).strip())
    return "\n".join(lines)


def document(text: str, rows: Sequence[Row], machine: str, command: str) -> str:
    """A document with its figures replaced.

    :raises ValueError: it has no place for them.
    """
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"no place for figures: {_BEGIN} … {_END}")
    figures = f"Machine: {machine}.  \nCommand: `{command}`\n\n{table(rows)}"
    return f"{before}{begin}\n{figures}\n{end}{after}"
