"""The compact road against a real host, and against the portable road."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine import run_script
from psexport import clixml
from psexport.events import Event, Message, Problem
from psexport.fetch import FetchRequest, compact, host, portable, topics
from psexport.fetch.interview import Interview
from psexport.fetch.type_names import type_name
from psexport.model import (
    ALL_SETS,
    Catalogue,
    Command,
    CommandType,
    Detail,
    Host,
    Parameter,
    Validation,
    ValidationKind,
)
from psexport.transport.base import Limits, ModuleSpec, Script, Session
from psexport.transport.outofproc import OutOfProcessSession

pytestmark = pytest.mark.engine

FULL = Host(language_mode="FullLanguage")

#: What PowerShell 3 has: its syntax tree, and in it what the script may use.
_NEWER_NODES = {
    "BaseCtorInvokeMemberExpressionAst",
    "ChainableAst",
    "ConfigurationDefinitionAst",
    "DynamicKeywordStatementAst",
    "FunctionMemberAst",
    "PipelineChainAst",
    "PropertyMemberAst",
    "TernaryExpressionAst",
    "TypeDefinitionAst",
    "UsingStatementAst",
}
_NEWER_TOKENS = {
    "AndAnd",
    "Assembly",
    "Base",
    "Clean",
    "Class",
    "Command",
    "Configuration",
    "Default",
    "DynamicKeyword",
    "Enum",
    "Hidden",
    "Interface",
    "Module",
    "Namespace",
    "OrOr",
    "Private",
    "Public",
    "QuestionDot",
    "QuestionLBracket",
    "QuestionMark",
    "QuestionQuestion",
    "QuestionQuestionEquals",
    "Shl",
    "Shr",
    "Static",
    "Type",
    "Using",
}
_COMMANDS = {
    "Microsoft.PowerShell.Core\\Get-Command",
    "Microsoft.PowerShell.Core\\Get-Help",
    "Microsoft.PowerShell.Core\\Get-Module",
    "Microsoft.PowerShell.Core\\Import-Module",
    "Microsoft.PowerShell.Core\\Set-StrictMode",
    "Microsoft.PowerShell.Utility\\Get-FormatData",
}
_TYPES = frozenset(
    """
    Activator bool Collections.Hashtable Enum FlagsAttribute
    Globalization.CultureInfo int IO.Compression.CompressionMode
    IO.Compression.GZipStream IO.Directory IO.MemoryStream
    Management.Automation.AliasInfo Management.Automation.ApplicationInfo
    Management.Automation.ArgumentTransformationAttribute Management.Automation.Cmdlet
    Management.Automation.CmdletAttribute Management.Automation.CmdletBindingAttribute
    Management.Automation.CmdletInfo Management.Automation.CommandTypes
    Management.Automation.Language.FunctionDefinitionAst
    Management.Automation.Language.Parser Management.Automation.PSSerializer
    Management.Automation.PSTypeNameAttribute Management.Automation.ParameterAttribute
    Management.Automation.ValidateArgumentsAttribute
    Management.Automation.ValidateRangeAttribute
    Management.Automation.ValidateSetAttribute Management.Automation.WildcardPattern
    Math Nullable object object[] ref Reflection.BindingFlags regex string
    StringComparer string[] Text.Encoding Text.StringBuilder
    """.split()  # noqa: SIM905
)
#: .NET Framework 4.0 and PowerShell 3 have each of these methods and static members;
#: a property that is not there is null.
_METHODS = frozenset(
    """
    AddRange() Append() Clear() Close() CompleteArgument() ContainsKey()
    GetBaseException() GetBytes() GetCommand() GetCommands() GetCustomAttributes()
    GetElementType() GetField()
    GetFullScript() GetHelpContent() GetInterface() GetProperty() GetType() GetValue()
    IsDefined() IsMatch() Match() Replace() Substring() ToArray()
    ToString() Trim() TrimEnd() Write() [Activator]::CreateInstance()
    [Enum]::GetNames()
    [Globalization.CultureInfo]::InvariantCulture
    [IO.Compression.CompressionMode]::Compress [IO.Directory]::GetDirectories()
    [IO.Directory]::GetFiles()
    [Management.Automation.Cmdlet]::CommonParameters
    [Management.Automation.CommandTypes]::All
    [Management.Automation.Language.Parser]::ParseInput()
    [Management.Automation.PSSerializer]::Serialize()
    [Management.Automation.WildcardPattern]::Escape() [Math]::Max()
    [Nullable]::GetUnderlyingType() [object]::ReferenceEquals()
    [StringComparer]::Ordinal [string]::Format() [string]::Join() [Text.Encoding]::UTF8
    """.split()  # noqa: SIM905
)


@contextmanager
def session(pwsh: str, *arguments: str) -> Iterator[Session]:
    command = [pwsh, "-s", "-NoLogo", "-NoProfile", *arguments]
    limits = Limits(open=60, silence=120, close=5)
    with OutOfProcessSession(command, name="engine", limits=limits) as opened:
        yield opened


@pytest.fixture(scope="module")
def opened(pwsh: str) -> Iterator[Session]:
    with session(pwsh) as one:
        yield one


def run(opened: Session, text: str) -> list[str]:
    """What a script on the host says, as texts; it must not complain."""
    problems: list[Event] = []
    answer = Interview(opened, problems.append).ask(Script(text), "the test's script")
    with closing(answer) as documents:
        said = [clixml.text(clixml.parse(data).root) for data in documents]
    assert not [e for e in problems if isinstance(e, Problem)]
    return said


def fetch(opened: Session, *names: str, **wanted: Any) -> Catalogue:
    """The catalogue by the compact road, of commands alone unless said otherwise."""
    wanted = {"wants_views": False, "names": names or ("*",)} | wanted
    events: list[Event] = []
    catalogue = compact.fetch(opened, FetchRequest(**wanted), FULL, events.append)
    assert catalogue is not None, events
    return catalogue


def by_commands(opened: Session, *names: str, **wanted: Any) -> Catalogue:
    """The same by the portable road."""
    wanted = {"wants_views": False, "names": names or ("*",)} | wanted
    facts = host.fetch(opened, lambda event: None)
    return portable.fetch(opened, FetchRequest(**wanted), facts, lambda event: None)


# ---- The script itself


def test_the_script_is_powershell_3(pwsh: str, tmp_path: Path) -> None:
    file = tmp_path / "compact.ps1"
    file.write_text(compact.SCRIPT, encoding="ascii")
    prober = Path(__file__).with_name("compact_syntax.ps1")
    told = json.loads(run_script(pwsh, prober, str(file)))
    assert told["errors"] == []
    assert not _NEWER_NODES & set(told["nodes"])
    assert not _NEWER_TOKENS & set(told["tokens"])
    assert set(told["commands"]) == _COMMANDS
    assert set(told["types"]) == _TYPES
    used = {m for m in told["members"] if m.endswith("()") or "::" in m}
    assert used == _METHODS


_TRACES = """
'variables ' + ((Get-Variable -Scope Global | ForEach-Object {
    if ($_.Name -notmatch '^([?^$_]|args|input|Matches|PSItem|foreach|MyInvocation' +
        '|StackTrace|this|PSBoundParameters|PSCommandPath|PSScriptRoot)$') {
        $_.Name + '=' + $_.Value
    }
} | Sort-Object) -join '; ')
'commands ' + (($ExecutionContext.InvokeCommand.GetCommands(
    '*', 'Function, Alias, Filter', $true) | Sort-Object Name) -join ' ')
'errors ' + $Error.Count
'culture ' + [Globalization.CultureInfo]::CurrentCulture
"""


def test_nothing_stays_behind(pwsh: str) -> None:
    with session(pwsh) as opened:
        run(opened, "function broken { param([ValidateSet()] $x) }; 1 / 1")
        fetch(opened, wants_views=True, wants_help=True)  # loads its modules
        before = run(opened, _TRACES)
        fetch(opened, "*", "no-such-command", wants_views=True, wants_help=True)
        assert run(opened, _TRACES) == before
        assert "errors 0" in before


def test_errors_of_the_session_stay_where_a_list_is_full(pwsh: str) -> None:
    with session(pwsh) as opened:
        run(opened, 'foreach ($n in 1..300) { try { throw "no $n" } catch { } }')
        errors = "$Error -join '|'"
        before = run(opened, errors)
        fetch(opened, "Get-*", "no-such-command")
        assert run(opened, errors) == before


_SHORT_NAMES = (
    "Get-Command Get-Help Get-Module Get-FormatData Import-Module Set-StrictMode"
)


@pytest.mark.parametrize(
    "declare",
    ["function global:{0} {{ $global:ran += '{0}' }}", "Set-Alias {0} Test-Other"],
)
def test_what_else_the_session_calls_by_these_names(pwsh: str, declare: str) -> None:
    wanted = {"wants_views": True, "wants_help": True}
    with session(pwsh) as opened:
        run(opened, "function Test-Other { $global:ran += 'other' }")
        before = fetch(opened, "Test-*", "Get-Date", **wanted)
        run(opened, "; ".join(map(declare.format, _SHORT_NAMES.split())))
        after = fetch(opened, "Test-*", "Get-Date", **wanted)
        assert run(opened, "'ran: ' + $global:ran") == ["ran: "]
    assert after == before
    assert len(after.views) > 50


def test_commands_that_the_session_keeps_to_itself(pwsh: str) -> None:
    with session(pwsh) as opened:
        run(
            opened,
            """function Test-Own { }; function Test-All { }; Set-Alias own Test-All
            foreach ($one in $ExecutionContext.InvokeCommand.GetCommands(
                '*own', 'Alias, Function', $true)) { $one.Visibility = 'Private' }""",
        )
        for names in (("Test-Own", "own", "Test-All"), ("Test-[OA]*", "ow*")):
            mine = fetch(opened, *names)
            assert [c.name for c in mine.commands] == ["Test-All"]
            assert_same(mine, by_commands(opened, *names))


def test_numbers_are_the_same_in_all_languages(pwsh: str) -> None:
    with session(pwsh) as opened:
        run(
            opened,
            """$other = [cultureinfo]::InvariantCulture.Clone()
            $other.NumberFormat.NegativeSign = '~'
            $other.NumberFormat.NumberDecimalSeparator = ','
            [cultureinfo]::DefaultThreadCurrentCulture = $other
            [cultureinfo]::CurrentCulture = $other
            function Test-Range { param([ValidateRange(-1, 5)] $A,
                [ValidateRange(-1.5d, 2.5d)] $B, [ValidateRange(-1.5, 2.5)] $C) }""",
        )
        (command,) = fetch(opened, "Test-Range").commands
    assert [p.validations[0].arguments for p in command.parameters] == [
        ("System.Int32", "-1", "5"),
        ("System.Decimal", "-1.5", "2.5"),
        ("System.Double", "-1.5", "2.5"),
    ]


@pytest.mark.parametrize("local", ["$true", "$false"])
def test_nothing_stays_behind_in_either_scope(
    pwsh: str, tmp_path: Path, local: str
) -> None:
    """However a transport runs it: dot-sourced, as PSRP does, or in a scope."""
    file = tmp_path / "run.ps1"
    source = tmp_path / "compact.ps1"
    source.write_text(compact.SCRIPT, encoding="ascii")
    file.write_text(
        f"""
        $shell = [PowerShell]::Create()
        function Ask([string] $text) {{
            $shell.Commands.Clear()
            $shell.AddScript($text, {local})
        }}
        $traces = {{ (Get-Variable).Name; (Get-Command -CommandType Function).Name }}
        $null = Ask $traces
        $before = $shell.Invoke() -join ' '
        $null = (Ask ([IO.File]::ReadAllText('{source}'))).AddParameters(@{{
            Name = 'Get-Command'; CommandType = 8; Help = $true }})
        $pieces = $shell.Invoke()
        $null = Ask $traces
        $after = $shell.Invoke() -join ' '
        "$($pieces.Count) $($before -ceq $after) $($shell.HadErrors)"
        """,
        encoding="utf-8",
    )
    assert run_script(pwsh, file).split() == ["1", "True", "False"]


def test_a_host_in_constrained_language(pwsh: str) -> None:
    with session(pwsh) as opened:
        run(
            opened,
            "$ExecutionContext.SessionState.LanguageMode = 'ConstrainedLanguage'",
        )
        facts = host.fetch(opened, lambda event: None)
        assert facts.language_mode == "ConstrainedLanguage"
        assert compact.fetch(opened, FetchRequest(), facts, lambda event: None) is None
        # Even where the host said otherwise.
        events: list[Event] = []
        assert compact.fetch(opened, FetchRequest(), FULL, events.append) is None
        assert [e for e in events if isinstance(e, Message)]


# ---- The same as the portable road


def told(command: Command) -> dict[str, object]:
    """What both roads can tell of a command, said in one way."""
    places = {
        (name, p.name, place.position, place.mandatory, place.from_pipeline)
        for p in command.parameters
        for place in p.memberships
        for name in (command.sets if place.set == ALL_SETS else (place.set,))
    }
    return {
        "module": command.module,
        "resolved": command.resolved_name,
        "sets": command.sets,
        "default": command.default_set,
        "advanced": command.advanced,
        "should process": command.supports_should_process,
        "paging": command.supports_paging,
        "output": command.output_types,
        "places": places,
        "parameters": {
            p.name: (p.type_name, p.aliases, p.is_switch, p.is_dynamic)
            for p in command.parameters
        },
        "sets of values": {
            p.name: v.arguments[1:]
            for p in command.parameters
            for v in p.validations
            if v.kind is ValidationKind.SET
        },
    }


def assert_same(one: Catalogue, other: Catalogue) -> None:
    mine = {(c.type, c.name.lower()): c for c in one.commands}
    theirs = {(c.type, c.name.lower()): c for c in other.commands}
    assert len(mine) == len(one.commands)
    assert mine.keys() == theirs.keys()
    for key, command in mine.items():
        assert told(command) == told(theirs[key]), key
        assert command.detail is Detail.FULL
    assert {m.name: m for m in one.modules} == {m.name: m for m in other.modules}
    assert one.unreadable == other.unreadable == ()


def test_both_roads_tell_the_same_of_a_plain_host(opened: Session) -> None:
    mine = fetch(opened, wants_views=True)
    theirs = by_commands(opened, wants_views=True)
    assert_same(mine, theirs)
    assert set(mine.views) == set(theirs.views)
    assert len(mine.views) == len(theirs.views) > 50
    aliases = [c for c in mine.commands if c.type is CommandType.ALIAS]
    assert len([c for c in aliases if c.resolved_name]) > 40


@pytest.mark.parametrize(
    "wanted",
    [
        {"names": ("Get-*", "get-c*", "gcm", "no-such")},
        {"names": ("[gs]et-?o*",)},
        {"names": ("*",), "types": CommandType.FUNCTION},
        {"names": ("*",), "types": CommandType.FUNCTION | CommandType.CMDLET},
        {"names": ("Get-Alias", "*"), "types": CommandType.CMDLET},
        {"modules": ("Microsoft.PowerShell.U*",)},
        {"modules": ("Microsoft.PowerShell.Utility", "Microsoft.PowerShell.Core")},
        {"full_modules": (ModuleSpec("Microsoft.PowerShell.Utility", version="1.0"),)},
        {"names": ("Get-Item",), "arguments": ("/",)},
    ],
)
def test_both_roads_select_the_same(opened: Session, wanted: dict[str, Any]) -> None:
    run(
        opened,
        "Import-Module Microsoft.PowerShell.Utility, Microsoft.PowerShell.Management",
    )
    assert_same(fetch(opened, **wanted), by_commands(opened, **wanted))


def test_a_module_that_is_there_but_not_loaded(pwsh: str) -> None:
    name = "Microsoft.PowerShell.Utility"
    for wanted in ({"modules": (name,)}, {"full_modules": (ModuleSpec(name),)}):
        with session(pwsh) as opened:
            catalogue = fetch(opened, **wanted)
        assert {c.module for c in catalogue.commands} == {name}
        assert [m.name for m in catalogue.modules] == [name]


def test_modules_behind_aliases_are_loaded(pwsh: str) -> None:
    with session(pwsh) as opened:
        catalogue = fetch(opened, "group", types=CommandType.ALIAS)
    (alias,) = catalogue.commands
    assert alias.resolved_name == "Group-Object"
    assert alias.parameters


def test_a_module_that_is_not_there(opened: Session) -> None:
    events: list[Event] = []
    request = FetchRequest(modules=("No.Such", "Microsoft.PowerShell.Core"))
    assert compact.fetch(opened, request, FULL, events.append)
    problems = [e.skipped for e in events if isinstance(e, Problem)]
    assert [p.name for p in problems] == ["No.Such"]


_ALIASES = """
function Get-Item { param([int] $Mine, [Parameter(Mandatory)] $Other) }
Set-Alias one two
Set-Alias two Get-Item
Set-Alias date Get-Date
Set-Alias every '*'
"""


@pytest.mark.parametrize(
    ("names", "types"),
    [
        (("one", "date"), CommandType.DEFAULT),
        (("one", "two", "gi"), CommandType.ALIAS),
        (("*",), CommandType.ALIAS),
        (("*",), CommandType.DEFAULT),
    ],
)
def test_both_roads_tell_the_same_of_aliases(
    pwsh: str, names: tuple[str, ...], types: CommandType
) -> None:
    """Of commands that are not asked for, or hide others, or lead everywhere."""
    with session(pwsh) as opened:
        run(opened, _ALIASES)
        mine = fetch(opened, *names, types=types)
    with session(pwsh) as opened:
        run(opened, _ALIASES)
        assert_same(mine, by_commands(opened, *names, types=types))


# ---- Random declarations

_VALUES = st.text(
    st.sampled_from("aZ0 -_.'\"\\`$#;()\u2018\u2019\u201c\u00e9\u4e2d\U0001f600"),
    min_size=1,
    max_size=6,
)


def quoted(text: str) -> str:
    doubled = "".join(c * 2 if c in "'\u2018\u2019\u201a\u201b" else c for c in text)
    return f"'{doubled}'"


def _set_of(values: list[str], ignore: bool) -> tuple[str, Validation]:
    listed = ", ".join(map(quoted, values))
    return (
        f"[ValidateSet({listed}, IgnoreCase = ${str(ignore).lower()})]",
        Validation(ValidationKind.SET, ("01"[ignore], *values)),
    )


_SIMPLE_CHECKS = [
    ("[ValidateNotNull()]", ValidationKind.NOT_NULL, ()),
    ("[ValidateNotNullOrEmpty()]", ValidationKind.NOT_NULL_OR_EMPTY, ()),
    ("[AllowNull()]", ValidationKind.ALLOW_NULL, ()),
    ("[AllowEmptyString()]", ValidationKind.ALLOW_EMPTY_STRING, ()),
    ("[AllowEmptyCollection()]", ValidationKind.ALLOW_EMPTY_COLLECTION, ()),
    ("[ValidateCount(1, 4)]", ValidationKind.COUNT, ("1", "4")),
    ("[ValidateLength(0, 99)]", ValidationKind.LENGTH, ("0", "99")),
    ("[ValidateRange(-3, 7)]", ValidationKind.RANGE, ("System.Int32", "-3", "7")),
    (
        "[ValidateRange(0.1, 1e300)]",
        ValidationKind.RANGE,
        ("System.Double", "0.1", "1E+300"),
    ),
    (
        "[ValidateRange(1, 5000000000)]",
        ValidationKind.RANGE,
        ("System.Int64", "1", "5000000000"),
    ),
    ("[ValidateRange(1, 2.5)]", ValidationKind.RANGE, ("System.Double", "1", "2.5")),
    ("[ValidateRange('a', 'z')]", ValidationKind.RANGE, ("System.String", "a", "z")),
    ("[ValidateRange('Positive')]", ValidationKind.RANGE, ("Positive",)),
    ("[ValidatePattern('^a\"\\d$')]", ValidationKind.PATTERN, ('^a"\\d$', "1")),
    ("[ValidatePattern('x', Options = 'None')]", ValidationKind.PATTERN, ("x", "0")),
    (
        "[ValidateScript({ $true })]",
        ValidationKind.HOST_ONLY,
        ("System.Management.Automation.ValidateScriptAttribute",),
    ),
    (
        "[PSTypeName('Some.Type')]",
        ValidationKind.HOST_ONLY,
        ("System.Management.Automation.PSTypeNameAttribute",),
    ),
]
_CHECKS = st.one_of(
    st.sampled_from(_SIMPLE_CHECKS).map(lambda c: (c[0], Validation(c[1], c[2]))),
    st.builds(
        _set_of, st.lists(_VALUES, min_size=1, max_size=3, unique=True), st.booleans()
    ),
)
_TYPE_NAMES = {
    "": "System.Object",
    "[string]": "System.String",
    "[string[]]": "System.String[]",
    "[int]": "System.Int32",
    "[switch]": "System.Management.Automation.SwitchParameter",
    "[nullable[datetime]]": "System.Nullable`1[[System.DateTime]]",
    "[hashtable]": "System.Collections.Hashtable",
    "[System.Collections.Generic.Dictionary[string, int[]]]": (
        "System.Collections.Generic.Dictionary`2[[System.String],[System.Int32[]]]"
    ),
    "[DayOfWeek]": "System.DayOfWeek",
    "[System.IO.FileAttributes[]]": "System.IO.FileAttributes[]",
    "[pscredential]": "System.Management.Automation.PSCredential",
}
_SETS = ["Alpha", "Beta", "Gamma 3"]


@dataclass(frozen=True)
class Declared:
    """A parameter's declaration, and what is to be told of it."""

    text: str
    expected: Parameter


@st.composite
def parameters(draw: st.DrawFn, number: int) -> Declared:
    name = f"P{number}" + draw(st.sampled_from(["", "_x", "Ünï"]))
    attributes = []
    hidden = draw(st.integers(0, 9)) == 0
    for set_name in draw(st.lists(st.sampled_from(_SETS), unique=True, max_size=2)):
        options = [f"ParameterSetName = '{set_name}'"]
        options += draw(_OPTIONS)
        attributes.append(f"[Parameter({', '.join(options)})]")
    if not attributes and (hidden or draw(st.booleans())):
        attributes.append(f"[Parameter({', '.join(draw(_OPTIONS))})]")
    if hidden:
        attributes = [
            a[:-2] + (", " if "=" in a else "") + "DontShow = $true)]"
            for a in attributes
        ]
    aliases = tuple(f"{one}{number}" for one in draw(st.sets(st.sampled_from("abc"))))
    if aliases:
        attributes.append(f"[Alias({', '.join(map(quoted, aliases))})]")
    checks = draw(st.lists(_CHECKS, max_size=2, unique_by=lambda c: c[1].kind))
    attributes += [text for text, _ in checks]
    transforms = draw(st.integers(0, 9)) == 0
    kind = draw(st.sampled_from(list(_TYPE_NAMES)))
    if transforms:
        attributes.append("[System.Management.Automation.Credential()]")
    expected = Parameter(
        name,
        _TYPE_NAMES[kind],
        aliases=tuple(sorted(aliases)),
        is_switch=kind == "[switch]",
        validations=tuple(sorted((v for _, v in checks), key=repr)),
        # PowerShell asks for the password of a PSCredential's user by itself.
        transforms=transforms or kind == "[pscredential]",
        hidden=hidden,
    )
    return Declared("".join(attributes) + f"{kind} ${{{name}}}", expected)


_OPTIONS = st.builds(
    lambda position, flags: (
        [f"Position = {position}"] * (position >= 0)
        + [f"{flag} = $true" for flag in sorted(flags)]
    ),
    st.integers(-2, 3),
    st.sets(
        st.sampled_from(
            [
                "Mandatory",
                "ValueFromPipeline",
                "ValueFromPipelineByPropertyName",
                "ValueFromRemainingArguments",
            ]
        )
    ),
)


@st.composite
def functions(draw: st.DrawFn) -> tuple[str, list[Parameter]]:
    """The body of a function, and its parameters as they are to be told."""
    declared = [draw(parameters(n)) for n in range(draw(st.integers(0, 5)))]
    binding = ""
    if draw(st.booleans()):
        options = draw(
            st.lists(
                st.sampled_from(
                    [
                        "SupportsShouldProcess = $true",
                        "SupportsPaging = $true",
                        "PositionalBinding = $false",
                        "DefaultParameterSetName = 'Beta'",
                        "ConfirmImpact = 'High'",
                        "HelpUri = 'https://example.org/?a=\"b\"'",
                    ]
                ),
                unique=True,
            )
        )
        binding = f"[CmdletBinding({', '.join(options)})]"
    outputs = draw(
        st.sampled_from(["", "[OutputType([int], [string[]])]", "[OutputType('A.B')]"])
    )
    body = f"{binding}{outputs} param({', '.join(d.text for d in declared)}) " + draw(
        st.sampled_from(["'x'", "process { $_ }", "end { }"])
    )
    return body, [d.expected for d in declared]


@settings(max_examples=6, suppress_health_check=list(HealthCheck))
@given(st.lists(functions(), min_size=20, max_size=20))
def test_random_functions(
    opened: Session, made: list[tuple[str, list[Parameter]]]
) -> None:
    definitions = "\n".join(
        f"function Test-Random{n} {{ {body} }}" for n, (body, _) in enumerate(made)
    )
    run(opened, definitions)
    mine = fetch(opened, "Test-Random*")
    by_name = {command.name: command for command in mine.commands}
    assert mine.unreadable == ()
    for n, (body, expected) in enumerate(made):
        command = by_name[f"Test-Random{n}"]
        assert [bare(p) for p in command.parameters] == [bare(p) for p in expected], (
            body
        )
    assert_same(mine, by_commands(opened, "Test-Random*"))


def bare(parameter: Parameter) -> Parameter:
    """Without what the declaration does not say in so many words."""
    return replace(
        parameter,
        aliases=tuple(sorted(parameter.aliases)),
        validations=tuple(sorted(parameter.validations, key=repr)),
        memberships=(),
        enum_values=(),
        enum_is_flags=False,
    )


# ---- Facts that only the attributes tell

_FACTS = """
$common = [System.Management.Automation.PSCmdlet]::CommonParameters +
    [System.Management.Automation.PSCmdlet]::OptionalCommonParameters
Get-Command -Name * -CommandType Function, Cmdlet -ListImported |
    Where-Object Name -NotLike 'Test-Random*' | ForEach-Object {
    $attribute = if ($_.ImplementingType) {
        $_.ImplementingType.GetCustomAttributes(
            [System.Management.Automation.CmdletAttribute], $true)[0]
    }
    @{
        name = $_.Name
        impact = [string] $attribute.ConfirmImpact
        should = [bool] $attribute.SupportsShouldProcess
        uri = [string] $attribute.HelpUri
        dynamic = [bool] ($_.ImplementingType -and
            [System.Management.Automation.IDynamicParameters].IsAssignableFrom(
                $_.ImplementingType))
        cmdlet = [bool] $_.ImplementingType
        parameters = @($_.Parameters.Values | Where-Object Name -NotIn ($common + @(
            if ($attribute.SupportsPaging) { 'First', 'Skip', 'IncludeTotalCount' })) |
            ForEach-Object {
            $type = $_.ParameterType
            if ($type.IsArray) { $type = $type.GetElementType() }
            @{
                name = $_.Name
                enum = @(if ($type.IsEnum) { [Enum]::GetNames($type) })
                checks = @($_.Attributes.Where({ $_ -is
                    [System.Management.Automation.ValidateArgumentsAttribute] }).Count)
                sets = @($_.ParameterSets.GetEnumerator() | ForEach-Object {
                    $s = $_.Value
                    $_.Key, $s.Position, $s.IsMandatory, $s.ValueFromPipeline,
                    $s.ValueFromPipelineByPropertyName,
                    $s.ValueFromRemainingArguments -join '|'
                } | Sort-Object)
                hidden = [bool] $_.Attributes.DontShow.Where({ $_ })
            }
        })
    } | ConvertTo-Json -Depth 5 -Compress
}
"""


def test_facts_are_those_of_the_attributes(opened: Session) -> None:
    facts = [json.loads(text) for text in run(opened, _FACTS)]
    known = {c.name: c for c in fetch(opened).commands}
    checked = 0
    for fact in facts:
        command = known[fact["name"]]
        if fact["cmdlet"]:
            assert command.confirm_impact == fact["impact"], command.name
            assert command.supports_should_process == fact["should"], command.name
            assert command.help_uri == fact["uri"], command.name
            assert command.has_dynamic_parameters == fact["dynamic"], command.name
            assert command.advanced
        assert [p.name for p in command.parameters] == [
            p["name"] for p in fact["parameters"]
        ]
        for parameter, said in zip(command.parameters, fact["parameters"], strict=True):
            checked += 1
            where = (command.name, parameter.name)
            assert list(parameter.enum_values) == said["enum"] or "Nullable" in (
                parameter.type_name
            ), where
            refusing = [
                v
                for v in parameter.validations
                if "Allow" not in v.kind.value and "PSTypeName" not in str(v.arguments)
            ]
            assert [len(refusing)] == said["checks"], where
            assert parameter.hidden == said["hidden"], where
            assert sorted(
                "|".join(
                    map(
                        str,
                        (
                            m.set,
                            -(2**31) if m.position is None else m.position,
                            m.mandatory,
                            m.from_pipeline,
                            m.from_pipeline_by_name,
                            m.from_remaining,
                        ),
                    )
                )
                for m in parameter.memberships
            ) == sorted(said["sets"]), where
    assert checked > 500


_SPECIAL = """
class EveryColour : System.Management.Automation.IValidateSetValuesGenerator {
    [string[]] GetValidValues() { return 'red', 'green' }
}
[Flags()] enum Bits { None; One; Two }
class Shout : System.Management.Automation.ArgumentTransformationAttribute {
    [object] Transform(
        [System.Management.Automation.EngineIntrinsics] $e, [object] $o) { return $o }
}
class Even : System.Management.Automation.ValidateArgumentsAttribute {
    [void] Validate(
        [object] $o, [System.Management.Automation.EngineIntrinsics] $e) { }
}
function Test-Special {
    [CmdletBinding(DefaultParameterSetName = 'Ünï')]
    param(
        [ValidateSet([EveryColour])] [string] $Colour,
        [Bits] $Bits,
        [Shout()] $Loud,
        [Even()] [int] $Number,
        [ArgumentCompletions('one', 'two three', "it's")] $Hint,
        [ValidateDrive('C', 'Function')] [string] $Path,
        [Parameter(ParameterSetName = 'Ünï')] [ValidateRange('2020-01', '2020-02')]
            [datetime] $When,
        [ValidateRange(1.10d, 79228162514264337593543950335d)] $Much
    )
    dynamicparam {
        $all = [System.Management.Automation.RuntimeDefinedParameterDictionary]::new()
        $mine = [System.Management.Automation.ParameterAttribute]@{ Mandatory = $true }
        $all['Dynamic'] = [System.Management.Automation.RuntimeDefinedParameter]::new(
            'Dynamic', [int], [Attribute[]] $mine)
        $all
    }
    process { }
}
function Test-Simple($First, [int] $Second = 5) { $args }
function Test-Throws { [CmdletBinding()] param($x)
    dynamicparam { throw 'no parameters today' } process { } }
function Test-Broken { param([ValidateRange(5, 1)] $x) }
filter Test-Filter { $_ }
Set-Alias -Name first -Value second
Set-Alias -Name second -Value Test-Simple
Set-Alias -Name nowhere -Value No-Such-Command
${function:It's "odd" \\ `n\u200b\ud83d\ude00} = { param(${Wh"at\\}) }
"""


def test_what_is_rare(pwsh: str) -> None:
    with session(pwsh) as opened:
        run(opened, _SPECIAL)
        catalogue = fetch(opened)
    found = {c.name: c for c in catalogue.commands}
    special = found["Test-Special"]
    by_name = {p.name: p for p in special.parameters}
    assert special.sets == ("Ünï",)
    assert special.has_dynamic_parameters
    only_here = ValidationKind.HOST_ONLY
    engine = "System.Management.Automation."
    assert {p.name: p.validations for p in special.parameters} == {
        "Colour": (Validation(only_here, (engine + "ValidateSetAttribute",)),),
        "Bits": (),
        "Loud": (),
        "Number": (Validation(only_here, ("Even",)),),
        "Hint": (),
        "Path": (Validation(only_here, (engine + "ValidateDriveAttribute",)),),
        "When": (
            Validation(ValidationKind.RANGE, ("System.String", "2020-01", "2020-02")),
        ),
        "Much": (
            Validation(
                ValidationKind.RANGE,
                ("System.Decimal", "1.10", "79228162514264337593543950335"),
            ),
        ),
        "Dynamic": (),
    }
    assert by_name["Bits"].enum_values == ("None", "One", "Two")
    assert by_name["Bits"].enum_is_flags
    assert [p.name for p in special.parameters if p.transforms] == ["Loud"]
    assert by_name["Hint"].completions == ("one", "two three", "it's")
    assert [p.name for p in special.parameters if p.is_dynamic] == ["Dynamic"]
    assert by_name["Dynamic"].memberships[0].mandatory
    simple = found["Test-Simple"]
    assert simple.advanced is False
    assert [p.memberships[0].position for p in simple.parameters] == [0, 1]
    assert found["Test-Filter"].type is CommandType.FILTER
    assert found["first"].resolved_name == "Test-Simple"
    assert found["first"].parameters == simple.parameters
    assert found["nowhere"].resolved_name is None
    odd = found['It\'s "odd" \\ \n\u200b\U0001f600']
    assert [p.name for p in odd.parameters] == ['Wh"at\\']
    assert [p.name for p in found["Test-Throws"].parameters] == ["x"]
    assert found["Test-Throws"].has_dynamic_parameters
    assert [s.name for s in catalogue.unreadable] == ["Test-Broken"]
    assert catalogue.unreadable[0].id == "ErrorFromRemoteCommand"


def test_kinds_of_functions_are_told_apart(pwsh: str) -> None:
    with session(pwsh) as opened:
        run(opened, "function Test-One { }\nfilter Test-Two { }")
        for kind, name in (("FUNCTION", "Test-One"), ("FILTER", "Test-Two")):
            for pattern in ("Test-*", name):
                found = fetch(opened, pattern, types=CommandType[kind])
                assert [one.name for one in found.commands] == [name]


# ---- Help

_HELPFUL = """
# Not about it.

<#
.SYNOPSIS
    Before the function: "quotes", 'more' & <tags>.
.PARAMETER first
    The first.
.LINK
    https://example.org/before
#>
function Test-Before {
    param([SupportsWildcards()] [string] $First = '*', $Second = $x)
}

function Test-Inside {
    <#
    .SYNOPSIS
    Inside.

    Twice.
    .DESCRIPTION
    Describes.

    In two paragraphs.
    .EXAMPLE
    PS> Test-Inside
    Shows it.

    And why.
    .EXAMPLE
    Test-Inside -A 1
    .INPUTS
    System.String
    .OUTPUTS
    None
    .NOTES
    Beware.
    .LINK
    Get-Command
    .COMPONENT
    Parts
    .ROLE
    User
    .FUNCTIONALITY
    Works
    #>
    param($A = 'x')
}

# .SYNOPSIS
# In lines.
function Test-Lines { }

function Test-Nothing { }
"""


def test_help_in_comments_is_what_get_help_says(pwsh: str, tmp_path: Path) -> None:
    """The same topics, read from Get-Help's own answer."""
    module = tmp_path / "Helpful.psm1"
    module.write_text(_HELPFUL, encoding="utf-8")
    with session(pwsh) as opened:
        run(opened, f"Import-Module '{module}'")
        mine = fetch(opened, "Test-*", wants_help=True)
        problems: list[Event] = []
        names = ("Test-Before", "Test-Inside", "Test-Lines")
        theirs = {}
        for name in names:
            question = Script(f"Get-Help {name} -Full")
            with closing(
                Interview(opened, problems.append).ask(question, "help")
            ) as said:
                theirs[name] = topics.from_topic(name, next(said))
    for name in names:
        assert mine.help[name] == theirs[name]
    assert mine.help.keys() == theirs.keys()
    by_name = {c.name: c for c in mine.commands}
    assert by_name["Test-Before"].help_uri == "https://example.org/before"
    assert by_name["Test-Nothing"].help_uri == ""


def test_type_names_have_one_spelling() -> None:
    for name in _TYPE_NAMES.values():
        assert type_name(name) == name
