"""One measured run of a client, in a process of its own.

``bench_client.py export ARGUMENT…`` runs psexport; ``bench_client.py discard PWSH
CONFIGURATION ROAD`` asks the host the same and throws the answer away. The last line
on standard output is what it cost, as JSON.
"""

from __future__ import annotations

import json
import resource
import sys
import time


def main(arguments: list[str]) -> int:
    started = time.monotonic()
    verb, *rest = arguments
    code = _export(rest) if verb == "export" else _discard(*rest)
    mine = resource.getrusage(resource.RUSAGE_SELF)
    hosts = resource.getrusage(resource.RUSAGE_CHILDREN)
    cost = {
        "seconds": time.monotonic() - started,
        "client_cpu": mine.ru_utime + mine.ru_stime,
        "host_cpu": hosts.ru_utime + hosts.ru_stime,
        "peak": mine.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
    }
    print("\n" + json.dumps(cost))
    return code


def _export(arguments: list[str]) -> int:
    from psexport.cli import run

    sys.argv = ["psexport", *arguments]
    try:
        return run()
    except SystemExit as ending:
        return int(ending.code or 0)


def _discard(pwsh: str, configuration: str, road: str) -> int:
    """The host's part alone: the same questions, in the same order, over one pipe."""
    from psexport.fetch import FetchRequest, compact
    from psexport.transport.base import (
        Argument,
        Call,
        Commands,
        Limits,
        MetadataQuery,
        PipelineState,
        Question,
    )
    from psexport.transport.local import ENVIRONMENT
    from psexport.transport.outofproc import OutOfProcessSession

    request = FetchRequest(
        names=("Get-Bench*",), wants_views=False, wants_help=road == "compact"
    )
    shown: dict[str, Argument] = {
        "Name": "Get-Bench*",
        "CommandType": "Function",
        "ShowCommandInfo": True,
        "ListImported": True,
    }
    questions: list[Question] = (
        [compact.question(request)]
        if road == "compact"
        else [
            MetadataQuery(request.names, request.types),
            Commands((Call("Get-Command", tuple(shown.items())),)),
        ]
    )
    command = [pwsh, "-s", "-NoLogo", "-NoProfile", "-ConfigurationFile", configuration]
    limits = Limits(silence=3600)
    with OutOfProcessSession(
        command, name="bench", limits=limits, environment=ENVIRONMENT
    ) as session:
        for question in questions:
            with session.ask(question) as answer:
                state = [record.state for record in answer][-1]
            if state is not PipelineState.COMPLETED:
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
