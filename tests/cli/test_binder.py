"""The binder: what is typed, and what it means."""

from __future__ import annotations

import contextlib
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psexport.cli.binder import bind
from psexport.cli.parameters import EXPORT, VERBS, find_verb
from psexport.cli.scanner import asks_for_help
from psexport.errors import UsageError
from psexport.model import CommandType
from psexport.transport.base import ModuleSpec

# What bash makes of the line is what the binder gets, so lines are split as it does.
GIVEN: list[tuple[str, dict[str, object]]] = [
    # by position
    ("demo ./X", {}),
    ("demo ./X Get-*", {"CommandName": ("Get-*",)}),
    ("demo ./X Get-*,Set-*", {"CommandName": ("Get-*", "Set-*")}),
    ("demo ./X Get-*, Set-*", {"CommandName": ("Get-*", "Set-*")}),
    ("demo ./X Get-* , Set-*", {"CommandName": ("Get-*", "Set-*")}),
    ("demo ./X Get-* ,Set-*", {"CommandName": ("Get-*", "Set-*")}),
    (
        "demo ./X Get-* System.*",
        {"CommandName": ("Get-*",), "FormatTypeName": ("System.*",)},
    ),
    # by name, in any order, in any case, cut short, by alias
    ("-Session demo -OutputModule ./X", {}),
    ("-OutputModule ./X -Session demo", {}),
    ("-session demo -OUTPUTMODULE ./X", {}),
    ("-Sess demo -Output ./X", {}),
    ("-S demo -Out ./X", {}),
    ("demo -PSPath ./X", {}),
    ("demo -ModuleName ./X", {}),
    ("-OutputModule ./X demo", {}),
    ("demo ./X -Name a", {"CommandName": ("a",)}),
    ("demo ./X -N a", {"CommandName": ("a",)}),
    ("demo ./X -Args a", {"ArgumentList": ("a",)}),
    ("demo ./X -Arg a", {"ArgumentList": ("a",)}),
    ("demo ./X -PSSnapin a", {"Module": ("a",)}),
    ("demo ./X -Module a", {"Module": ("a",)}),
    ("demo ./X -Enc ascii", {"Encoding": "ascii"}),
    ("demo ./X -Cert a.pfx", {"Certificate": "a.pfx"}),
    ("demo ./X -Allow", {"AllowClobber": True}),
    ("demo ./X -AllowR", {"AllowRedirection": True}),
    ("demo ./X -Fid c", {"Fidelity": "Compatible"}),
    # spellings
    ("-Session:demo -OutputModule:./X", {}),
    ("-Session: demo -OutputModule: ./X", {}),
    ("–Session demo —OutputModule ./X", {}),
    ("―Session demo -OutputModule ./X", {}),
    ("--session demo --output-module ./X", {}),
    ("--session=demo --output-module=./X", {}),
    ("--session=demo --OutputModule=./X=Y", {"OutputModule": "./X=Y"}),
    ("demo ./X --command-name=a,b", {"CommandName": ("a", "b")}),
    ("demo ./X --as-json --skip-ca-check", {"AsJson": True, "SkipCACheck": True}),
    ("'-Session:C:\\a b' -Out ./X", {"Session": "C:\\a b"}),
    # switches
    ("demo ./X -Force", {"Force": True}),
    ("-Force demo ./X", {"Force": True}),
    ("demo ./X '-Force:$false'", {"Force": False}),
    ("demo ./X '-Force:$True'", {"Force": True}),
    ("demo ./X -Force:0", {"Force": False}),
    ("demo ./X -Force:False", {"Force": False}),
    ("demo ./X '-Force:' '$false'", {"Force": False}),
    ("demo ./X --force=false", {"Force": False}),
    ("demo ./X -Force false", {"Force": True, "CommandName": ("false",)}),
    # arrays
    (
        "-Session demo -Out ./X -Name a b c -vb",
        {"CommandName": ("a", "b", "c"), "Verbose": True},
    ),
    ("demo ./X -Name a,b c", {"CommandName": ("a", "b", "c")}),
    ("demo ./X -Name a, b , c", {"CommandName": ("a", "b", "c")}),
    ("-Name a b -- demo ./X", {"CommandName": ("a", "b")}),
    ("-Name:a demo ./X", {"CommandName": ("a",)}),
    ("-Name:a, b demo ./X", {"CommandName": ("a", "b")}),
    ("demo ./X -Name \"'a','b'\"", {"CommandName": ("a", "b")}),
    ("demo ./X -Name \"'a, b',c\"", {"CommandName": ("a, b", "c")}),
    ('demo ./X -Name \'"a","b"\'', {"CommandName": ("a", "b")}),
    ("demo ./X -Name ‘a’,’b’", {"CommandName": ("a", "b")}),
    ("demo ./X -Name \"@('a','b')\"", {"CommandName": ("a", "b")}),
    ('demo ./X -Name "it\'s"', {"CommandName": ("it's",)}),
    ("demo ./X -Name 'a b'", {"CommandName": ("a b",)}),
    ("demo ./X -Name 'Get-[a-c]*'", {"CommandName": ("Get-[a-c]*",)}),
    # values that look like names
    ("demo ./X -Name:-x", {"CommandName": ("-x",)}),
    ("demo ./X --command-name=-x", {"CommandName": ("-x",)}),
    ("demo ./X -Name -5", {"CommandName": ("-5",)}),
    ("demo ./X -Name -*", {"CommandName": ("-*",)}),
    ("demo ./X -Name -", {"CommandName": ("-",)}),
    ("demo ./X -- -x", {"CommandName": ("-x",)}),
    ("demo -- -x", {"OutputModule": "-x"}),
    ("demo ./X -Name \"'-x'\"", {"CommandName": ("-x",)}),
    # typed arguments
    ("demo ./X -Args cert:", {"ArgumentList": ("cert:",)}),
    (
        "demo ./X -Args 1 -2 1.5 0x10 2kb '$true' '$null' \"'1'\" 'a b' C:\\\\a",
        {"ArgumentList": (1, "-2", 1.5, 16, 2048, True, None, "1", "a b", "C:\\a")},
    ),
    ("demo ./X -Args a,1", {"ArgumentList": ("a", 1)}),
    ("demo ./X -Args a, 1", {"ArgumentList": ("a", 1)}),
    ("demo ./X -Args 'env:, cert:'", {"ArgumentList": ("env:", "cert:")}),
    # command types
    ("demo ./X -Type Cmdlet", {"CommandType": CommandType.CMDLET}),
    ("demo ./X -CommandType all", {"CommandType": CommandType.ALL}),
    (
        "demo ./X -Type function,Filter ExternalScript",
        {
            "CommandType": CommandType.FUNCTION
            | CommandType.FILTER
            | CommandType.EXTERNAL_SCRIPT
        },
    ),
    ("demo ./X -Type Func", {"CommandType": CommandType.FUNCTION}),
    # module specifications
    (
        "demo ./X -Full \"@{ModuleName='X'; ModuleVersion='1.0'}\"",
        {"FullyQualifiedModule": (ModuleSpec("X", "1.0"),)},
    ),
    (
        'demo ./X -Full \'@{modulename="X";requiredversion="1.2.3"}\' Y',
        {
            "FullyQualifiedModule": (
                ModuleSpec("X", required_version="1.2.3"),
                ModuleSpec("Y"),
            )
        },
    ),
    (
        "demo ./X -Full \"@{ModuleName='X'; ModuleVersion='1.0'},"
        "@{ModuleName='Y'; MaximumVersion='2.*'}\"",
        {
            "FullyQualifiedModule": (
                ModuleSpec("X", "1.0"),
                ModuleSpec("Y", maximum_version="2.*"),
            )
        },
    ),
    # as cmd.exe and PowerShell cut it
    (
        "demo ./X -Full @{ModuleName=\"'X'\"';' ModuleVersion=\"'1.0'\"}",
        {"FullyQualifiedModule": (ModuleSpec("X", "1.0"),)},
    ),
    (
        "demo ./X -Full \"@{ModuleName='X'; ModuleVersion='1.0';"
        " Guid='00000000-0000-0000-0000-000000000001'}\"",
        {
            "FullyQualifiedModule": (
                ModuleSpec("X", "1.0", guid="00000000-0000-0000-0000-000000000001"),
            )
        },
    ),
    # common parameters
    ("demo ./X -vb -db", {"Verbose": True, "Debug": True}),
    ("demo ./X -Verb", {"Verbose": True}),
    ("demo ./X -V", {"Verbose": True}),
    ("demo ./X -ea Stop", {"ErrorAction": "Stop"}),
    ("demo ./X -ErrorA silentlycontinue", {"ErrorAction": "SilentlyContinue"}),
    ("demo ./X -wa Ig", {"WarningAction": "Ignore"}),
    ("demo ./X -infa Continue", {"InformationAction": "Continue"}),
    ("demo ./X -proga Ignore", {"ProgressAction": "Ignore"}),
    (
        "demo ./X -ev e -wv w -iv i -ov o -pv p -ob 3",
        {
            "ErrorVariable": "e",
            "WarningVariable": "w",
            "InformationVariable": "i",
            "OutVariable": "o",
            "PipelineVariable": "p",
            "OutBuffer": 3,
        },
    ),
    ("demo ./X -Port 5986", {"Port": 5986}),
    # a session said otherwise takes no position
    ("-ComputerName s ./X", {"ComputerName": "s", "Session": None}),
    ("-Cn s -UseSSL ./X", {"ComputerName": "s", "UseSSL": True, "Session": None}),
    (
        "-HostName s ./X Get-*",
        {"HostName": "s", "CommandName": ("Get-*",), "Session": None},
    ),
    (
        "-URI http://s:1/wsman ./X",
        {"ConnectionUri": "http://s:1/wsman", "Session": None},
    ),
    # quotes that a shell left
    ("demo \"'./X'\"", {}),
    ("demo './a,b'", {"OutputModule": "./a,b"}),
]

REFUSED: list[tuple[str, str, str]] = [
    ("", "MissingMandatoryParameter", "-Session and -OutputModule"),
    ("demo", "MissingMandatoryParameter", "-OutputModule"),
    ("-OutputModule ./X", "MissingMandatoryParameter", "-Session"),
    ("-ComputerName s", "MissingMandatoryParameter", "-OutputModule"),
    ("-Name a demo ./X", "MissingMandatoryParameter", "-CommandName has taken"),
    ("demo ./X -Bogus", "NamedParameterNotFound", "-Bogus"),
    ("demo ./X -Forse", "NamedParameterNotFound", "mean -Force?"),
    ("demo ./X -ComandName a", "NamedParameterNotFound", "mean -CommandName"),
    ("demo ./X --bogus=1", "NamedParameterNotFound", "-bogus"),
    ("demo ./X -Name=a", "NamedParameterNotFound", "-Name:value"),
    ("demo ./X -TsaCAFile a", "NamedParameterNotFound", "psexport verify"),
    ("demo ./X -WhatIf", "NamedParameterNotFound", "-WhatIf"),
    ("demo ./X -C a", "AmbiguousParameter", "-CommandName, -CommandType"),
    ("demo ./X -Com a", "AmbiguousParameter", "-CommandType"),
    ("demo ./X -F", "AmbiguousParameter", "-FullyQualifiedModule"),
    ("demo ./X -Fo", "AmbiguousParameter", "-FormatTypeName, -Force"),
    ("demo ./X -Mod a", "AmbiguousParameter", "-OutputModule"),
    ("demo ./X -Err a", "AmbiguousParameter", "-ErrorVariable"),
    ("demo ./X -Include", "AmbiguousParameter", "-IncludeHelp"),
    ("demo ./X -Name", "MissingArgument", "-CommandName"),
    ("demo ./X --command-name -Force", "MissingArgument", "-CommandName"),
    ("demo ./X -Name -Force", "MissingArgument", "-CommandName"),
    ("demo ./X -Name:", "MissingArgument", "-CommandName"),
    ("demo -OutputModule", "MissingArgument", "-OutputModule"),
    ("demo ./X -Name a,,b", "MissingArgument", "comma"),
    ("demo ./X -Name a,", "MissingArgument", "comma"),
    ("demo ./X -Name ,a", "MissingArgument", "comma"),
    ("demo ./X -Force:", "MissingArgument", "-Force:0"),
    ("demo ./X --force=", "MissingArgument", "-Force"),
    ("demo ./X a b c", "PositionalParameterNotFound", "'c'"),
    ("demo ./X -Force -Force", "ParameterAlreadyBound", "-Force"),
    ("demo ./X -Name a -CommandName b", "ParameterAlreadyBound", "value1,value2"),
    (
        "demo ./X -Module a -FullyQualifiedModule b",
        "ModuleAndFullyQualifiedModuleCannotBeSpecifiedTogether",
        "-Module and -FullyQualifiedModule",
    ),
    ("-Session demo -ComputerName s ./X", "AmbiguousParameterSet", "-ComputerName"),
    ("-HostName t -ComputerName s ./X", "AmbiguousParameterSet", "-HostName"),
    ("demo ./X -Force:abc", "CannotConvertArgumentNoMessage", "-Force"),
    ("demo ./X -ea Bad", "CannotConvertArgumentNoMessage", "SilentlyContinue"),
    ("demo ./X -ea S", "CannotConvertArgumentNoMessage", "SilentlyContinue, Stop"),
    ("demo ./X -ea Inquire", "CannotConvertArgumentNoMessage", "Stop"),
    ("demo ./X -Port x", "CannotConvertArgumentNoMessage", "whole number"),
    ("demo ./X -Port 0", "CannotConvertArgumentNoMessage", "65535"),
    ("demo ./X -Port 1.5", "CannotConvertArgumentNoMessage", "whole number"),
    ("demo ./X -ob x", "CannotConvertArgumentNoMessage", "-OutBuffer"),
    ("demo ./X -Type Cmdlets", "CannotConvertArgumentNoMessage", "Cmdlet"),
    ("demo ./X -Type A", "CannotConvertArgumentNoMessage", "Alias, All, Application"),
    ("demo ./X -Full '@{ModuleName=1'", "CannotConvertArgumentNoMessage", ""),
    (
        "demo ./X -Full \"@{ModuleName='X'}\"",
        "CannotConvertArgumentNoMessage",
        "ModuleVersion",
    ),
    (
        "demo ./X -Full \"@{ModuleVersion='1.0'}\"",
        "CannotConvertArgumentNoMessage",
        "ModuleName is missing",
    ),
    (
        "demo ./X -Full \"@{ModuleName='X';ModuleVersion='1.0';Colour='red'}\"",
        "CannotConvertArgumentNoMessage",
        "Colour",
    ),
    (
        "demo ./X -Full \"@{ModuleName='X';ModuleVersion='new'}\"",
        "CannotConvertArgumentNoMessage",
        "no version",
    ),
    (
        "demo ./X -Full \"@{ModuleName='X';ModuleVersion='1.0';Guid='1'}\"",
        "CannotConvertArgumentNoMessage",
        "no GUID",
    ),
    (
        "demo ./X -Full \"@{ModuleName='X';RequiredVersion='1.0';"
        "ModuleVersion='1.0'}\"",
        "CannotConvertArgumentNoMessage",
        "RequiredVersion",
    ),
    (
        "demo ./X -Full System.Collections.Hashtable",
        "CannotConvertArgumentNoMessage",
        "hashtable",
    ),
    ("demo ./X -Args '$x'", "CannotConvertArgumentNoMessage", "expand"),
    ("demo ./X -Args '@{a=1}'", "CannotConvertArgumentNoMessage", "hashtable"),
    (
        "demo ''",
        "ParameterArgumentValidationErrorEmptyStringNotAllowed",
        "-OutputModule",
    ),
    (
        "demo ./X -Name ''",
        "ParameterArgumentValidationErrorEmptyStringNotAllowed",
        "-CommandName",
    ),
]


@pytest.mark.parametrize(("line", "values"), GIVEN)
def test_what_is_bound(line: str, values: dict[str, object]) -> None:
    expected = {"Session": "demo", "OutputModule": "./X", **values}
    expected = {name: value for name, value in expected.items() if value is not None}
    assert dict(bind(EXPORT, shlex.split(line)).values) == expected


@pytest.mark.parametrize(("line", "id", "words"), REFUSED)
def test_what_is_refused(line: str, id: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        bind(EXPORT, shlex.split(line))
    assert caught.value.id == id
    assert words in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize(
    ("verb", "line", "values"),
    [
        ("verify", "a.ps1 -AsJson", {"Path": ("a.ps1",), "AsJson": True}),
        ("verify", "a.ps1, b.psm1", {"Path": ("a.ps1", "b.psm1")}),
        ("verify", "-Path a b -CAFile c", {"Path": ("a", "b"), "CAFile": "c"}),
        ("sign", "a.ps1 c.pfx", {"Path": ("a.ps1",), "Certificate": "c.pfx"}),
        ("verify", "a.ps1 b c,d -AsJson", {"Path": ("a.ps1", "b", "c", "d")}),
        ("sign", "a b 'c d' -Certificate e", {"Path": ("a", "b", "c d")}),
        ("sign", "-Certificate e -- a -b", {"Path": ("a", "-b")}),
        ("sign", "a b c d", {"Path": ("a", "b", "c"), "Certificate": "d"}),
        ("sign", "a, b c", {"Path": ("a", "b"), "Certificate": "c"}),
        ("sign", "a c -Inc all", {"IncludeChain": "All"}),
        ("sign", "a c -Hash sha384", {"HashAlgorithm": "SHA384"}),
        ("compare", "demo catalog:x", {"Reference": "demo"}),
        ("capture", "demo x.cat", {"Session": "demo", "Path": "x.cat"}),
        ("doctor", "-ComputerName s", {"ComputerName": "s"}),
        ("sessions", "test here", {"Action": "test", "Name": "here"}),
        ("sessions", "", {}),
        ("help", "verify", {"Verb": "verify"}),
        ("completion", "bash", {"Shell": "bash"}),
        ("completion", "Power", {"Shell": "powershell"}),
    ],
)
def test_other_verbs(verb: str, line: str, values: dict[str, object]) -> None:
    found = find_verb(verb)
    assert found is not None
    bound = bind(found, shlex.split(line)).values
    assert {name: bound[name] for name in values} == values


@pytest.mark.parametrize(
    ("line", "asks"),
    [
        ("-?", True),
        ("--help", True),
        ("-h", True),
        ("-Help", True),
        ("–?", True),
        ("demo ./X -Bogus -?", True),
        ("demo ./X -- -?", False),
        ("demo ./X -HostName", False),
        ("demo ?", False),
    ],
)
def test_help_is_asked_for(line: str, asks: bool) -> None:
    assert asks_for_help(shlex.split(line)) is asks


_WORDS = st.one_of(
    st.sampled_from(
        [
            f"{dash}{parameter.name[:cut]}{separator}"
            for parameter in EXPORT.parameters
            for dash in ("-", "--", "–")
            for cut in (1, 4, None)
            for separator in ("", ":", "=", ":a,b", "=$false")
        ]
    ),
    st.sampled_from(["--", "-", ",", "a,", "@{", "}", "@(", "'a", '"', "$true", "-5"]),
    st.text(max_size=12),
    st.text(alphabet="-:=,@{}()'\"‘“`$;a1. ", max_size=12),
)


@given(st.sampled_from(VERBS), st.lists(_WORDS, max_size=8))
def test_only_a_usage_error_ever_comes_out(verb: object, words: list[str]) -> None:
    asks_for_help(words)
    with contextlib.suppress(UsageError):
        bind(verb, words)  # type: ignore[arg-type]


@given(st.text(min_size=1).filter(lambda text: "\0" not in text))
def test_a_quoted_value_arrives_as_it_left(text: str) -> None:
    quoted = "'" + text.replace("'", "''") + "'"
    for quote in "‘’‚‛":
        quoted = quoted.replace(quote, quote * 2)
    bound = bind(EXPORT, ["demo", f"-OutputModule:{quoted}", f"-Name:{quoted}"])
    assert bound.text("OutputModule") == text
    assert bound.texts("CommandName") == (text,)
