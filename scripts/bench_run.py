"""The benchmark: whole commands on hosts of many functions, beside their floors.

A floor is what the same would cost somebody who does nothing with it: the host making
and sending the same answer to a client that throws it away, a plain write of the same
bytes, the import of an empty module, the same call written by hand. Each figure is the
best of --repeat runs; floors are measured in between, in the same run.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from shutil import which

from bench_host import Host
from bench_table import Row, document, table

_HERE = Path(__file__).parent
_ROOT = _HERE.parent
_DOCUMENT = _ROOT / "docs" / "performance.md"
#: An installed program is compiled once, not each time.
_ENVIRONMENT = {
    name: value
    for name, value in os.environ.items()
    if name != "PYTHONDONTWRITEBYTECODE"
}
_ROADS = {"compact": "full", "portable": "restricted"}


def main() -> int:
    chosen = _arguments()
    pwsh = chosen.pwsh or os.environ.get("PSEXPORT_PWSH") or which("pwsh")
    if not pwsh:
        print("no PowerShell: set PSEXPORT_PWSH or give --pwsh", file=sys.stderr)
        return 2
    rows: list[Row] = []
    for count in chosen.sizes:
        for parameters in chosen.parameters:
            for sets in chosen.sets:
                host = Host(count, parameters, sets)
                for road in chosen.roads:
                    # The portable road is there for the few; its hosts need long.
                    if road == "portable" and count > chosen.portable_up_to:
                        continue
                    with tempfile.TemporaryDirectory(prefix="psexport-bench-") as name:
                        bench = Bench(Path(name), host, road, pwsh, chosen.repeat)
                        rows.append(bench.run(line=count in chosen.line))
                    print(table(rows[-1:], heading=len(rows) == 1), flush=True)
    if chosen.write:
        command = "scripts/bench " + shlex.join(sys.argv[1:])
        text = document(_DOCUMENT.read_text("utf-8"), rows, _machine(), command)
        _DOCUMENT.write_text(text, "utf-8")
        print(f"\n{_DOCUMENT.relative_to(_ROOT)} has the figures now.")
    return 0


class Bench:
    """One host, one road."""

    def __init__(
        self, folder: Path, host: Host, road: str, pwsh: str, repeat: int
    ) -> None:
        self._folder = folder
        self._host = host
        self._road = road
        self._pwsh = pwsh
        self._repeat = repeat
        self._configuration = str(folder / f"{_ROADS[road]}.pssc")
        self._module = folder / "Module"
        host.write(folder)

    def run(self, *, line: bool) -> Row:
        """Measure everything.

        :param line: also over a slow line.
        """
        whole, floor = [], []
        for _ in range(self._repeat):
            floor.append(
                self._client("discard", self._pwsh, self._configuration, self._road)
            )
            whole.append(self._export(f"pwsh:{self._pwsh}"))
        best = min(whole, key=lambda cost: cost["seconds"])
        least = min(floor, key=lambda cost: cost["seconds"])
        size, write = self._written()
        use = self._use()
        slow = self._over("0.025,10000000") if line else None
        return Row(
            road=self._road,
            count=self._host.count,
            parameters=self._host.parameters,
            sets=self._host.sets,
            seconds=best["seconds"],
            floor=least["seconds"],
            client_cpu=min(cost["client_cpu"] for cost in whole),
            host_cpu=min(cost["host_cpu"] for cost in whole),
            peak=max(cost["peak"] for cost in whole),
            floor_peak=max(cost["peak"] for cost in floor),
            received=self._over("0,0")[1],
            size=size,
            write=write,
            import_ms=use["import"],
            empty_ms=use["empty"],
            call_ms=use["call"],
            bare_ms=use["bare"],
            slow_seconds=None if slow is None else slow[0],
        )

    def _export(self, session: str, **environment: str) -> dict[str, float]:
        return self._client(
            "export",
            *("-Session", session, "-ConfigurationFile", self._configuration),
            *("-OutputModule", str(self._module), "-CommandName", "Get-Bench*"),
            *("-Force", f"-IncludeHelp:${str(self._road == 'compact').lower()}"),
            **environment,
        )

    def _over(self, line: str) -> tuple[float, int]:
        """Seconds of an export over a line, and the bytes that came."""
        pipe = self._folder / "pipe"
        script = shlex.join([sys.executable, str(_HERE / "bench_pipe.py")])
        pipe.write_text(f'#!/bin/sh\nexec {script} "$@"\n', "utf-8")
        pipe.chmod(0o755)
        counts = self._folder / "counts"
        cost = self._export(
            f"pwsh:{pipe}",
            BENCH_LINE=line,
            BENCH_PWSH=self._pwsh,
            BENCH_COUNTS=str(counts),
        )
        return cost["seconds"], int(counts.read_text("ascii").split()[1])

    def _client(self, *arguments: str, **environment: str) -> dict[str, float]:
        command = [sys.executable, str(_HERE / "bench_client.py"), *arguments]
        started = time.monotonic()
        done = subprocess.run(
            command,
            capture_output=True,
            env=_ENVIRONMENT | environment,
            stdin=subprocess.DEVNULL,
        )
        seconds = time.monotonic() - started
        if done.returncode:
            raise SystemExit(_failure(command, done.stderr))
        cost: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        # From start to exit, Python's own start and end included.
        return cost | {"seconds": seconds}

    def _written(self) -> tuple[int, float]:
        """The module's bytes, and the seconds that a plain write of them takes."""
        files = {
            path.relative_to(self._module): path.read_bytes()
            for path in self._module.rglob("*")
            if path.is_file()
        }
        started = time.monotonic()
        for path, data in files.items():
            target = self._folder / "plain" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        return sum(map(len, files.values())), time.monotonic() - started

    def _use(self) -> dict[str, float]:
        manifest = self._module / f"{self._module.name}.psd1"
        script = str(_HERE / "bench_module.ps1")
        # A session of its own: the host is the same, the endpoint the full one.
        configuration = str(self._folder / "full.pssc")
        command = [
            *(self._pwsh, "-NoLogo", "-NoProfile", "-NonInteractive"),
            *("-File", script, str(manifest), self._pwsh, configuration),
            "Get-Bench00001",
        ]
        done = subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL)
        if done.returncode:
            raise SystemExit(_failure(command, done.stderr))
        told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return told


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__)

    def numbers(text: str) -> list[int]:
        return [int(one) for one in text.split(",")]

    parser.add_argument(
        *("--sizes", "-n"),
        type=numbers,
        default=[200, 1000],
        help="functions of the hosts: 200,1000,4000,10000 (default: 200,1000)",
    )
    parser.add_argument(
        "--parameters", type=numbers, default=[14], help="of each function (14)"
    )
    parser.add_argument("--sets", type=numbers, default=[2], help="of each (2)")
    parser.add_argument(
        "--roads",
        type=lambda text: text.split(","),
        default=list(_ROADS),
        help="compact, portable, or both (default)",
    )
    parser.add_argument(
        "--portable-up-to",
        type=int,
        default=1000,
        help="larger hosts are asked by the compact road only (1000)",
    )
    parser.add_argument(
        "--line",
        type=numbers,
        default=[1000],
        help="sizes that are also exported over a 50 ms, 10 Mbit/s line (1000)",
    )
    parser.add_argument("--repeat", type=int, default=3, help="runs of each (3)")
    parser.add_argument("--pwsh", help="the PowerShell; else PSEXPORT_PWSH, PATH")
    parser.add_argument(
        "--write", action="store_true", help="put the figures in docs/performance.md"
    )
    return parser.parse_args()


def _failure(command: list[str], said: bytes) -> str:
    return f"{shlex.join(command)}: {said.decode('utf-8', 'replace')[-2_000:]}"


def _machine() -> str:
    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text("utf-8").splitlines():
            if line.startswith("model name"):
                processor = line.partition(":")[2].strip()
                break
    busy = (
        f", load average {os.getloadavg()[1]:.1f}" if hasattr(os, "getloadavg") else ""
    )
    return (
        f"{os.cpu_count()} × {processor}, {platform.system()} "
        f"{platform.release().partition('-')[0]}, Python {platform.python_version()}"
        f"{busy}"
    )


if __name__ == "__main__":
    sys.exit(main())
