"""Help for the proxies: a ``NAME-help.xml``, in the schema that Get-Help calls MAML.

What a command takes is read from its metadata, as the proxy is; what it is for is the
host's text. For a command that the host does not document PowerShell makes up help from
the proxy; only where that would be wrong, as a proxy leaves types to the host and may
have parameters of its own, the command gets what would have been made up there.

PowerShell 7 finds ``NAME-help.xml`` by its name; older ones want each function to name
its file, and so does a second file.

The two kinds of topic are told apart as PowerShell does: documented, an array of
strings is ``String[]`` and the first position is 1; made up, ``string[]`` and 0.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ..model import (
    ALL_SETS,
    Command,
    Help,
    HelpExample,
    HelpParameter,
    Membership,
    Parameter,
    Proxy,
    ValidationKind,
)
from ..pslang import COMMON_PARAMETERS, NameKind, fold, is_safe_name
from .pages import is_page
from .types import ACCELERATORS
from .xml import DECLARATION, attribute, element, escape, leaf

_MAML = "http://schemas.microsoft.com/maml"
_NAMESPACES = (
    attribute("xmlns:maml", f"{_MAML}/2004/10")
    + attribute("xmlns:command", f"{_MAML}/dev/command/2004/10")
    + attribute("xmlns:dev", f"{_MAML}/dev/2004/10")
)
_START = f'{DECLARATION}\n<helpItems xmlns="http://msh" schema="maml">\n'
_END = "</helpItems>\n"
#: Characters. The first Get-Help for a command reads the whole file that it is in, and
#: takes half a second for a million.
MOST_IN_ONE_FILE = 2_000_000
#: Languages are two or three letters, but "con" and its like are devices on Windows.
_CULTURE = re.compile(
    r"(?!(?:con|prn|aux|nul)\b)[a-z]{2,3}(-[a-z0-9]{2,8}){0,3}",
    re.ASCII | re.IGNORECASE,
)
#: PowerShell takes no more sets of one command.
_MOST_SETS = 32
#: More values than this are no help in a syntax: the type is shown instead.
_MOST_VALUES = 100

_SWITCH = "System.Management.Automation.SwitchParameter"
_SHOULD_PROCESS = (
    Parameter("WhatIf", _SWITCH, ("wi",), is_switch=True),
    Parameter("Confirm", _SWITCH, ("cf",), is_switch=True),
)
_PAGING = (
    Parameter("IncludeTotalCount", _SWITCH, is_switch=True),
    Parameter("Skip", "System.UInt64"),
    Parameter("First", "System.UInt64"),
)


@dataclass(frozen=True, slots=True)
class HelpFile:
    """A help file.

    :ivar name: of the file.
    :ivar commands: the proxies whose topics are in it.
    """

    name: str
    text: str
    commands: tuple[str, ...]


def render(
    module: str, proxies: Iterable[Proxy], topics: Mapping[str, Help]
) -> Iterator[HelpFile]:
    """Yield the help files of a module: at least one.

    :param module: its name; the first file is ``NAME-help.xml``.
    :param proxies: what the module has.
    :param topics: the host's help, by the names of its commands.
    """
    for number, chunk in enumerate(_chunks(proxies, topics), 1):
        suffix = f"-{number}-help.xml" if number > 1 else "-help.xml"
        text = "".join((_START, *chunk.values(), _END))
        yield HelpFile(module + suffix, text, tuple(chunk))


def cultures(host: str) -> tuple[str, ...]:
    """Return the folders that help belongs into.

    It is in the host's language, whatever that is; but en-US is where every PowerShell
    looks in the end.

    :param host: the host's culture, as it says.
    """
    if _CULTURE.fullmatch(host) and host.lower() != "en-us":
        return ("en-US", host)
    return ("en-US",)


def _chunks(
    proxies: Iterable[Proxy], topics: Mapping[str, Help]
) -> Iterator[dict[str, str]]:
    """Name and topic of each proxy, as many as go into one file."""
    chunk: dict[str, str] = {}
    size = 0
    for proxy in proxies:
        command = proxy.command
        told = topics.get(command.resolved_name or command.name)
        topic = _Topic(proxy.name, command, told).render()
        size += len(topic)
        if chunk and size > MOST_IN_ONE_FILE:
            yield chunk
            chunk, size = {}, len(topic)
        chunk[proxy.name] = topic
    yield chunk


class _Topic:
    """The help of one command.

    :param topic: what the host says of it; ``None`` if nothing.
    """

    def __init__(self, name: str, command: Command, topic: Help | None) -> None:
        self._name = name
        self._command = command
        self._told = topic or Help(name)
        self._documented = _says_something(self._told)
        self._sets = command.sets[:_MOST_SETS]
        self._parameters = tuple(_parameters(command))

    def render(self) -> str:
        told = self._told
        syntax = list(self._syntax())
        made_up = "\n\n".join(text for _, text in syntax)
        parts = (
            self._details(told.synopsis if self._documented else made_up),
            _prose("maml:description", told.description),
            element("command:syntax", *(xml for xml, _ in syntax)),
            element("command:parameters", *self._about_parameters()),
            element("command:inputTypes", *_typed("inputType", self._inputs())),
            element("command:returnValues", *_typed("returnValue", self._outputs())),
            *(_note(title, text) for title, text in told.notes),
            element("command:examples", *map(_example, told.examples)),
            element("maml:relatedLinks", *self._links()),
        )
        command = element("command:command", *parts, attributes=_NAMESPACES)
        return f"{command}\n{self._filters()}"

    def _details(self, synopsis: str) -> str:
        verb, dash, noun = self._name.partition("-")
        named = [leaf("command:name", self._name)]
        if dash:
            named += [leaf("command:verb", verb), leaf("command:noun", noun)]
        return element("command:details", *named, _prose("maml:description", synopsis))

    def _syntax(self) -> Iterator[tuple[str, str]]:
        """Each parameter set as XML, and as one line of text."""
        for name in self._sets:
            ordered = sorted(
                (
                    (place, parameter)
                    for parameter in self._parameters
                    for place in parameter.memberships
                    if place.set in (name, ALL_SETS)
                ),
                key=lambda one: _rank(one[0]),
            )
            items = [
                _in_syntax(parameter, place, self._documented)
                for place, parameter in ordered
            ]
            words = [self._name, *(text for _, text in items)]
            if self._command.advanced is not False:
                words.append("[<CommonParameters>]")
            yield (
                element(
                    "command:syntaxItem",
                    leaf("maml:name", self._name),
                    *(xml for xml, _ in items),
                ),
                " ".join(words),
            )

    def _about_parameters(self) -> Iterator[str]:
        about = {fold(one.name): one for one in self._told.parameters}
        for parameter in self._parameters:
            yield _parameter(
                parameter,
                about.pop(fold(parameter.name), None),
                self._first_place(parameter),
                self._documented,
            )
        # What the host documents but does not declare comes at call time.
        for key, one in about.items():
            safe = is_safe_name(one.name, NameKind.PARAMETER)
            if safe and key not in COMMON_PARAMETERS:
                dynamic = Parameter(one.name, type_name="")
                yield _parameter(dynamic, one, Membership(), self._documented)

    def _first_place(self, parameter: Parameter) -> Membership:
        """Its membership in the first of the sets that it is in."""
        places = {one.set: one for one in parameter.memberships}
        for name in (ALL_SETS, *self._sets):
            if name in places:
                return places[name]
        return Membership()

    def _inputs(self) -> Iterable[tuple[str, str]]:
        if self._documented:
            return self._told.inputs
        types = dict.fromkeys(
            one.type_name for one in self._parameters if _takes_input(one) != "false"
        )
        return [(name, "") for name in types or ("None",)]

    def _outputs(self) -> Iterable[tuple[str, str]]:
        if self._told.outputs:
            return self._told.outputs
        made_up = () if self._documented else ("System.Object",)
        return [(name, "") for name in self._command.output_types or made_up]

    def _links(self) -> Iterator[str]:
        """The links, first the page that ``Get-Help -Online`` opens."""
        online = self._command.help_uri
        if is_page(online) and all(uri != online for _, uri in self._told.links):
            yield _link("Online Version:", online)
        for text, uri in sorted(
            self._told.links, key=lambda link: link[1] != online or not online
        ):
            if is_page(uri):
                yield _link(text, uri)
            else:
                yield _link(f"{text} {uri}".strip(), "")

    def _filters(self) -> str:
        """What ``Get-Help -Component``, ``-Role`` and ``-Functionality`` look for."""
        told = self._told
        filters = {
            "component": told.component,
            "role": told.role,
            "functionality": told.functionality,
        }
        if not any(filters.values()):
            return ""
        given = (leaf(tag, text) for tag, text in filters.items() if text)
        return element("UserDefinedData", leaf("name", self._name), *given) + "\n"


def _says_something(topic: Help) -> bool:
    """Whether somebody wrote it; a host may have found an empty one."""
    parts = (
        topic.synopsis,
        topic.description,
        topic.examples,
        topic.inputs,
        topic.outputs,
        topic.notes,
    )
    return any(parts) or any(one.description for one in topic.parameters)


def _parameters(command: Command) -> Iterator[Parameter]:
    """All that a caller may type: its own, and those that come with its binding."""
    yield from command.parameters
    extra: tuple[Parameter, ...] = ()
    if command.supports_should_process:
        extra += _SHOULD_PROCESS
    if command.supports_paging:
        extra += _PAGING
    if extra:
        own = {fold(one.name) for one in command.parameters}
        yield from (one for one in extra if fold(one.name) not in own)


def _rank(place: Membership) -> tuple[int, int]:
    """Where a parameter stands in the syntax: as in ``Get-Command -Syntax``."""
    if place.position is not None:
        return (0, place.position)
    return (1 if place.mandatory else 2, 0)


@functools.lru_cache(maxsize=4096)  # a host repeats its parameters
def _in_syntax(
    parameter: Parameter, place: Membership, documented: bool
) -> tuple[str, str]:
    """A parameter of one set, as XML and as ``Get-Command -Syntax`` writes it."""
    name, kind = parameter.name, _type_text(parameter.type_name, documented)
    parts = [leaf("maml:name", name)]
    text = f"-{name}" if place.position is None else f"[-{name}]"
    if not parameter.is_switch:
        text += f" <{kind}>"
        if values := _values(parameter):
            leaves = (leaf("command:parameterValue", value) for value in values)
            parts.append(element("command:parameterValueGroup", *leaves))
        else:
            parts.append(_value(parameter, kind))
    xml = element("command:parameter", *parts, attributes=_place(place, documented))
    return xml, text if place.mandatory else f"[{text}]"


@functools.lru_cache(maxsize=4096)
def _parameter(
    parameter: Parameter,
    about: HelpParameter | None,
    place: Membership,
    documented: bool,
) -> str:
    """A parameter with all that is known of it."""
    parts = [leaf("maml:name", parameter.name)]
    if about is not None and about.description:
        parts.append(_prose("maml:description", about.description))
    if kind := _type_text(parameter.type_name, documented):
        if documented or not parameter.is_switch:
            parts.append(_value(parameter, kind))
        parts.append(element("dev:type", leaf("maml:name", kind)))
    if about is not None and (default := _default(parameter, about)):
        parts.append(leaf("dev:defaultValue", default))
    globbing = "true" if about is not None and about.globbing else "false"
    aliases = attribute("aliases", ", ".join(parameter.aliases) or "None")
    return element(
        "command:parameter",
        *parts,
        attributes=f'{_place(place, documented)} globbing="{globbing}"'
        f' pipelineInput="{_takes_input(parameter)}"{aliases}',
    )


def _place(place: Membership, documented: bool) -> str:
    if place.position is not None:
        position = str(place.position + documented)
    else:
        position = "named" if documented else "Named"
    required = "true" if place.mandatory else "false"
    return f' required="{required}" position="{position}"'


def _default(parameter: Parameter, about: HelpParameter) -> str:
    has_default = parameter.is_switch and parameter not in _SHOULD_PROCESS
    return about.default_value or ("False" if has_default else "")


def _takes_input(parameter: Parameter) -> str:
    by_value = by_name = False
    for place in parameter.memberships:
        by_value |= place.from_pipeline
        by_name |= place.from_pipeline_by_name
    if by_value and by_name:
        return "true (ByValue, ByPropertyName)"
    if by_value or by_name:
        return "true (ByValue)" if by_value else "true (ByPropertyName)"
    return "false"


def _value(parameter: Parameter, kind: str) -> str:
    required = ' required="false"' if parameter.is_switch else ' required="true"'
    return element("command:parameterValue", escape(kind), attributes=required)


def _values(parameter: Parameter) -> tuple[str, ...]:
    """The values of an enum or of a ValidateSet, if they can be listed."""
    values = parameter.enum_values
    for validation in parameter.validations:
        if validation.kind is ValidationKind.SET:
            values = validation.arguments[1:]
    return values if len(values) <= _MOST_VALUES else ()


#: How PowerShell 7 calls types where it makes help up.
_SPOKEN = ACCELERATORS | {
    "System.Object": "Object",
    "System.Int16": "short",
    "System.UInt16": "ushort",
    "System.UInt32": "uint",
    "System.UInt64": "ulong",
    "System.Text.RegularExpressions.Regex": "regex",
}
_NAME = re.compile(r"([^\W\d][\w.+]*)(?:`\d+)?")
_NULLABLE = re.compile(r"System\.Nullable`1\[\[(.*)\]\]", re.DOTALL)


@functools.lru_cache(maxsize=4096)
def _type_text(type_name: str, documented: bool) -> str:
    """A type as help calls it: without namespace, and without what Nullable adds."""

    def short(match: re.Match[str]) -> str:
        if not documented and match[1] in _SPOKEN:
            return _SPOKEN[match[1]]
        return re.split(r"[.+]", match[1])[-1]

    if (inner := _NULLABLE.fullmatch(type_name)) is not None:
        type_name = inner[1]
    text = _NAME.sub(short, type_name)
    return text.replace("],[", ",").replace("[[", "[").replace("]]", "]")


def _prose(tag: str, text: str) -> str:
    """One paragraph: Get-Help keeps the lines in it as they are."""
    return element(tag, leaf("maml:para", text)) if text else ""


def _typed(tag: str, entries: Iterable[tuple[str, str]]) -> Iterator[str]:
    for name, description in entries:
        yield element(
            f"command:{tag}",
            element("dev:type", leaf("maml:name", name)),
            _prose("maml:description", description),
        )


def _note(title: str, text: str) -> str:
    return element(
        "maml:alertSet",
        leaf("maml:title", title) if title else "",
        _prose("maml:alert", text),
    )


def _example(example: HelpExample) -> str:
    prompt = example.introduction
    if prompt.endswith(">"):
        prompt += " "  # the code comes right behind it
    return element(
        "command:example",
        leaf("maml:title", example.title),
        _prose("maml:introduction", prompt),
        leaf("dev:code", example.code),
        _prose("dev:remarks", example.remarks),
    )


def _link(text: str, uri: str) -> str:
    return element(
        "maml:navigationLink", leaf("maml:linkText", text), leaf("maml:uri", uri)
    )


__all__ = ["HelpFile", "cultures", "render"]
