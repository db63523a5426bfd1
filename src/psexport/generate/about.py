"""The topic about_NAME: where a module comes from, how it connects, what it lost."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from ..connection import Connection, Kind
from ..model import Host
from ..pslang import Quoted

_MARGIN = " " * 4
#: More commands than this are counted, not listed.
_MOST_NOTES = 50
_LONGEST = 300
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")


def render(
    name: str,
    connection: Connection,
    host: Host,
    *,
    secret: str = "",
    notes: Sequence[tuple[str, str]] = (),
) -> str:
    """Return the text that ``Get-Help about_NAME`` shows.

    :param name: of the module.
    :param secret: name of the SecretManagement secret with the host's credential.
    :param notes: what was left out: (command, what), in words.
    """
    target = connection.name
    sections = {
        "LONG DESCRIPTION": _origin(target, host),
        "HOW IT CONNECTS": _connects(connection, secret),
        "ANOTHER SESSION": _overrides(name),
        "COMMANDS": _commands(),
    }
    if notes:
        sections["LEFT OUT"] = _left_out(notes)
    # Get-Help knows the topic by the first lines, which must be just like this.
    lines = ["TOPIC", f"{_MARGIN}about_{name}", ""]
    lines += ["SHORT DESCRIPTION", f"{_MARGIN}Commands of {_one_line(target)}.", ""]
    for title, paragraphs in sections.items():
        lines.append(title)
        for paragraph in paragraphs:
            lines += [*paragraph, ""]
    lines += ["SEE ALSO", *_text("about_Remote, about_PSSessions, Get-Module")]
    return "\n".join([*lines, ""])


def _origin(target: str, host: Host) -> Iterator[list[str]]:
    what = " ".join(filter(None, ("PowerShell", host.version, host.edition)))
    facts = [f"runs {what}"] if host.version else []
    facts += [f"on {host.os}"] if host.os else []
    yield _text(
        f"The commands of this module are commands of {target}. They run there: what "
        "you type travels to the host, and what comes back are copies of its objects, "
        "with their properties, and without their methods."
    )
    if facts:
        yield _text(
            f"When the module was made, the host said that it {' '.join(facts)}."
        )
    if host.identity:
        yield _text(
            f"It was made for what {host.identity} may do there. Others may find that "
            "the host refuses some of the commands, or has more."
        )


def _connects(connection: Connection, secret: str) -> Iterator[list[str]]:
    match connection.kind:
        case Kind.WSMAN | Kind.WINRS:
            where = connection.connection_uri or connection.host
            how = f"over WS-Management to {where}"
            if connection.configuration_name:
                how += f", configuration {connection.configuration_name}"
        case Kind.SSH:
            who = f"{connection.user_name}@" if connection.user_name else ""
            how = f"over SSH to {who}{connection.host}"
        case Kind.LOCAL:
            how = "to a PowerShell process on this computer, which it starts"
        case _:
            how = ""
    if not how:
        yield _text(
            "The module does not know how to reach its host by itself. Import it with "
            "a session, as below."
        )
        return
    yield _text(
        "At the first call, the module takes the session that it was given; else one "
        "of this PowerShell process to the same endpoint that is open and idle, or "
        "disconnected. If there is none it makes one, "
        f"{how}. That one it closes when the module is removed; others stay."
    )
    if secret:
        yield _text(
            f"The credential is the secret {secret} of "
            "Microsoft.PowerShell.SecretManagement."
        )
    elif connection.kind in (Kind.WSMAN, Kind.WINRS) and connection.user_name:
        yield _text(
            f"It asks for the password of {connection.user_name}, once, when it makes "
            "a session. The module contains no password."
        )


def environment(name: str) -> str:
    """How the environment variables begin that a module of that name reads."""
    return "PSEXPORT_" + re.sub("[^A-Za-z0-9]", "_", name) + "_"


def _overrides(name: str) -> Iterator[list[str]]:
    module = name if re.fullmatch(r"[\w.-]+", name) else Quoted(name).render()
    variable = environment(name)
    yield _text("Give it a session, session options, or both, when you import it:")
    yield _code(
        f"$session = New-PSSession -ComputerName server01\n"
        f"Import-Module {module} -ArgumentList $session\n"
        f"Import-Module {module} -ArgumentList $session, (New-PSSessionOption)"
    )
    yield _text("or settings, by the names of the parameters of New-PSSession:")
    yield _code(
        f"Import-Module {module} -ArgumentList @{{\n"
        "    HostName = 'server02'; UserName = 'admin'\n"
        "}"
    )
    yield _text(
        "HostName means SSH, ComputerName and ConnectionUri mean WS-Management, and "
        "Path means a local PowerShell. Credential may be a credential, or a script "
        "block that returns one; Secret is the name of a secret. Further settings are "
        "Port, KeyFilePath, Subsystem, UseSSL, ConfigurationName, Authentication, "
        "CertificateThumbprint, SkipCACheck, SkipCNCheck, OpenTimeout, "
        "OperationTimeout, Culture, UICulture, Retries, and Target, which is what "
        "messages call the host."
    )
    yield _text("Environment variables set the same, if they are there at the import:")
    yield _code(f"$env:{variable}HostName = 'server02'")


def _commands() -> Iterator[list[str]]:
    yield _text(
        "Get-Help shows the host's help of each command; no session is needed for it. "
        "All commands have -AsJob, which runs them in the background. Export the "
        "module again when the host has changed."
    )


def _left_out(notes: Sequence[tuple[str, str]]) -> Iterator[list[str]]:
    yield _text(
        "Parts of what the host says of its commands hold there only. The host still "
        "judges every call:"
    )
    by_name: dict[str, list[str]] = {}
    for name, what in notes:
        by_name.setdefault(name, []).append(what)
    listed = list(by_name.items())[:_MOST_NOTES]
    yield [line for name, what in listed for line in _item(name, what)]
    if len(by_name) > len(listed):
        yield _text(f"and {len(by_name) - len(listed):,} commands more.")


def _item(name: str, what: Iterable[str]) -> list[str]:
    text = f"{name}: {'; '.join(what)}"
    if len(text) > _LONGEST:
        text = text[:_LONGEST] + " ..."
    return _wrapped(text, _MARGIN, _MARGIN * 2)


def _text(text: str) -> list[str]:
    return _wrapped(text, _MARGIN, _MARGIN)


def _wrapped(text: str, first: str, others: str) -> list[str]:
    return textwrap.wrap(
        _one_line(text),
        80,
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _one_line(text: str) -> str:
    """What a host says, without what would move a line or control a terminal."""
    return _UNPRINTABLE.sub(" ", text)


def _code(text: str) -> list[str]:
    return [_MARGIN * 2 + line for line in text.split("\n")]


__all__ = ["environment", "render"]
