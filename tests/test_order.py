"""Orders: what a caller may write in several ways."""

from __future__ import annotations

from typing import Any

import pytest

from psexport.errors import UsageError
from psexport.model import CommandType
from psexport.order import (
    Order,
    arguments,
    command_types,
    module_spec,
    module_specs,
    texts,
)
from psexport.transport.base import Argument, ModuleSpec


@pytest.mark.parametrize(
    ("given", "read"),
    [(None, None), ("a", ("a",)), (["a", "b"], ("a", "b")), (("a",), ("a",))],
)
def test_texts(given: object, read: object) -> None:
    assert texts(given) == read  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (None, None),
        ("cmdlet", CommandType.CMDLET),
        ("ExternalScript", CommandType.EXTERNAL_SCRIPT),
        (["Function", "FILTER"], CommandType.FUNCTION | CommandType.FILTER),
        ("All", CommandType.ALL),
        (CommandType.ALIAS, CommandType.ALIAS),
    ],
)
def test_command_types(given: object, read: object) -> None:
    assert command_types(given) == read  # type: ignore[arg-type]


def test_an_unknown_command_type() -> None:
    with pytest.raises(UsageError, match="Cmdlets") as caught:
        command_types("Cmdlets")
    assert "Cmdlet" in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("X", ModuleSpec("X")),
        (ModuleSpec("X", "1.0"), ModuleSpec("X", "1.0")),
        ({"ModuleName": "X", "ModuleVersion": "1.0"}, ModuleSpec("X", "1.0")),
        (
            {"modulename": "X", "REQUIREDVERSION": "1.2.3.4"},
            ModuleSpec("X", required_version="1.2.3.4"),
        ),
        (
            {"ModuleName": "X", "MaximumVersion": "1.*"},
            ModuleSpec("X", maximum_version="1.*"),
        ),
    ],
)
def test_module_specification(given: object, read: ModuleSpec) -> None:
    assert module_spec(given) == read
    assert module_specs(given) == (read,)  # type: ignore[arg-type]
    assert module_specs([given, "Y"]) == (read, ModuleSpec("Y"))  # type: ignore[list-item]


@pytest.mark.parametrize(
    "given",
    [
        "",
        1,
        {},
        {"ModuleName": "X"},
        {"ModuleVersion": "1.0"},
        {"ModuleName": "X", "ModuleVersion": "1"},
        {"ModuleName": "X", "ModuleVersion": 1.0},
        {"ModuleName": "X", "ModuleVersion": "1.0\n"},
        {"ModuleName": "X", "ModuleVersion": "1.0", "Guid": "x"},
        {"ModuleName": "X", "ModuleVersion": "1.0", "Other": "x"},
        {"ModuleName": "X", "ModuleVersion": "1.0", "RequiredVersion": "1.0"},
        {"ModuleName": "", "ModuleVersion": "1.0"},
    ],
)
def test_no_module_specification(given: object) -> None:
    with pytest.raises(UsageError) as caught:
        module_spec(given)
    assert caught.value.id == "CannotConvertArgumentNoMessage"
    assert caught.value.hint


def test_a_refused_specification_is_shown_as_powershell_writes_it() -> None:
    with pytest.raises(
        UsageError, match=r"@\{ModuleName='X'; ModuleVersion='x'\} cannot"
    ):
        module_spec({"ModuleName": "X", "ModuleVersion": "x"})


@pytest.mark.parametrize(
    ("given", "asks"),
    [
        ({}, False),
        ({"format_type_name": ("*",)}, False),
        ({"allow_clobber": True}, False),
        ({"command_name": ("*",)}, True),
        ({"command_type": CommandType.ALL}, True),
        ({"module": ("X",)}, True),
        ({"fully_qualified_module": (ModuleSpec("X"),)}, True),
        ({"argument_list": ("cert:",)}, True),
    ],
)
def test_which_parameters_ask_for_commands(
    given: dict[str, object], asks: bool
) -> None:
    order = Order(output_module="X", **given)  # type: ignore[arg-type]
    assert order.asks_for_commands is asks


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (None, None),
        ("cert:", ("cert:",)),
        (0, (0,)),
        ([], ()),
        (["a", 1, None, ["b", True]], ("a", 1, None, ["b", True])),
    ],
)
def test_arguments(given: Argument, read: object) -> None:
    assert arguments(given) == read


@pytest.mark.parametrize("given", [[object()], {"a": 1}, [b"x"], [["x", {}]], 2**63])
def test_what_is_no_argument(given: Any) -> None:
    with pytest.raises(UsageError) as caught:
        arguments(given)
    assert caught.value.id == "CannotConvertArgumentNoMessage"


@pytest.mark.parametrize("name", ["command_name", "format_type_name", "module"])
@pytest.mark.parametrize(("given", "what"), [((), "Array"), (("a", ""), "String")])
def test_nothing_does_not_mean_everything(
    name: str, given: tuple[str, ...], what: str
) -> None:
    fields: dict[str, Any] = {name: given}
    with pytest.raises(UsageError) as caught:
        Order(output_module="X", **fields)
    assert caught.value.id == f"ParameterArgumentValidationErrorEmpty{what}NotAllowed"


def test_no_specifications_do_not_mean_all_modules() -> None:
    with pytest.raises(UsageError, match="FullyQualifiedModule"):
        Order(output_module="X", fully_qualified_module=())
