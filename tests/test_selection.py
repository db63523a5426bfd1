"""What of a catalogue becomes a module."""

from __future__ import annotations

import string
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from psexport.errors import PSExportError, UsageError
from psexport.model import (
    ALL_SETS,
    Alias,
    Catalogue,
    Command,
    CommandType,
    Host,
    Membership,
    Parameter,
    Selection,
    Skipped,
)
from psexport.pslang import fold, is_definable, is_safe_name
from psexport.selection import SelectionRequest, select, wanted
from psexport.views import TypeViews

CMDLET, FUNCTION, ALIAS = CommandType.CMDLET, CommandType.FUNCTION, CommandType.ALIAS


def catalogue(*commands: Command, views: tuple[str, ...] = ()) -> Catalogue:
    host = Host(commands_to_skip=())
    made = tuple(TypeViews(type_names=(name,), views=()) for name in views)
    return Catalogue(host=host, commands=commands, views=made)


def cmdlets(*names: str) -> Catalogue:
    return catalogue(*(Command(name, CMDLET) for name in names))


def alias(name: str, resolved: str | None) -> Command:
    return Command(name, ALIAS, resolved_name=resolved)


def names(selection: Selection) -> list[str]:
    return [proxy.name for proxy in selection.proxies]


def ids(skipped: tuple[Skipped, ...]) -> list[tuple[str, str]]:
    return [(each.name, each.id) for each in skipped]


@pytest.mark.parametrize(
    ("command", "formats", "commands", "views"),
    [(False, False, True, True), (True, False, True, False), (False, True, False, True),
     (True, True, True, True)],
)  # fmt: skip
def test_what_is_fetched(
    command: bool, formats: bool, commands: bool, views: bool
) -> None:
    asked = wanted(command_parameters=command, format_parameter=formats)
    assert asked == (commands, views)


# --- what was asked for -----------------------------------------------------------


def test_commands_come_in_the_order_of_their_names() -> None:
    assert names(select(cmdlets("b-X", "A-x", "C-x"))) == ["A-x", "b-X", "C-x"]


@pytest.mark.parametrize(
    ("patterns", "name", "asked"),
    [
        (("Get-*",), "get-item", True),
        (("Get-*",), "Set-Item", False),
        (("x", "Set-[a-i]*"), "Set-Item", True),
        (("foo",), "foo.ps1", True),
        (("foo",), "FOO.PS1", True),
        (("fo?",), "foo.ps1", True),
        (("foo",), "foo.ps2", False),
        (("foo",), "foo.exe", False),
        ((), "foo", False),
    ],
)
def test_names_that_were_asked_for(
    patterns: tuple[str, ...], name: str, asked: bool
) -> None:
    selection = select(cmdlets(name), SelectionRequest(names=patterns))
    assert bool(selection.proxies) is asked
    refusal = [] if asked else [(name, "ErrorSkippedNonRequestedCommand")]
    assert ids(selection.errors) == ids(selection.skipped) == refusal


@pytest.mark.parametrize(
    ("asked", "sent", "kept"),
    [
        (CommandType.DEFAULT, CommandType.CMDLET, True),
        (CommandType.DEFAULT, CommandType.APPLICATION, False),
        (CommandType.DEFAULT, CommandType.EXTERNAL_SCRIPT, False),
        (CommandType.ALL, CommandType.APPLICATION, True),
        (CommandType.FUNCTION, CommandType.FILTER, True),
        (CommandType.FILTER, CommandType.FUNCTION, True),
        (CommandType.FUNCTION, CommandType.CMDLET, False),
        (CommandType.ALIAS | CommandType.CMDLET, CommandType.FUNCTION, False),
    ],
)
def test_types_that_were_asked_for(
    asked: CommandType, sent: CommandType, kept: bool
) -> None:
    given = catalogue(Command("x", sent))
    assert bool(select(given, SelectionRequest(types=asked)).proxies) is kept


def test_views_that_were_asked_for() -> None:
    given = catalogue(views=("System.IO.FileInfo", "Other", "System.Int32"))
    both = replace(given.views[0], type_names=("System.IO.FileInfo", "Sneaked.In"))
    given = replace(given, views=(both, *given.views[1:]))
    selection = select(given, SelectionRequest(format_type_names=("system.*",)))
    assert [v.type_names for v in selection.views] == [
        ("System.IO.FileInfo",),
        ("System.Int32",),
    ]
    assert ids(selection.errors) == [
        ("Sneaked.In", "ErrorSkippedNonRequestedTypeDefinition"),
        ("Other", "ErrorSkippedNonRequestedTypeDefinition"),
    ]


def test_a_bad_pattern_is_the_callers_mistake() -> None:
    with pytest.raises(UsageError):
        select(cmdlets("x"), SelectionRequest(names=("[",)))


# --- what is left out -------------------------------------------------------------


def test_what_export_pssession_leaves_out_unless_it_is_named() -> None:
    given = replace(cmdlets("get-help", "Measure-Object", "Get-Item"), host=Host())
    selection = select(given)
    assert names(selection) == ["Get-Item"]
    assert ids(selection.skipped) == [
        ("get-help", "CommandToSkip"),
        ("Measure-Object", "CommandToSkip"),
    ]
    assert selection.errors == ()
    literal = SelectionRequest(names=("*-Object", "Get-HELP"))
    assert names(select(given, literal)) == ["get-help"]


def test_what_the_host_leaves_out() -> None:
    given = replace(
        cmdlets("Get-Help", "Get-Secret"), host=Host(commands_to_skip=("get-SECRET",))
    )
    assert names(select(given)) == ["Get-Help"]


def test_what_could_not_be_read_is_said() -> None:
    lost = Skipped("Get-X", "ErrorMalformedDataFromRemoteCommand", "…")
    selection = select(replace(cmdlets("Get-Y"), unreadable=(lost,)))
    assert selection.skipped == selection.errors == (lost,)


# --- one of each name -------------------------------------------------------------


@pytest.mark.parametrize(
    ("types", "winner"),
    [
        ((CMDLET, FUNCTION), 1),
        ((FUNCTION, CMDLET), 0),
        ((CMDLET, CommandType.FILTER, FUNCTION), 1),
        ((CommandType.APPLICATION, CommandType.EXTERNAL_SCRIPT, CMDLET), 2),
        ((CommandType.EXTERNAL_SCRIPT, CommandType.APPLICATION), 0),
        ((CMDLET, FUNCTION, ALIAS), 2),
        ((CMDLET, CMDLET), 0),
    ],
)
def test_the_command_that_the_host_would_run(
    types: tuple[CommandType, ...], winner: int
) -> None:
    spellings = ("get-x", "Get-X", "GET-X")
    given = catalogue(*(Command(*pair) for pair in zip(spellings, types, strict=False)))
    selection = select(given, SelectionRequest(types=CommandType.ALL))
    assert names(selection) == [spellings[winner]]
    assert {each.id for each in selection.skipped} == {"CommandOfSameName"}


# --- what is not safe -------------------------------------------------------------

UNSAFE = (
    *("", "a b", "a'b", "a’b", 'a"b', "a`b", "a$b", "a;b", "a#>b", "a\nb", "ab\n"),
    *("a\0b", "a" * 101, "a" * 10_000, "../../x", "/etc/x", "a\u202eb", "\ud800"),
    *("*", "%", "$(x)"),
)


@pytest.mark.parametrize("name", UNSAFE)
def test_an_unsafe_name_costs_its_command_alone(name: str) -> None:
    bad = [
        (Command(name, CMDLET), "ErrorSkippedUnsafeCommandName"),
        (
            Command("x", CMDLET, parameters=(Parameter(name),)),
            "ErrorSkippedUnsafeParameterName",
        ),
        (
            Command("x", CMDLET, parameters=(Parameter("p", aliases=("q", name)),)),
            "ErrorSkippedUnsafeAliasName",
        ),
        (
            Command(
                "x",
                CMDLET,
                parameters=(Parameter("p", memberships=(Membership(name),)),),
            ),
            "ErrorSkippedUnsafeParameterSetName",
        ),
        (Command("x", CMDLET, sets=(name,)), "ErrorSkippedUnsafeParameterSetName"),
    ]
    if name:
        bad.append(
            (
                Command("x", CMDLET, default_set=name),
                "ErrorSkippedUnsafeParameterSetName",
            )
        )
    for command, id in bad:
        selection = select(catalogue(command, Command("Get-Good", CMDLET)))
        assert names(selection) == ["Get-Good"]
        assert [each.id for each in selection.errors] == [id]
        assert selection.errors[0].reason.isprintable()
        assert len(selection.errors[0].name) <= 200


@pytest.mark.parametrize(
    "name",
    [
        "global:x",
        "Script:x",
        "Microsoft.PowerShell.Core\\Get-Job",
        "C:\\Windows\\x.exe",
    ],
)
def test_a_safe_name_that_would_mean_something_else(name: str) -> None:
    selection = select(cmdlets(name, "cd\\", "C:"))
    assert names(selection) == ["C:", "cd\\"]
    assert ids(selection.errors) == [(name, "ErrorSkippedUnsafeCommandName")]


def test_names_that_the_module_needs_itself() -> None:
    reserved = frozenset([fold("Get-OurSession")])
    given = cmdlets("get-oursession", "Get-Item")
    assert names(select(given, reserved=reserved)) == ["Get-Item"]
    prefixed = select(given, SelectionRequest(prefix="X"), reserved=reserved)
    assert names(prefixed) == ["Get-XItem", "get-Xoursession"]


@pytest.mark.parametrize(
    "command",
    [
        Command("x", CMDLET, parameters=(Parameter("Path"), Parameter("PATH"))),
        Command(
            "x",
            CMDLET,
            parameters=(
                Parameter("p", memberships=(Membership("A"), Membership("a"))),
            ),
        ),
        Command("x", CMDLET, sets=tuple(f"S{n}" for n in range(40))),
    ],
)
def test_metadata_that_no_command_can_have(command: Command) -> None:
    selection = select(catalogue(command))
    assert ids(selection.errors) == [("x", "ErrorMalformedDataFromRemoteCommand")]


def test_clashing_parameters_and_aliases_are_taken_out() -> None:
    command = Command(
        "x",
        CMDLET,
        supports_should_process=True,
        parameters=(
            Parameter("Path", aliases=("p", "FullName", "WI")),
            Parameter("Verbose"),
            Parameter("confirm"),
            Parameter("First", aliases=("P", "path", "vb", "f")),
        ),
    )
    (proxy,) = select(catalogue(command)).proxies
    assert [(p.name, p.aliases) for p in proxy.command.parameters] == [
        ("Path", ("p", "FullName")),
        ("First", ("f",)),
    ]


def test_a_command_without_clashes_is_not_touched() -> None:
    command = Command("x", CMDLET, parameters=(Parameter("First", aliases=("f",)),))
    (proxy,) = select(catalogue(command)).proxies
    assert proxy.command == command


# --- clobbering -------------------------------------------------------------------


def test_what_the_shell_has_is_left_out_with_one_warning() -> None:
    baseline = frozenset(map(fold, ("Get-Item", "SET-ITEM", "Get-Other")))
    selection = select(cmdlets("set-item", "Get-Item", "Get-New"), baseline=baseline)
    assert names(selection) == ["Get-New"]
    (warning,) = selection.warnings
    assert "Get-Item, set-item" in warning
    id = "ErrorCommandSkippedBecauseOfShadowing"
    assert ids(selection.skipped) == [("Get-Item", id), ("set-item", id)]
    assert selection.errors == ()


def test_clobbering_that_leaves_nothing_is_an_error() -> None:
    with pytest.raises(PSExportError) as caught:
        select(cmdlets("Get-Item"), baseline=frozenset([fold("get-item")]))
    assert caught.value.id == "ErrorNoCommandsImportedBecauseOfSkipping"
    assert caught.value.hint is not None
    assert "-AllowClobber" in caught.value.hint


def test_a_host_without_commands_clobbers_nothing() -> None:
    assert select(catalogue(), baseline=frozenset(["X"])) == Selection()


# --- prefix -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "prefixed"),
    [
        ("Get-Item", "Get-MyItem"),
        ("mkdir", "Mymkdir"),
        ("a-b-c", "a-Myb-c"),
        ("-x", "My-x"),
    ],
)
def test_prefix(name: str, prefixed: str) -> None:
    (proxy,) = select(cmdlets(name), SelectionRequest(prefix="My")).proxies
    assert (proxy.name, proxy.command.name) == (prefixed, name)


@pytest.mark.parametrize("prefix", ["a b", "a'b", "a:b", "a\\", "x" * 101])
def test_what_is_no_prefix(prefix: str) -> None:
    with pytest.raises(UsageError, match="prefix"):
        select(cmdlets("Get-Item"), SelectionRequest(prefix=prefix))


def test_a_prefix_avoids_clobbering() -> None:
    baseline = frozenset([fold("Get-Item")])
    prefixed = select(
        cmdlets("Get-Item"), SelectionRequest(prefix="X"), baseline=baseline
    )
    assert names(prefixed) == ["Get-XItem"]


# --- aliases ----------------------------------------------------------------------


def test_an_alias_of_an_exported_command_is_an_alias() -> None:
    selection = select(catalogue(alias("gi", "GET-item"), Command("Get-Item", CMDLET)))
    assert names(selection) == ["Get-Item"]
    assert selection.aliases == (Alias("gi", "Get-Item"),)


def test_an_alias_of_another_command_is_a_command_of_its_own() -> None:
    given = catalogue(alias("gcm", "Get-Command"), Command("Get-Command", CMDLET))
    given = replace(given, host=Host())
    selection = select(given)
    assert names(selection) == ["gcm"]
    assert selection.aliases == (Alias("gcm"),)


def test_aliases_that_resolve_to_nothing_are_one_error_and_are_commands() -> None:
    selection = select(catalogue(alias("b", None), alias("a", ""), alias("c", "b")))
    assert names(selection) == ["a", "b", "c"]
    assert selection.aliases == (Alias("c"),)
    (error,) = selection.errors
    assert (error.name, error.id) == ("a, b", "ErrorCouldntResolveAlias")
    assert "Could not resolve remote alias" in error.reason
    assert selection.skipped == ()


def test_an_alias_never_points_outside_of_the_module() -> None:
    hostile = alias("x", "Get-Item; Remove-Item /")
    clobbered = alias("y", "Get-Item")
    given = catalogue(hostile, clobbered, Command("Get-Item", CMDLET))
    selection = select(given, baseline=frozenset([fold("Get-Item")]))
    assert selection.aliases == (Alias("x"), Alias("y"))
    assert names(selection) == ["x", "y"]


def test_an_alias_has_the_prefix_too() -> None:
    given = catalogue(alias("gi", "Get-Item"), Command("Get-Item", CMDLET))
    selection = select(given, SelectionRequest(prefix="My"))
    assert selection.aliases == (Alias("Mygi", "Get-MyItem"),)


# --- laws -------------------------------------------------------------------------

_names = st.one_of(
    st.text("aAbK-\\.: '$\n’ſßK", max_size=4),
    st.sampled_from(["Get-Item", "get-item", "GI", "Get-Help", "global:x", "a.ps1"]),
    st.text(string.printable, max_size=3),
)
_parameters = st.builds(
    Parameter,
    name=_names,
    aliases=st.lists(_names, max_size=2).map(tuple),
    memberships=st.lists(
        st.builds(Membership, set=st.sampled_from([ALL_SETS, "A", "a", "b'"])),
        max_size=2,
    ).map(tuple),
)
_commands = st.builds(
    Command,
    name=_names,
    type=st.sampled_from(list(CommandType)[:9]),
    resolved_name=st.none() | _names,
    parameters=st.lists(_parameters, max_size=3).map(tuple),
)


@given(st.lists(_commands, max_size=8))
def test_whatever_a_host_says_what_is_selected_is_safe(commands: list[Command]) -> None:
    request = SelectionRequest(types=CommandType.ALL)
    selection = select(catalogue(*commands), request)
    made = [proxy.name for proxy in selection.proxies]
    for name in made + [each.name for each in selection.aliases]:
        assert is_safe_name(name)
        assert is_definable(name)
    assert len(set(map(fold, made))) == len(made)
    assert {each.target for each in selection.aliases} <= {None, *made}
    for proxy in selection.proxies:
        taken = [
            fold(name)
            for parameter in proxy.command.parameters
            for name in (parameter.name, *parameter.aliases)
        ]
        assert len(set(taken)) == len(taken)
    # Nothing is lost without a word.
    told = {fold(each.name) for each in selection.skipped}
    kept = set(map(fold, made)) | {fold(each.name) for each in selection.aliases}
    assert {fold(command.name) for command in commands} <= told | kept
