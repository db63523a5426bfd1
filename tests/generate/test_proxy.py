"""A command of the host → one function: which shape, and what its text says."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from psexport.generate import proxy
from psexport.generate.design import Shape, design
from psexport.generate.types import constraint, range_literal
from psexport.model import (
    Command,
    CommandType,
    Detail,
    Membership,
    Parameter,
    Validation,
    ValidationKind,
)


def command(*parameters: Parameter, **facts: object) -> Command:
    known = {"detail": Detail.FULL, "advanced": True, "type": CommandType.FUNCTION}
    return Command("Get-It", parameters=parameters, **{**known, **facts})  # type: ignore[arg-type]


def text(*parameters: Parameter, **facts: object) -> str:
    return (
        proxy.opening("Get-It")
        + proxy.draft(design(command(*parameters, **facts))).body
    )


def in_set(name: str, **facts: object) -> tuple[Membership, ...]:
    return (Membership(name, **facts),)  # type: ignore[arg-type]


def of_set(name: str, type_name: str, set: str, **facts: object) -> Parameter:
    return Parameter(name, type_name, memberships=in_set(set, **facts))


ENUM = Parameter("Day", "System.DayOfWeek", enum_values=("Monday", "Tuesday"))
SETS = Detail.SETS
TWO_SETS = {"sets": ("A", "B")}


@pytest.mark.parametrize(
    ("it", "shape"),
    [
        (command(), Shape.TYPED),
        (command(Parameter("X", "System.Int32")), Shape.TYPED),
        (command(advanced=False), Shape.SIMPLE),
        (command(advanced=None), Shape.SIMPLE),
        (
            command(advanced=None, type=CommandType.CMDLET, detail=Detail.NAMES),
            Shape.LOOSE,
        ),
        (command(advanced=None, type=CommandType.APPLICATION), Shape.SIMPLE),
        (command(advanced=True, type=CommandType.EXTERNAL_SCRIPT), Shape.TYPED),
        (command(detail=Detail.SETS), Shape.LOOSE),
        # one set: nothing to tell apart
        (command(ENUM), Shape.TYPED),
        # an argument without a name may be a day or a word
        (
            command(
                of_set("Day", "System.DayOfWeek", "A", position=0),
                of_set("Word", "System.String", "B", position=0),
                **TWO_SETS,
            ),
            Shape.LOOSE,
        ),
        (
            command(
                of_set("Number", "System.Int32", "A", position=0),
                of_set("Word", "System.String", "B", position=0),
                **TWO_SETS,
            ),
            Shape.TYPED,
        ),
        # an input object may be either
        (
            command(
                of_set("P", "X.Process", "A", from_pipeline=True),
                of_set("S", "X.Service", "B", from_pipeline=True),
                **TWO_SETS,
            ),
            Shape.LOOSE,
        ),
        # only one takes objects, and asks for nothing else
        (
            command(
                of_set("P", "X.Process", "A", from_pipeline=True),
                of_set("Name", "System.String", "B", position=0),
                **TWO_SETS,
            ),
            Shape.TYPED,
        ),
    ],
)
def test_shapes(it: Command, shape: Shape) -> None:
    found = design(it)
    assert found.shape is shape
    assert (found.why is None) or shape is not Shape.TYPED


@pytest.mark.parametrize(
    ("type_name", "expected"),
    [
        ("System.String", "string"),
        ("System.String[]", "string[]"),
        ("System.Int32", "int"),
        ("System.UInt64", "System.UInt64"),
        ("System.Nullable`1[[System.Int32]]", "Nullable[System.Int32]"),
        ("System.Nullable`1[[My.Thing]]", None),
        ("System.String[][]", None),
        ("System.Management.Automation.SwitchParameter[]", None),
        ("System.DayOfWeek", None),
        ("System.Numerics.BigInteger", None),
        ("System.Text.RegularExpressions.Regex", None),
        ("', 'x", None),
    ],
)
def test_constraints(type_name: str, expected: str | None) -> None:
    assert constraint(type_name) == expected


@pytest.mark.parametrize(
    ("type_name", "number", "expected"),
    [
        ("System.Int32", "-5", "-5"),
        ("System.Int64", "9999999999", "9999999999"),
        ("System.UInt64", "1", None),
        ("System.Double", "1.5", None),
        ("System.Int32", "1);Remove-Item x;(", None),
        ("System.DateTime", "2026-01-01", None),
    ],
)
def test_ranges(type_name: str, number: str, expected: str | None) -> None:
    assert range_literal(type_name, number) == expected


@pytest.mark.parametrize("name", ["Host", "input", "PSCmdlet", "_", "PSExportCall"])
def test_names_that_cannot_be_variables_stay_names(name: str) -> None:
    made = proxy.draft(design(command(Parameter(name))))
    assert made.special["Renamed"] == {f"{name}_": name}
    assert f"[Alias('{name}')]" in made.body
    assert f"${{{name}_}}" in made.body


def test_a_new_variable_takes_no_name_that_is_there() -> None:
    it = command(Parameter("Host"), Parameter("Host_"))
    made = proxy.draft(design(it))
    assert made.special["Renamed"] == {"Host__": "Host"}


@pytest.mark.parametrize(
    ("names", "aliases"),
    [
        (["Age"], {"Age": ["A"]}),
        (["Assets"], {"Assets": ["A", "AS"]}),
        (["Age", "Assets"], {"Assets": ["AS"]}),
        (["AsJob"], {}),
        (["Name"], {}),
    ],
)
def test_what_may_be_cut_short_stays_clear(
    names: list[str], aliases: dict[str, list[str]]
) -> None:
    written = text(*map(Parameter, names))
    for name in names:
        listed = ",".join(f"'{alias}'" for alias in aliases.get(name, ()))
        expected = f"[Alias({listed})]${{{name}}}" if listed else f"${{{name}}}"
        assert expected in written
    assert written.count("AsJob") == 1


def test_validation_is_kept_where_the_type_is() -> None:
    rules = (
        Validation(ValidationKind.RANGE, ("System.Int32", "1", "9")),
        Validation(ValidationKind.HOST_ONLY, ("ValidateScript",)),
    )
    assert "[ValidateRange(1,9)][int]${X}" in text(
        Parameter("X", "System.Int32", validations=rules)
    )
    assert "Validate" not in text(Parameter("X", "My.Number", validations=rules))
    assert "Validate" not in text(
        Parameter("X", "System.Int32", validations=rules, transforms=True)
    )


def test_a_set_of_values_is_offered_and_not_insisted_on() -> None:
    values = Validation(ValidationKind.SET, ("1", "One", "it's $(x)"))
    written = text(Parameter("X", "System.String", validations=(values,)))
    assert "ValidateSet" not in written
    assert "'One','it''s $(x)'" in written


def test_what_is_left_out_is_told() -> None:
    it = command(Parameter("X", "My.Thing"), has_dynamic_parameters=True)
    left_out = proxy.draft(design(it)).left_out
    assert len(left_out) == 2
    assert any("My.Thing" in line for line in left_out)


@pytest.mark.engine
def test_the_syntax_reads_like_the_hosts(pwsh: str, tmp_path: Path) -> None:
    host = (
        "[CmdletBinding(DefaultParameterSetName='A',SupportsShouldProcess)]"
        "[OutputType([string])]param("
        "[Parameter(ParameterSetName='A',Position=0,Mandatory)][string]$Name,"
        "[Parameter(ParameterSetName='B',Mandatory)][int]$Id,"
        "[Parameter(ValueFromPipeline)][string[]]$Text,[switch]$Force)"
    )
    it = command(
        Parameter(
            "Name",
            "System.String",
            memberships=in_set("A", position=0, mandatory=True),
        ),
        Parameter("Id", "System.Int32", memberships=in_set("B", mandatory=True)),
        Parameter(
            "Text", "System.String[]", memberships=(Membership(from_pipeline=True),)
        ),
        Parameter("Force", is_switch=True),
        sets=("A", "B"),
        default_set="A",
        supports_should_process=True,
        output_types=("System.String",),
    )
    script = tmp_path / "both.ps1"
    script.write_text(
        f"function Get-Host1 {{ {host} }}\n"
        + proxy.opening("Get-Proxy1")
        + proxy.draft(design(it)).body
        + "@{ host = (Get-Command Get-Host1 -Syntax).Replace('Get-Host1', 'X').Trim()\n"
        "proxy = (Get-Command Get-Proxy1 -Syntax).Replace('Get-Proxy1', 'X').Trim()\n"
        "output = (Get-Command Get-Proxy1).OutputType.Name } | ConvertTo-Json\n",
        "utf-8",
    )
    done = subprocess.run(
        [pwsh, "-NoProfile", "-File", str(script)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    said = json.loads(done.stdout)
    assert said["proxy"].replace(" [-AsJob]", "") == said["host"]
    assert said["output"] == "System.String"
