"""From a selection to texts: pure, deterministic, and no host in sight.

:func:`build_module` is the way in. Each kind of file has a module here that renders
it; who adds a kind of file adds such a module and a line in :func:`build_module`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from ..connection import Connection
from ..model import Alias, Catalogue, Command, Host, Proxy, Selection, Skipped
from ..once import once
from ..pslang import fold
from ..pslang.render import LiteralValue, UnrenderableError
from . import about, format, help, proxy, psm1
from .design import design
from .endpoint import endpoint
from .psd1 import Manifest


@dataclass(frozen=True, slots=True)
class ModuleOptions:
    """What the caller decides about a module.

    :ivar name: of the module, without path.
    :ivar connection: how the host was reached, and will be again.
    :ivar compatible: make what Export-PSSession would have made.
    :ivar include_script_block: keep code of the host in views.
    :ivar include_help: write help of the commands, if there are any, and a topic about
        the module.
    :ivar version: of the module.
    :ivar modules: modules to import on each new session: names, or specifications
        with Import-Module's keys.
    :ivar secret: name of the SecretManagement secret with the host's credential.
    """

    name: str
    connection: Connection
    compatible: bool = False
    include_script_block: bool = False
    include_help: bool = True
    version: str = "1.0"
    modules: tuple[str | Mapping[str, str], ...] = ()
    secret: str = ""


@dataclass(frozen=True, slots=True)
class GeneratedModule:
    """The texts of a module.

    :ivar files: path with forward slashes → text, but for the manifest, which may
        have to vouch for the bytes of the others.
    :ivar manifest: renders the psd1.
    :ivar refused: commands that cannot be written, each an error.
    :ivar skipped: what of the views was left out.
    :ivar notes: what proxies and views lost, in words: (name, what).
    """

    files: Mapping[str, str]
    manifest: Manifest
    refused: tuple[Skipped, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    notes: tuple[tuple[str, str], ...] = ()


#: Writes the proxy of a command, but for its name and its help.
DraftOf = Callable[[Command], proxy.Draft]


def reserved_names() -> frozenset[str]:
    """Return the folded names of functions that a module has for itself."""
    return frozenset(map(fold, psm1.runtime_functions()))


def drafter(*, compatible: bool = False) -> DraftOf:
    """Return what writes proxies, but for their names and their help.

    Nearly all of a proxy's text hangs on its command alone. Written while the host
    still tells of other commands it costs no time, and it is written once.

    :param compatible: flatten commands as Export-PSSession does.
    """
    return once(lambda command: proxy.draft(design(command, compatible=compatible)))


def build_module(
    selection: Selection,
    catalogue: Catalogue,
    options: ModuleOptions,
    draft_of: DraftOf | None = None,
) -> GeneratedModule:
    """Render all files of a module.

    :param selection: what becomes part of it; all its names are safe.
    :param catalogue: where the selection came from: the host, and help.
    :param draft_of: a :func:`drafter` that may have written some already, as
        compatible as the options say.
    """
    drafted, refused = _drafted(
        selection.proxies, draft_of or drafter(compatible=options.compatible)
    )
    topics: list[help.HelpFile] = []
    has_help = options.include_help and bool(selection.proxies)
    if has_help:
        in_need = [
            each
            for each, _, draft in drafted
            if (each.command.resolved_name or each.command.name) in catalogue.help
            or not draft.speaks_for_itself
        ]
        topics += help.render(options.name, in_need, catalogue.help)
    pages = {name: file.name for file in topics for name in file.commands}
    proxies = [
        part
        for each, opening, draft in drafted
        for part in (opening, proxy.help_line(pages.get(each.name)), draft.body)
    ]
    notes = [(each.name, lost) for each, _, draft in drafted for lost in draft.left_out]
    functions = [each.name for each, *_ in drafted]
    made = frozenset(functions)
    aliases = {
        alias.name: alias.target
        for alias in selection.aliases
        if alias.target is not None and alias.target in made
    }
    specials: dict[str, LiteralValue] = {
        draft.command: dict(draft.special) for *_, draft in drafted if draft.special
    }
    views = format.render(
        selection.views,
        compatible=options.compatible,
        include_script_block=options.include_script_block,
    )
    host = catalogue.host
    target = options.connection.name
    settings: dict[str, LiteralValue] = {
        "Name": options.name,
        "Environment": about.environment(options.name),
        "Target": target,
        "FullLanguage": host.language_mode == "FullLanguage",
        "ShowOrigin": options.compatible,
        "Hash": host.implicit_remoting_hash,
        "HostVersion": host.version,
        "Modules": list(options.modules),
        "Endpoint": endpoint(options.connection, secret=options.secret),
    }
    banner = (
        f"The module {options.name}, made by psexport.\n"
        f"Its commands are commands of {target} and run there."
    )
    if has_help:
        banner += (
            " How it finds its session, and how to give it another: "
            f"Get-Help about_{options.name}"
        )
    script = psm1.render(banner, settings, proxies, aliases, specials)
    format_file = f"{options.name}.format.ps1xml"
    manifest = Manifest(
        name=options.name,
        target=target,
        version=options.version,
        functions=functions,
        # All of them: one whose command is not exported is a function of its name.
        aliases=[alias.name for alias in selection.aliases if _has(alias, made)],
        format_file=format_file,
        has_about=has_help,
        provenance={
            "Host": target,
            "HostVersion": host.version,
            "HostEdition": host.edition,
            "Identity": host.identity,
            "Hash": host.implicit_remoting_hash,
            "Fingerprint": _fingerprint(*proxies, *aliases, views.text),
        },
    )
    files = {f"{options.name}.psm1": script, format_file: views.text}
    if has_help:
        files |= _help(topics, host, options, notes)
    return GeneratedModule(
        files=files,
        manifest=manifest,
        refused=tuple(refused),
        skipped=views.skipped,
        notes=tuple(notes),
    )


def _drafted(
    chosen: tuple[Proxy, ...], draft_of: DraftOf
) -> tuple[list[tuple[Proxy, str, proxy.Draft]], list[Skipped]]:
    """Return the proxies that can be written, with their text, and the others."""
    drafted = []
    refused = []
    for each in chosen:
        try:
            opening = proxy.opening(each.name)
            drafted.append((each, opening, draft_of(each.command)))
        except UnrenderableError as error:
            # Selection lets no such name through; text elsewhere in the metadata may
            # still be what no file can hold, and costs this command alone.
            refused.append(Skipped(each.command.name, error.id, error.message))
    return drafted, refused


def _has(alias: Alias, functions: frozenset[str]) -> bool:
    return (alias.target or alias.name) in functions


def _help(
    topics: Sequence[help.HelpFile],
    host: Host,
    options: ModuleOptions,
    notes: Sequence[tuple[str, str]],
) -> dict[str, str]:
    """Return the files of help, in each of their folders."""
    texts = {file.name: file.text for file in topics}
    texts[f"about_{options.name}.help.txt"] = about.render(
        options.name, options.connection, host, secret=options.secret, notes=notes
    )
    return {
        f"{culture}/{name}": text
        for culture in help.cultures(host.ui_culture)
        for name, text in texts.items()
    }


def _fingerprint(*texts: str) -> str:
    """Return what is the same for as long as the host has the same to export."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode("utf-8", "surrogatepass"))
    return digest.hexdigest()[:32]


__all__ = [
    "GeneratedModule",
    "ModuleOptions",
    "build_module",
    "drafter",
    "reserved_names",
]
