"""A line between a client and a PowerShell: it counts, and it may be slow.

Runs in place of ``pwsh``. ``BENCH_PWSH`` is the real one, ``BENCH_LINE`` what the line
is like, ``SECONDS,BITS-A-SECOND`` (both ways; round trip 2 × SECONDS), and the counts
go to the file ``BENCH_COUNTS``: bytes to the host, bytes from it.
"""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO

_CHUNK = 16 * 1024


class Line:
    """One direction: each chunk takes its time on the line, then the delay."""

    def __init__(self, delay: float, bits: float) -> None:
        self._delay = delay
        self._bits = bits
        self._under_way: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()
        self.count = 0

    def carry(self, source: IO[bytes], target: IO[bytes]) -> None:
        """Carry everything until the source ends; then close the target."""
        reader = threading.Thread(target=self._read, args=(source,), daemon=True)
        reader.start()
        with target:
            while True:
                due, data = self._under_way.get()
                if not data:
                    return
                time.sleep(max(0.0, due - time.monotonic()))
                try:
                    target.write(data)
                    target.flush()
                except OSError:
                    return

    def _read(self, source: IO[bytes]) -> None:
        free = time.monotonic()
        while data := os.read(source.fileno(), _CHUNK):
            self.count += len(data)
            free = max(free, time.monotonic())
            if self._bits:
                free += len(data) * 8 / self._bits
            self._under_way.put((free + self._delay, data))
        self._under_way.put((0.0, b""))


def main() -> int:
    delay, bits = map(float, os.environ.get("BENCH_LINE", "0,0").split(","))
    host = subprocess.Popen(
        [os.environ["BENCH_PWSH"], *sys.argv[1:]],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert host.stdin
    assert host.stdout
    there, back = Line(delay, bits), Line(delay, bits)
    sender = threading.Thread(
        target=there.carry, args=(sys.stdin.buffer, host.stdin), daemon=True
    )
    sender.start()
    back.carry(host.stdout, sys.stdout.buffer)
    code = host.wait()
    if counts := os.environ.get("BENCH_COUNTS"):
        Path(counts).write_text(f"{there.count} {back.count}", "ascii")
    return code


if __name__ == "__main__":
    sys.exit(main())
