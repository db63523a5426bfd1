"""The product in one screen: fetch, select, generate, encode, sign, write.

:func:`export` is the Python interface. It comes down to
:func:`~.preparation.prepare` and :func:`run`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from .connection import Connection, Kind, parse
from .encoding import Locate, encoder
from .errors import UsageError
from .events import Event, Message, OnEvent, Problem, Severity, ignore
from .fetch import FetchRequest, fetch
from .generate import (
    GeneratedModule,
    ModuleOptions,
    build_module,
    drafter,
    reserved_names,
)
from .model import Catalogue, Command, CommandType, Selection, Skipped
from .order import Order, Spec, arguments, command_types, module_specs, path_text, texts
from .preparation import Prepared, prepare
from .pslang import UnrenderableError, Wildcard, fold, has_wildcards
from .results import ExportResult, WrittenFile
from .seal import Prompt, Seal
from .selection import SelectionRequest, select, wanted
from .selection.safety import inspector
from .transport.base import Argument, ModuleSpec, Session


def export(
    session: Session,
    output_module: str | os.PathLike[str],
    *,
    command_name: str | Sequence[str] | None = None,
    format_type_name: str | Sequence[str] | None = None,
    force: bool = False,
    encoding: str | int = "utf8NoBOM",
    allow_clobber: bool = False,
    argument_list: Argument = None,
    command_type: CommandType | str | Sequence[str] | None = None,
    module: str | Sequence[str] | None = None,
    fully_qualified_module: Spec | Sequence[Spec] | None = None,
    certificate: str | os.PathLike[str] | None = None,
    certificate_key: str | os.PathLike[str] | None = None,
    certificate_password_file: str | os.PathLike[str] | None = None,
    include_chain: str = "NotRoot",
    hash_algorithm: str = "SHA256",
    timestamp_server: str | Sequence[str] = (),
    fidelity: str = "Full",
    include_script_block: bool = False,
    include_help: bool | None = None,
    baseline: str | os.PathLike[str] = "pwsh-7",
    prefix: str = "",
    module_version: str = "1.0",
    secret: str = "",
    prompt: Prompt | None = None,
    on_event: OnEvent = ignore,
) -> ExportResult:
    """Export a session's commands and views to a module.

    If one of ``command_name``, ``command_type``, ``module``,
    ``fully_qualified_module`` and ``argument_list`` is given, views are exported only
    if ``format_type_name`` is too; if it alone is given, no commands are.

    :param session: an open session, see :func:`psexport.connect`.
    :param output_module: the module's folder if it is rooted or starts with a dot,
        else a name in the user's own module folder.
    :param command_name: names or wildcard patterns of commands.
    :param format_type_name: names or wildcard patterns of types with views.
    :param force: overwrite what is there, even files that are read-only.
    :param encoding: of the files, as ``-Encoding`` takes it.
    :param allow_clobber: export commands even if the baseline has their names.
    :param argument_list: export the variant of the commands that it, or these, give.
    :param command_type: types of commands: ``"Cmdlet"``, ``["Function", "Filter"]``.
    :param module: modules of the host whose commands are exported.
    :param fully_qualified_module: the same by specification, a name or a table with
        ``ModuleName`` and ``ModuleVersion``, ``RequiredVersion``, ``MaximumVersion``,
        ``Guid``. Not together with ``module``.
    :param certificate: PFX, PEM or DER file, or the address of a key service, to sign
        the module's files with.
    :param certificate_key: where the private key is, if it is elsewhere.
    :param certificate_password_file: file with the key's password.
    :param include_chain: ``Signer``, ``NotRoot`` or ``All``.
    :param hash_algorithm: ``SHA256``, ``SHA384`` or ``SHA512``.
    :param timestamp_server: addresses of time-stamp authorities, tried in order.
    :param fidelity: ``Full``, or ``Compatible`` for what Export-PSSession makes.
    :param include_script_block: keep the views' code of the host, to run here.
    :param include_help: export the commands' help too, as is done if nobody says,
        but for the fidelity ``Compatible``.
    :param baseline: what ``allow_clobber`` guards: ``pwsh-7``,
        ``windows-powershell-5.1``, ``none``, a file of command names, or ``pwsh:``,
        the PowerShell of this machine.
    :param prefix: put before the nouns of the exported commands.
    :param module_version: two to four numbers.
    :param secret: name of the SecretManagement secret with the credential for sessions
        that the module makes.
    :param prompt: asks a person for the key's password.
    :param on_event: is told what happens; what it raises ends the export.
    :return: what was written, and what was left out.
    :raises UsageError: the order makes no sense; nothing was done.
    :raises PSExportError: it failed; nothing was left behind.
    """
    if not isinstance(session, Session):
        raise UsageError(
            f"{session!r} is no session",
            id="CannotConvertArgumentNoMessage",
            target="session",
            hint="Open it first: psexport.connect(…).",
        )
    order = Order(
        output_module=os.fspath(output_module),
        command_name=texts(command_name),
        format_type_name=texts(format_type_name),
        force=force,
        encoding=str(encoding),
        allow_clobber=allow_clobber,
        argument_list=arguments(argument_list),
        command_type=command_types(command_type),
        module=texts(module),
        fully_qualified_module=module_specs(fully_qualified_module),
        certificate=path_text(certificate),
        certificate_key=path_text(certificate_key),
        certificate_password_file=path_text(certificate_password_file),
        include_chain=include_chain,
        hash_algorithm=hash_algorithm,
        timestamp_server=texts(timestamp_server) or (),
        fidelity=fidelity,
        include_script_block=include_script_block,
        include_help=include_help,
        baseline=os.fspath(baseline),
        prefix=prefix,
        module_version=module_version,
        secret=secret,
    )
    return run(prepare(order, prompt), session, on_event)


def build(
    catalogue: Catalogue,
    output_module: str | os.PathLike[str],
    *,
    session: str | None = None,
    command_name: str | Sequence[str] | None = None,
    format_type_name: str | Sequence[str] | None = None,
    force: bool = False,
    encoding: str | int = "utf8NoBOM",
    allow_clobber: bool = False,
    command_type: CommandType | str | Sequence[str] | None = None,
    certificate: str | os.PathLike[str] | None = None,
    certificate_key: str | os.PathLike[str] | None = None,
    certificate_password_file: str | os.PathLike[str] | None = None,
    include_chain: str = "NotRoot",
    hash_algorithm: str = "SHA256",
    timestamp_server: str | Sequence[str] = (),
    fidelity: str = "Full",
    include_script_block: bool = False,
    include_help: bool | None = None,
    baseline: str | os.PathLike[str] = "pwsh-7",
    prefix: str = "",
    module_version: str = "1.0",
    secret: str = "",
    prompt: Prompt | None = None,
    on_event: OnEvent = ignore,
) -> ExportResult:
    """Make a module of a captured catalogue, without a host.

    :param catalogue: what :func:`psexport.capture` returned.
    :param session: how the module will reach its host, as ``-Session`` says it;
        without it the module has to be given a session.

    The other parameters, the result and the errors are :func:`export`'s.
    """
    if not isinstance(catalogue, Catalogue):
        raise UsageError(
            f"{catalogue!r} is no catalogue",
            id="CannotConvertArgumentNoMessage",
            target="catalogue",
            hint="Capture one first: psexport.capture(session).",
        )
    order = Order(
        output_module=os.fspath(output_module),
        command_name=texts(command_name),
        format_type_name=texts(format_type_name),
        force=force,
        encoding=str(encoding),
        allow_clobber=allow_clobber,
        command_type=command_types(command_type),
        certificate=path_text(certificate),
        certificate_key=path_text(certificate_key),
        certificate_password_file=path_text(certificate_password_file),
        include_chain=include_chain,
        hash_algorithm=hash_algorithm,
        timestamp_server=texts(timestamp_server) or (),
        fidelity=fidelity,
        include_script_block=include_script_block,
        include_help=include_help,
        baseline=os.fspath(baseline),
        prefix=prefix,
        module_version=module_version,
        secret=secret,
    )
    connection = _NOWHERE if session is None else parse(session)
    heard = _Heard(on_event)
    return _make(prepare(order, prompt), catalogue, connection, heard, _Ahead(order))


#: Where a module leads that has to be given its session.
_NOWHERE = Connection(kind=Kind.CATALOG, path="a host")


def run(
    prepared: Prepared, session: Session, on_event: OnEvent, *, last: bool = False
) -> ExportResult:
    """Carry out an order with an open session.

    :param last: whether nobody wants the session any more: then it is closed while
        the module is written, since to say goodbye takes a host as long.
    :raises PSExportError: it failed; nothing was left behind.
    """
    heard = _Heard(on_event)
    ahead = _Ahead(prepared.order)
    request = _fetch_request(prepared.order)
    catalogue = fetch(session, request, heard, on_command=ahead.take)
    connection = session.connection or Connection(kind=Kind.CATALOG, path=session.name)
    with ThreadPoolExecutor(1) as meanwhile:
        closed = meanwhile.submit(session.close) if last else None
        result = _make(prepared, catalogue, connection, heard, ahead)
        if closed:
            closed.result()
    return result


#: Commands that are prepared ahead. No host has as many; one that pretends to should
#: fill no memory with what nobody asked for.
_MOST_AHEAD = 50_000


class _Ahead:
    """What is done about commands while the host still tells of others."""

    def __init__(self, order: Order) -> None:
        self.inspect = inspector()
        self.draft_of = drafter(compatible=order.is_compatible)
        self._count = 0

    def take(self, command: Command) -> None:
        self._count += 1
        if self._count > _MOST_AHEAD:
            return
        found = self.inspect(command)
        if isinstance(found, Command):
            # What makes no text is the business of whoever wants it.
            with suppress(UnrenderableError):
                self.draft_of(found)


def _make(
    prepared: Prepared,
    catalogue: Catalogue,
    connection: Connection,
    heard: _Heard,
    ahead: _Ahead,
) -> ExportResult:
    """From a catalogue to files: everything that needs no host."""
    order = prepared.order
    selection = select(
        catalogue,
        _selection_request(order),
        baseline=prepared.baseline,
        reserved=reserved_names(),
        inspect=ahead.inspect,
    )
    heard.left_out(selection)
    generated = build_module(
        selection,
        catalogue,
        _module_options(prepared, catalogue, connection),
        ahead.draft_of,
    )
    heard.notes(generated)
    contents = _sealed(prepared, generated)
    heard.encoding(prepared, generated)
    written = prepared.target.write(contents)
    return ExportResult(
        module=prepared.target.path,
        files=tuple(
            _checked(prepared.seal, path) for path in sorted(written, key=_top_first)
        ),
        commands=tuple(generated.manifest.functions),
        aliases=tuple(generated.manifest.aliases),
        formats=_formats(selection),
        skipped=tuple(
            dict.fromkeys((*heard.problems, *selection.skipped, *generated.skipped))
        ),
        warnings=tuple(heard.warnings),
        errors=tuple(dict.fromkeys(heard.problems)),
    )


def _fetch_request(order: Order) -> FetchRequest:
    commands, views = wanted(
        command_parameters=order.asks_for_commands,
        format_parameter=order.format_type_name is not None,
    )
    return FetchRequest(
        names=order.command_name or ("*",),
        types=order.command_type or CommandType.DEFAULT,
        modules=order.module or (),
        full_modules=order.fully_qualified_module or (),
        arguments=order.argument_list or (),
        wants_commands=commands,
        wants_views=views,
        format_type_names=order.format_type_name or ("*",),
        wants_help=order.wants_help,
    )


def _selection_request(order: Order) -> SelectionRequest:
    asked = _fetch_request(order)
    return SelectionRequest(
        names=asked.names if asked.wants_commands else (),
        types=asked.types,
        format_type_names=asked.format_type_names if asked.wants_views else (),
        prefix=order.prefix,
    )


def _module_options(
    prepared: Prepared, catalogue: Catalogue, connection: Connection
) -> ModuleOptions:
    order = prepared.order
    return ModuleOptions(
        name=prepared.target.path.name,
        connection=connection,
        compatible=order.is_compatible,
        include_script_block=order.include_script_block,
        include_help=order.wants_help,
        version=order.module_version,
        secret=order.secret,
        modules=_modules(order, catalogue),
    )


def _modules(order: Order, catalogue: Catalogue) -> tuple[str | Mapping[str, str], ...]:
    """Return the modules that a new session has to have, by their own names."""
    names: list[str] = []
    for name in order.module or ():
        if has_wildcards(name):
            pattern = Wildcard(name)
            names += [
                one.name for one in catalogue.modules if pattern.matches(one.name)
            ]
        else:
            names.append(name)
    specified = map(_specification, order.fully_qualified_module or ())
    return (*specified, *dict.fromkeys(names))


def _specification(spec: ModuleSpec) -> str | Mapping[str, str]:
    """Return a specification as PowerShell writes one, a mere name as what it is."""
    entries = {
        "ModuleName": spec.name,
        "ModuleVersion": spec.version,
        "RequiredVersion": spec.required_version,
        "MaximumVersion": spec.maximum_version,
        "Guid": spec.guid,
    }
    told = {key: value for key, value in entries.items() if value}
    return spec.name if len(told) == 1 else told


def _sealed(prepared: Prepared, generated: GeneratedModule) -> dict[str, bytes]:
    """Return the bytes of all files; the manifest last, for it vouches for others."""
    contents = {
        path: _finished(prepared, path, text) for path, text in generated.files.items()
    }
    hashes = {
        path: hashlib.sha256(data).hexdigest().upper()
        for path, data in contents.items()
        if path.endswith((".xml", ".txt"))
    }
    manifest = f"{prepared.target.path.name}.psd1"
    text = generated.manifest.render(hashes)
    contents[manifest] = _finished(prepared, manifest, text)
    return contents


def _finished(prepared: Prepared, path: str, text: str) -> bytes:
    """Encode a file, and sign it if that is wanted."""
    encoding = prepared.encoding
    if prepared.seal is None:
        return encoding.encode(text, _locator(path, text))
    if encoding.codec == "utf-8" and not text.isascii():
        # Windows hashes the text, which it knows only if the file has a mark.
        encoding = encoder("utf8BOM")
    return prepared.seal.apply(path, encoding.encode(text, _locator(path, text)))


def _locator(path: str, text: str) -> Locate:
    """Return what says which command, or else which file, an offset is in."""

    def locate(offset: int) -> str:
        start = text.rfind("\nfunction ", 0, offset)
        if start < 0:
            # What stands above the commands repeats what is in one of them.
            start = text.rfind("\nfunction ", 0, text.rfind(text[offset]))
        if start < 0 or not path.endswith(".psm1"):
            return path
        return f"the command {text[start:].split(maxsplit=2)[1]} in {path}"

    return locate


def _top_first(path: Path) -> tuple[int, Path]:
    return len(path.parts), path


def _formats(selection: Selection) -> tuple[str, ...]:
    names = {name for views in selection.views for name in views.type_names}
    return tuple(sorted(names, key=fold))


def _checked(seal: Seal | None, path: Path) -> WrittenFile:
    """Say what is on the disk, whatever we think that we wrote."""
    data = path.read_bytes()
    return WrittenFile(
        path=path,
        length=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        signature=seal.status(path.name, data) if seal else None,
    )


class _Heard:
    """Listens for the result's sake, and passes everything on."""

    def __init__(self, on_event: OnEvent) -> None:
        self._on_event = on_event
        self.problems: list[Skipped] = []
        self.warnings: list[str] = []

    def __call__(self, event: Event) -> None:
        if isinstance(event, Problem):
            self.problems.append(event.skipped)
        elif isinstance(event, Message) and event.severity is Severity.WARNING:
            self.warnings.append(event.text)
        self._on_event(event)

    def left_out(self, selection: Selection) -> None:
        """Say what selecting found wrong."""
        for skipped in selection.errors:
            self(Problem(skipped))
        for warning in selection.warnings:
            self(Message(Severity.WARNING, warning))

    def notes(self, generated: GeneratedModule) -> None:
        """Say what cannot be written, and what is lost to who wants to know all."""
        for refused in generated.refused:
            self(Problem(refused))
        for skipped in generated.skipped:
            text = f"{skipped.name}: {skipped.reason}"
            self(Message(Severity.VERBOSE, text, skipped.id))
        for name, note in generated.notes:
            self(Message(Severity.VERBOSE, f"{name}: {note}"))

    def encoding(self, prepared: Prepared, generated: GeneratedModule) -> None:
        """Say who would misread the files."""
        encoding = prepared.encoding
        if encoding.warning:
            self(Message(Severity.WARNING, encoding.warning))
        misread = {
            shell: path
            for path, text in generated.files.items()
            for shell in encoding.misread_by(text)
        }
        if prepared.seal is None and misread:
            self(
                Message(
                    Severity.WARNING,
                    f"{' and '.join(misread)} would misread characters of "
                    f"{', '.join(dict.fromkeys(misread.values()))} in the encoding "
                    f"{encoding.name}; use -Encoding utf8BOM",
                )
            )
