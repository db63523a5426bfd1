"""The one table: every verb, and every parameter of every verb, as data.

The binder, ``-?``, completion and ``docs/command-line.md`` are made from it, so that
none of them can say something else. It is longer than a module should be because it
is one table, and a table is read best in one piece.

A parameter's :class:`Tier` decides who wins where a prefix fits several: those that
Export-PSSession has win over those that we add, and both over the common ones. So a
prefix that works for the cmdlet works here, whatever we add.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, replace

from ..encoding import NAMES as ENCODINGS


class Kind(enum.Enum):
    """What a parameter takes; the value is what help writes for it."""

    SWITCH = ""
    STRING = "string"
    STRINGS = "string[]"
    #: A file or folder, for completion.
    FILE = "path"
    FILES = "path[]"
    #: Values typed as PowerShell types a command's arguments.
    OBJECTS = "object[]"
    INTEGER = "int"
    #: One word of ``choices``; of other kinds they are only what is offered.
    CHOICE = "choice"
    #: Several words of ``choices``, as a set.
    COMMAND_TYPES = "types"
    MODULE_SPECS = "spec[]"

    @property
    def many(self) -> bool:
        """Whether it takes several values: ``a,b`` or one after the other."""
        return self in _MANY


_MANY = frozenset(
    {Kind.STRINGS, Kind.FILES, Kind.OBJECTS, Kind.COMMAND_TYPES, Kind.MODULE_SPECS}
)


class Tier(enum.IntEnum):
    """Whose parameter it is: the lower wins where a prefix fits several."""

    CMDLET = 0
    OURS = 1
    COMMON = 2


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter, as data.

    :ivar least: of an integer, the least that is taken; ``most`` likewise.
    :ivar ready: whether what it asks for is there yet.
    """

    name: str
    kind: Kind
    help: str
    aliases: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    default: str = ""
    group: str = ""
    tier: Tier = Tier.OURS
    least: int = 0
    most: int = 2**31 - 1
    ready: bool = True


@dataclass(frozen=True, slots=True)
class Exclusive:
    """Parameters of which only one may be given, and the id of the error if not."""

    names: tuple[str, ...]
    id: str


@dataclass(frozen=True, slots=True)
class Verb:
    """Something that psexport does.

    :ivar positional: names of the parameters that are taken by position, in order.
    :ivar open_ended: whether an array among these takes all values but one for each
        of those after it, as a shell's ``*.ps1`` needs it.
    :ivar mandatory: those that must be given, or something that excludes them.
    :ivar ready: whether it is there yet.
    """

    name: str
    summary: str
    parameters: tuple[Parameter, ...]
    positional: tuple[str, ...] = ()
    mandatory: tuple[str, ...] = ()
    exclusive: tuple[Exclusive, ...] = ()
    ready: bool = True
    open_ended: bool = False

    def parameter(self, name: str) -> Parameter:
        """Return the parameter of exactly this name."""
        return next(one for one in self.parameters if one.name == name)


def _group(group: str, tier: Tier, *parameters: Parameter) -> tuple[Parameter, ...]:
    return tuple(replace(one, group=group, tier=tier) for one in parameters)


COMMAND_TYPES = (
    "Alias",
    "All",
    "Application",
    "Cmdlet",
    "Configuration",
    "ExternalScript",
    "Filter",
    "Function",
    "Script",
    "Workflow",
)
TOPICS = (
    "export",
    "capture",
    "compare",
    "verify",
    "sign",
    "doctor",
    "sessions",
    "completion",
)
ACTIONS = ("SilentlyContinue", "Stop", "Continue", "Ignore")
AUTHENTICATIONS = (
    "Default",
    "Negotiate",
    "Kerberos",
    "NTLM",
    "Basic",
    "Credssp",
    "Certificate",
)

CMDLET = _group(
    "What to export, and where to",
    Tier.CMDLET,
    Parameter(
        "Session",
        Kind.STRING,
        "The session to export from: demo, pwsh:, ssh://…, winrm://…, winrms://…, "
        "https://…, winrs://…, winrss://…, catalog:FILE, replay:FILE, or the name of "
        "a saved session.",
    ),
    Parameter(
        "OutputModule",
        Kind.FILE,
        "Path of the module's folder if it is rooted or starts with a dot; else a "
        "name in your own module folder.",
        aliases=("PSPath", "ModuleName"),
    ),
    Parameter(
        "CommandName",
        Kind.STRINGS,
        "Names or wildcard patterns of the commands. Given alone, no views are "
        "exported.",
        aliases=("Name",),
        default="*",
    ),
    Parameter(
        "FormatTypeName",
        Kind.STRINGS,
        "Names or wildcard patterns of the types whose views are exported. Given "
        "alone, no commands are.",
        default="*",
    ),
    Parameter(
        "Force",
        Kind.SWITCH,
        "Overwrite what is there, even files that are read-only.",
    ),
    Parameter(
        "Encoding",
        Kind.STRING,
        "Encoding of the files: ascii, bigendianunicode, bigendianutf32, oem, "
        "unicode, utf7, utf8, utf8BOM, utf8NoBOM, utf32, or number or name of a "
        "code page.",
        choices=ENCODINGS,
        default="utf8NoBOM",
    ),
    Parameter(
        "AllowClobber",
        Kind.SWITCH,
        "Export commands even if the baseline has commands of those names.",
    ),
    Parameter(
        "ArgumentList",
        Kind.OBJECTS,
        "Export the variant of the commands that these arguments give, as "
        "Get-Item has for cert:.",
        aliases=("Args",),
    ),
    Parameter(
        "CommandType",
        Kind.COMMAND_TYPES,
        "Export these types of commands only.",
        aliases=("Type",),
        choices=COMMAND_TYPES,
        default="all but Application, ExternalScript and Script",
    ),
    Parameter(
        "Module",
        Kind.STRINGS,
        "Export the commands of these modules or snap-ins of the host only.",
        aliases=("PSSnapin",),
    ),
    Parameter(
        "FullyQualifiedModule",
        Kind.MODULE_SPECS,
        "The same by specification: @{ModuleName='X'; ModuleVersion='1.0'}, also "
        "with RequiredVersion, MaximumVersion and Guid.",
    ),
    Parameter(
        "Certificate",
        Kind.FILE,
        "PFX or PEM file of the certificate to sign the files with, or the address "
        "of its key service.",
    ),
)

MODULE = _group(
    "The module",
    Tier.OURS,
    Parameter(
        "Fidelity",
        Kind.CHOICE,
        "Full keeps the parameters' metadata; Compatible is what Export-PSSession "
        "makes.",
        choices=("Full", "Compatible"),
        default="Full",
    ),
    Parameter(
        "IncludeScriptBlock",
        Kind.SWITCH,
        "Keep script blocks of the host's views: code of the host that runs here.",
    ),
    Parameter(
        "IncludeHelp",
        Kind.SWITCH,
        "Export the commands' help too: the default with -Fidelity Full.",
    ),
    Parameter(
        "Baseline",
        Kind.STRING,
        "What AllowClobber guards: pwsh-7, windows-powershell-5.1, none, a file of "
        "command names, or pwsh: (with a path behind it, or without), which captures "
        "what the PowerShell of this machine has.",
        choices=("pwsh-7", "windows-powershell-5.1", "none", "pwsh:"),
        default="pwsh-7",
    ),
    Parameter(
        "Prefix",
        Kind.STRING,
        "Prefix of the nouns of the exported commands.",
    ),
    Parameter(
        "ModuleVersion",
        Kind.STRING,
        "Version of the module.",
        default="1.0",
    ),
    Parameter(
        "Secret",
        Kind.STRING,
        "Name of the SecretManagement secret with the credential for new sessions of "
        "the module; the secret itself stays where it is.",
    ),
    Parameter(
        "Nupkg",
        Kind.SWITCH,
        "Also make a package that a gallery takes.",
        ready=False,
    ),
)

SIGNING = _group(
    "Signing",
    Tier.OURS,
    Parameter(
        "CertificateKey",
        Kind.FILE,
        "File of the private key, or the address of its key service, if the "
        "certificate's file has none.",
    ),
    Parameter(
        "CertificatePasswordFile",
        Kind.FILE,
        "File whose first line is the password of the key.",
    ),
    Parameter(
        "IncludeChain",
        Kind.CHOICE,
        "Which certificates the signature holds.",
        choices=("Signer", "NotRoot", "All"),
        default="NotRoot",
    ),
    Parameter(
        "HashAlgorithm",
        Kind.CHOICE,
        "What the files are hashed with.",
        choices=("SHA256", "SHA384", "SHA512"),
        default="SHA256",
    ),
    Parameter(
        "TimestampServer",
        Kind.STRINGS,
        "URLs of time-stamp authorities (RFC 3161), tried in order.",
    ),
)

SESSION = _group(
    "The session, as New-PSSession says it",
    Tier.OURS,
    Parameter(
        "ComputerName",
        Kind.STRING,
        "Host to connect to over WSMan.",
        aliases=("Cn",),
    ),
    Parameter(
        "ConnectionUri",
        Kind.STRING,
        "WSMan address of the host.",
        aliases=("URI", "CU"),
    ),
    Parameter("HostName", Kind.STRING, "Host to connect to over SSH."),
    Parameter("UserName", Kind.STRING, "User to log on as."),
    Parameter("Port", Kind.INTEGER, "Port of the host.", least=1, most=65535),
    Parameter("UseSSL", Kind.SWITCH, "Use WSMan over TLS."),
    Parameter(
        "ApplicationName", Kind.STRING, "Path of the WSMan service.", default="wsman"
    ),
    Parameter(
        "ConfigurationName",
        Kind.STRING,
        "Session configuration of the host.",
        default="Microsoft.PowerShell",
    ),
    Parameter(
        "Authentication",
        Kind.CHOICE,
        "How to log on over WSMan.",
        choices=AUTHENTICATIONS,
        default="Default",
    ),
    Parameter(
        "Credential",
        Kind.STRING,
        "User to log on as; the password comes from PSEXPORT_PASSWORD, "
        "-PasswordFile, the keyring or a prompt.",
    ),
    Parameter("PasswordFile", Kind.FILE, "File whose first line is the password."),
    Parameter("CertificatePem", Kind.FILE, "PEM file of the client certificate."),
    Parameter("CertificateKeyPem", Kind.FILE, "PEM file of its key."),
    Parameter(
        "KeyFilePath",
        Kind.FILE,
        "Private key file for SSH.",
        aliases=("IdentityFilePath",),
    ),
    Parameter(
        "Subsystem",
        Kind.STRING,
        "SSH subsystem to start.",
        default="powershell",
    ),
    Parameter(
        "Options",
        Kind.STRINGS,
        "Options of ssh, as in its configuration: Name=value.",
    ),
    Parameter(
        "ConfigurationFile",
        Kind.FILE,
        "Session configuration file (.pssc) for a local process.",
    ),
    Parameter("AllowRedirection", Kind.SWITCH, "Follow the host's redirections."),
    Parameter("SkipCACheck", Kind.SWITCH, "Do not check who issued the certificate."),
    Parameter("SkipCNCheck", Kind.SWITCH, "Do not check the certificate's host name."),
    Parameter("CAFile", Kind.FILE, "PEM file of the authorities to trust."),
    Parameter(
        "OperationTimeout",
        Kind.INTEGER,
        "Milliseconds to wait for the host's next word.",
        default="180000",
        least=1,
    ),
    Parameter(
        "OpenTimeout",
        Kind.INTEGER,
        "Milliseconds to wait for the session to open.",
        default="60000",
        least=1,
    ),
    Parameter("ProxyUri", Kind.STRING, "HTTP proxy to go through."),
    Parameter(
        "NoEncryption",
        Kind.SWITCH,
        "Send messages over plain HTTP as they are, a Basic password too.",
    ),
    Parameter(
        "ServicePrincipalName",
        Kind.STRING,
        "Kerberos service of the host, if it has another than usual: "
        "HTTP/server01.example.com.",
    ),
    Parameter(
        "AllowDelegation",
        Kind.SWITCH,
        "Let the host act in your name towards others (Kerberos).",
    ),
    Parameter(
        "KeytabFile", Kind.FILE, "Kerberos keys to log on with, without a password."
    ),
)

AS_JSON = _group(
    "Output",
    Tier.OURS,
    Parameter("AsJson", Kind.SWITCH, "Write the result as JSON."),
)

COMMON = _group(
    "Common parameters",
    Tier.COMMON,
    Parameter("Help", Kind.SWITCH, "Show this help.", aliases=("?", "h")),
    Parameter(
        "Verbose",
        Kind.SWITCH,
        "Say what is asked, and how long it took.",
        aliases=("vb",),
    ),
    Parameter(
        "Debug",
        Kind.SWITCH,
        "Say more; show where an error came from.",
        aliases=("db",),
    ),
    Parameter(
        "ErrorAction",
        Kind.CHOICE,
        "Stop makes the first error that would be survived fatal; SilentlyContinue "
        "and Ignore hide such errors.",
        aliases=("ea",),
        choices=ACTIONS,
        default="Continue",
    ),
    Parameter(
        "WarningAction",
        Kind.CHOICE,
        "The same for warnings.",
        aliases=("wa",),
        choices=ACTIONS,
        default="Continue",
    ),
    Parameter(
        "InformationAction",
        Kind.CHOICE,
        "The same for information messages.",
        aliases=("infa",),
        choices=ACTIONS,
        default="SilentlyContinue",
    ),
    Parameter(
        "ProgressAction",
        Kind.CHOICE,
        "SilentlyContinue and Ignore hide progress; Continue shows it as plain "
        "lines where there is no terminal.",
        aliases=("proga",),
        choices=ACTIONS,
        default="a bar on a terminal",
    ),
    *(
        Parameter(
            name,
            Kind.INTEGER if name == "OutBuffer" else Kind.STRING,
            "Taken, and warned of: a process cannot set its caller's variables."
            if name != "OutBuffer"
            else "Taken, and warned of: nothing is buffered here.",
            aliases=(alias,),
        )
        for name, alias in (
            ("ErrorVariable", "ev"),
            ("WarningVariable", "wv"),
            ("InformationVariable", "iv"),
            ("OutVariable", "ov"),
            ("OutBuffer", "ob"),
            ("PipelineVariable", "pv"),
        )
    ),
)

#: Common parameters that mean nothing outside PowerShell.
MEANINGLESS = frozenset(
    {
        "ErrorVariable",
        "WarningVariable",
        "InformationVariable",
        "OutVariable",
        "OutBuffer",
        "PipelineVariable",
    }
)

_ONE_SESSION = Exclusive(
    ("Session", "ComputerName", "ConnectionUri", "HostName"), "AmbiguousParameterSet"
)


def _pick(parameters: tuple[Parameter, ...], *names: str) -> tuple[Parameter, ...]:
    return tuple(one for one in parameters if one.name in names)


_CODE_PAGE = Parameter(
    "CodePage",
    Kind.STRING,
    "ANSI code page of the machines that read files without a byte order mark: "
    "1252, windows-1252.",
    group="Reading",
)

_PATHS = _group(
    "What",
    Tier.OURS,
    Parameter("Path", Kind.FILES, "Files, or folders of modules."),
)

VERBS: tuple[Verb, ...] = (
    Verb(
        "export",
        "Export a session's commands and views to a module (needs no verb).",
        (*CMDLET, *MODULE, *SIGNING, *SESSION, *AS_JSON, *COMMON),
        ("Session", "OutputModule", "CommandName", "FormatTypeName"),
        ("Session", "OutputModule"),
        (
            Exclusive(
                ("Module", "FullyQualifiedModule"),
                "ModuleAndFullyQualifiedModuleCannotBeSpecifiedTogether",
            ),
            _ONE_SESSION,
        ),
    ),
    Verb(
        "capture",
        "Write what a host has to a catalogue file, to build modules from later.",
        (
            *_pick(CMDLET, "Session"),
            *_group(
                "What",
                Tier.OURS,
                Parameter("Path", Kind.FILE, "The catalogue file to write."),
            ),
            *_pick(CMDLET, "Force"),
            *SESSION,
            *AS_JSON,
            *COMMON,
        ),
        ("Session", "Path"),
        ("Session", "Path"),
        (_ONE_SESSION,),
        ready=False,
    ),
    Verb(
        "compare",
        "Say what differs between two sessions, catalogues or modules.",
        (
            *_group(
                "What",
                Tier.OURS,
                Parameter(
                    "Reference", Kind.STRING, "Session, catalogue or module before."
                ),
                Parameter(
                    "Difference", Kind.STRING, "Session, catalogue or module after."
                ),
            ),
            *AS_JSON,
            *COMMON,
        ),
        ("Reference", "Difference"),
        ("Reference", "Difference"),
        ready=False,
    ),
    Verb(
        "verify",
        "Check the signatures of scripts and modules.",
        (
            *_PATHS,
            *_group(
                "Trust",
                Tier.OURS,
                Parameter(
                    "CAFile",
                    Kind.FILE,
                    "PEM file of the authorities to trust for signers.",
                    default="the system's",
                ),
                Parameter(
                    "TsaCAFile",
                    Kind.FILE,
                    "PEM file of the authorities to trust for time stamps.",
                    default="the system's",
                ),
                Parameter(
                    "CRLFile",
                    Kind.FILES,
                    "Revocation lists, PEM or DER.",
                ),
            ),
            _CODE_PAGE,
            *AS_JSON,
            *COMMON,
        ),
        ("Path",),
        ("Path",),
        open_ended=True,
    ),
    Verb(
        "sign",
        "Sign scripts and modules.",
        (
            *_PATHS,
            *_pick(CMDLET, "Certificate"),
            *SIGNING,
            _CODE_PAGE,
            *AS_JSON,
            *COMMON,
        ),
        ("Path", "Certificate"),
        ("Path", "Certificate"),
        open_ended=True,
    ),
    Verb(
        "doctor",
        "Say why a host cannot be reached, or what its endpoint allows.",
        (*_pick(CMDLET, "Session"), *SESSION, *AS_JSON, *COMMON),
        ("Session",),
        ("Session",),
        (_ONE_SESSION,),
    ),
    Verb(
        "sessions",
        "List, test, save and remove named sessions.",
        (
            *_group(
                "What",
                Tier.OURS,
                Parameter(
                    "Action",
                    Kind.CHOICE,
                    "What to do.",
                    choices=("list", "test", "save", "remove"),
                    default="list",
                ),
                Parameter("Name", Kind.STRING, "Name of the saved session."),
                Parameter(
                    "Scope",
                    Kind.CHOICE,
                    "Which file to change: psexport.toml here, or the user's.",
                    choices=("Project", "User"),
                    default="where the name is, else here if there is a file, else "
                    "User",
                ),
                Parameter(
                    "Keyring",
                    Kind.SWITCH,
                    "When saving, put the password into the system's keyring.",
                ),
                Parameter(
                    "Force",
                    Kind.SWITCH,
                    "Save over a session that has the name already.",
                ),
            ),
            *_pick(CMDLET, "Session"),
            *SESSION,
            *AS_JSON,
            *COMMON,
        ),
        ("Action", "Name"),
        (),
        (_ONE_SESSION,),
    ),
    Verb(
        "help",
        "Show the help of a verb.",
        (
            *_group(
                "What",
                Tier.OURS,
                Parameter(
                    "Verb",
                    Kind.STRING,
                    f"The verb: {', '.join(TOPICS)}.",
                    choices=TOPICS,
                    default="export",
                ),
            ),
            *COMMON,
        ),
        ("Verb",),
    ),
    Verb(
        "completion",
        "Write the completion script of a shell.",
        (
            *_group(
                "What",
                Tier.OURS,
                Parameter(
                    "Shell",
                    Kind.CHOICE,
                    "The shell.",
                    choices=("bash", "zsh", "powershell"),
                ),
            ),
            *COMMON,
        ),
        ("Shell",),
        ("Shell",),
    ),
)

EXPORT = VERBS[0]


def find_verb(word: str) -> Verb | None:
    """Return the verb of this name, in any case."""
    lowered = word.lower()
    return next((verb for verb in VERBS if verb.name == lowered), None)
