"""PSRP's messages, as far as questions and answers travel in them.

Both ways are here, so that a live session, a recording and the reader of a recording
agree: a :class:`~.base.Question` to the message that asks it and back, a record to the
message that carries it and back.
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from .. import clixml
from ..errors import UsageError
from ..pslang import TypedInt
from ..vocabulary import CommandType
from .base import (
    Argument,
    Call,
    Commands,
    MetadataQuery,
    ModuleSpec,
    PipelineState,
    Question,
    Record,
    Script,
    Stream,
    Version,
)

if TYPE_CHECKING:
    from psrpcore.types import PSObject


#: Integers that say what they are → psrpcore's name for that.
_INTEGERS = {
    "System.SByte": "PSSByte",
    "System.Byte": "PSByte",
    "System.Int16": "PSInt16",
    "System.UInt16": "PSUInt16",
    "System.UInt32": "PSUInt",
    "System.Int64": "PSInt64",
    "System.UInt64": "PSUInt64",
}


class MessageType(enum.IntEnum):
    """The kinds of PSRP messages, with MS-PSRP's names and numbers."""

    SESSION_CAPABILITY = 0x00010002
    INIT_RUNSPACEPOOL = 0x00010004
    PUBLIC_KEY = 0x00010005
    ENCRYPTED_SESSION_KEY = 0x00010006
    PUBLIC_KEY_REQUEST = 0x00010007
    CONNECT_RUNSPACEPOOL = 0x00010008
    SET_MAX_RUNSPACES = 0x00021002
    SET_MIN_RUNSPACES = 0x00021003
    RUNSPACE_AVAILABILITY = 0x00021004
    RUNSPACEPOOL_STATE = 0x00021005
    CREATE_PIPELINE = 0x00021006
    GET_AVAILABLE_RUNSPACES = 0x00021007
    USER_EVENT = 0x00021008
    APPLICATION_PRIVATE_DATA = 0x00021009
    GET_COMMAND_METADATA = 0x0002100A
    RUNSPACEPOOL_INIT_DATA = 0x0002100B
    RESET_RUNSPACE_STATE = 0x0002100C
    RUNSPACEPOOL_HOST_CALL = 0x00021100
    RUNSPACEPOOL_HOST_RESPONSE = 0x00021101
    PIPELINE_INPUT = 0x00041002
    END_OF_PIPELINE_INPUT = 0x00041003
    PIPELINE_OUTPUT = 0x00041004
    ERROR_RECORD = 0x00041005
    PIPELINE_STATE = 0x00041006
    DEBUG_RECORD = 0x00041007
    VERBOSE_RECORD = 0x00041008
    WARNING_RECORD = 0x00041009
    PROGRESS_RECORD = 0x00041010
    INFORMATION_RECORD = 0x00041011
    PIPELINE_HOST_CALL = 0x00041100
    PIPELINE_HOST_RESPONSE = 0x00041101


#: Messages that are records just as they are; a state is one after some reading.
STREAMS = {
    MessageType.PIPELINE_OUTPUT: Stream.OUTPUT,
    MessageType.ERROR_RECORD: Stream.ERROR,
    MessageType.WARNING_RECORD: Stream.WARNING,
    MessageType.VERBOSE_RECORD: Stream.VERBOSE,
    MessageType.DEBUG_RECORD: Stream.DEBUG,
    MessageType.INFORMATION_RECORD: Stream.INFORMATION,
    MessageType.PROGRESS_RECORD: Stream.PROGRESS,
}

_MODULE_TYPE = (
    "Microsoft.PowerShell.Commands.ModuleSpecification",
    "System.Object",
)
#: A version as a maximum may end in a star; this one is above all others.
_NO_MAXIMUM = "*"
_ENDS = frozenset(int(state) for state in PipelineState)
_TYPES = {stream: type for type, stream in STREAMS.items()}


def record_of(type: MessageType, data: bytes) -> Record | None:
    """The record that a pipeline's message carries; ``None`` if it carries none.

    A state that is not an end (running, stopping) is none.

    :raises MalformedError: a PIPELINE_STATE that cannot be read.
    """
    stream = STREAMS.get(type)
    if stream is not None:
        return Record(stream, data)
    if type is not MessageType.PIPELINE_STATE:
        return None
    document = clixml.parse(data)
    said = document.properties(document.root)
    number = clixml.number(said.get("PipelineState"))
    if number is None or number not in _ENDS:
        return None
    reason = said.get("ExceptionAsErrorRecord")
    return Record(
        Stream.STATE,
        b"" if reason is None or clixml.is_nil(reason) else _standalone(reason),
        PipelineState(number),
    )


def message_of(record: Record) -> tuple[MessageType, bytes]:
    """The message that carries a record: :func:`record_of` backwards."""
    if record.stream is not Stream.STATE:
        return _TYPES[record.stream], record.data
    state = record.state or PipelineState.COMPLETED
    return MessageType.PIPELINE_STATE, b"".join(
        (
            # No RefId: the number could be one that the reason has inside.
            b'<Obj><MS><I32 N="PipelineState">%d</I32>' % state,
            record.data.replace(b"<Obj", b'<Obj N="ExceptionAsErrorRecord"', 1),
            b"</MS></Obj>",
        )
    )


def _standalone(node: clixml.Node) -> bytes:
    """A property's value as a document of its own."""
    from lxml import etree

    del node.attrib["N"]
    data: bytes = etree.tostring(node, encoding="utf-8", with_tail=False)
    return data


def compose(question: Question) -> tuple[MessageType, PSObject]:
    """The message that asks a question, as psrpcore serializes it.

    :raises UsageError: it has what cannot be sent, such as a version that is none.
    """
    try:
        if isinstance(question, MetadataQuery):
            return MessageType.GET_COMMAND_METADATA, _metadata(question)
        return MessageType.CREATE_PIPELINE, _pipeline(question)
    except ValueError as error:
        raise UsageError(
            f"that cannot be asked of a host: {error}",
            id="ErrorInvalidParameterValue",
            hint="check versions, GUIDs and numbers among the parameters",
        ) from error


def _pipeline(question: Commands | Script) -> PSObject:
    from psrpcore import Command, PowerShell

    pipeline = PowerShell(no_input=True)
    if isinstance(question, Script):
        asked: Sequence[Call | Script] = (question,)
    else:
        asked = question.calls
    if not asked:
        raise ValueError("a pipeline without commands")
    for call in asked:
        is_script = isinstance(call, Script)
        text = call.text if isinstance(call, Script) else call.name
        command = Command(_sendable(text), is_script=is_script)
        # psrpcore would send the text twice, and the second time as it is.
        command.PSObject.to_string = ""
        for name, value in call.parameters:
            command.add_parameter(_sendable(name), _argument(value))
        pipeline.commands.append(command)
    return pipeline


def serialized(message: PSObject) -> bytes:
    """A composed message as CLIXML."""
    from xml.etree import ElementTree

    from psrpcore import PSRemotingCrypto
    from psrpcore.types import serialize

    element = serialize(message, cipher=PSRemotingCrypto())
    data: bytes = ElementTree.tostring(element, encoding="utf-8")
    return data


def _metadata(question: MetadataQuery) -> PSObject:
    from psrpcore.types import PSObject, add_note_property

    message = PSObject()
    message.PSObject.type_names = []
    modules = [_module(spec) for spec in question.full_modules]
    arguments = [_argument(value) for value in question.arguments]
    for name, value in (
        ("Name", _argument(question.names)),
        # A plain number: psrpcore's enum lacks Workflow.
        ("CommandType", int(question.types)),
        ("Namespace", _argument(question.modules)),
        ("FullyQualifiedModule", modules or None),
        ("ArgumentList", arguments or None),
    ):
        add_note_property(message, name, value)
    return message


def _module(spec: ModuleSpec) -> PSObject:
    """A ModuleSpecification, with all its properties.

    A host hangs on anything less, such as a hashtable or a property left out, and
    its Get-Command trips over a maximum that is null.
    """
    from psrpcore.types import PSGuid, PSNoteProperty, PSObject, PSVersion

    module = PSObject()
    module.PSObject.type_names = list(_MODULE_TYPE)
    for name, type, value in (
        ("Name", str, _sendable(spec.name)),
        ("Version", PSVersion, spec.version),
        ("RequiredVersion", PSVersion, spec.required_version),
        ("MaximumVersion", str, spec.maximum_version or _NO_MAXIMUM),
        ("Guid", PSGuid, spec.guid),
    ):
        typed = None if value is None else type(value)
        module.PSObject.adapted_properties.append(PSNoteProperty(name, value=typed))
    return module


def _argument(value: Argument) -> Any:
    from psrpcore.types import PSDecimal, PSDouble, PSVersion

    if isinstance(value, Version):
        return PSVersion(value.text)
    if isinstance(value, str):
        return _sendable(value)
    if isinstance(value, float):
        return PSDouble(value)
    if isinstance(value, Decimal):
        return PSDecimal(value)
    if isinstance(value, TypedInt) and value.type_name in _INTEGERS:
        return _integer(value)
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise ValueError(f"{value} is no 64-bit number")
    if isinstance(value, Sequence):
        return [_argument(item) for item in value]
    return value


def _integer(value: TypedInt) -> Any:
    import psrpcore.types

    return getattr(psrpcore.types, _INTEGERS[value.type_name])(value)


def _sendable(text: str) -> str:
    """Text without what CLIXML cannot say: half surrogates, and two non-characters."""
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return whole.replace("\ufffe", "\ufffd").replace("\uffff", "\ufffd")


def question_of(type: MessageType, data: bytes) -> Question | None:
    """The question that a client's message asks: :func:`compose` backwards.

    ``None`` where it asks what no :class:`~.base.Question` can say, for example
    several statements, or an argument without a name.

    :raises MalformedError: the message cannot be read.
    """
    document = clixml.parse(data)
    said = document.properties(document.root)
    if type is MessageType.GET_COMMAND_METADATA:
        return _metadata_of(document, said)
    if type is not MessageType.CREATE_PIPELINE:
        return None
    shell = document.properties(said.get("PowerShell"))
    if document.items(shell.get("ExtraCmds"))[1:]:
        return None
    calls: list[Call] = []
    scripts: list[Script] = []
    for node in document.items(shell.get("Cmds")):
        command = document.properties(node)
        text = clixml.text(command.get("Cmd"))
        parameters: list[tuple[str, Argument]] = []
        for pair in map(document.properties, document.items(command.get("Args"))):
            if clixml.is_nil(pair.get("N")):
                return None
            parameters.append(
                # An argument's name may have the colon of `-Name: value`.
                (clixml.text(pair["N"]).rstrip(":"), _value(document, pair.get("V")))
            )
        if clixml.flag(command.get("IsScript")):
            scripts.append(Script(text, tuple(parameters)))
        else:
            calls.append(Call(text, tuple(parameters)))
    if scripts:
        return scripts[0] if len(scripts) == 1 and not calls else None
    return Commands(tuple(calls)) if calls else None


def _metadata_of(
    document: clixml.Document, said: dict[str, clixml.Node]
) -> MetadataQuery:
    def words(key: str) -> tuple[str, ...]:
        return tuple(clixml.text(item) for item in document.each(said.get(key)))

    types = clixml.number(said.get("CommandType"))
    return MetadataQuery(
        names=words("Name") or ("*",),
        types=CommandType.ALL if types is None else CommandType(types),
        modules=words("Namespace"),
        full_modules=tuple(
            _module_of(document, item)
            for item in document.each(said.get("FullyQualifiedModule"))
        ),
        arguments=tuple(
            _value(document, item) for item in document.each(said.get("ArgumentList"))
        ),
    )


def _module_of(document: clixml.Document, node: clixml.Node) -> ModuleSpec:
    """A module specification, sent as a hashtable or as the object itself."""
    said = {clixml.text(k): clixml.text(v) for k, v in document.entries(node)}
    if not said:
        said = {k: clixml.text(v) for k, v in document.properties(node).items()}
    maximum = said.get("MaximumVersion") or None
    return ModuleSpec(
        name=said.get("ModuleName") or said.get("Name") or clixml.text(node),
        version=said.get("ModuleVersion") or said.get("Version") or None,
        required_version=said.get("RequiredVersion") or None,
        maximum_version=None if maximum == _NO_MAXIMUM else maximum,
        guid=said.get("Guid") or None,
    )


def _value(document: clixml.Document, node: clixml.Node | None) -> Argument:
    if node is None or node.tag == "Nil":
        return None
    if node.tag == "Version":
        return Version(clixml.text(node))
    items = document.items(node)
    if items or any(child.tag == "LST" for child in node):
        return tuple(_value(document, item) for item in items)
    if node.tag == "D":
        return Decimal(clixml.text(node))
    value = document.value(node)
    if isinstance(value, bool | int | float):
        return value
    return clixml.text(node)
