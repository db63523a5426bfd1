"""A host to export from that needs no PowerShell: made by hand, then recorded."""

from __future__ import annotations

from pathlib import Path

from clixml_text import Object, write
from command_records import SWITCH, count, metadata, shown, shown_parameter
from fake_session import FakeSession, output
from psexport.fetch import FetchRequest, fetch
from psexport.model import CommandType
from psexport.transport.recorder import record

PARAMETERS = {"Name": ("System.String[]", "n"), "Force": (SWITCH,)}
COMMANDS = (
    metadata("Get-Thing", "Cmdlet", PARAMETERS, Namespace="ThingTools"),
    metadata("Set-Thing", "Cmdlet", PARAMETERS, Namespace="ThingTools"),
    metadata("Test-Files", "Cmdlet", PARAMETERS, Namespace="TestTools"),
    metadata("Get-Widget", "Function", PARAMETERS, Namespace="ThingTools"),
    metadata("Select-Odd", "Filter", {}),
    metadata("gth", "Alias", PARAMETERS, ResolvedCommandName="Get-Thing"),
    metadata("lost", "Alias", {}),
    metadata("tool.exe", "Application", {}),
    metadata("bad name!", "Function", {}),
    metadata("Get-ChildItem", "Cmdlet", PARAMETERS),
    metadata("Grüß-Gott", "Function", {"Straße": ("System.String",)}),
)


def view(type_name: str) -> bytes:
    """A type with a table of one column."""
    control = Object(
        types=["System.Management.Automation.TableControl"],
        props={
            "Headers": [Object(props={"Label": "It", "Alignment": "Left", "Width": 9})],
            "Rows": [
                Object(
                    props={
                        "Columns": [
                            Object(
                                props={
                                    "Alignment": "Undefined",
                                    "DisplayEntry": Object(
                                        props={"ValueType": "Property", "Value": "Name"}
                                    ),
                                }
                            )
                        ],
                        "SelectedBy": None,
                        "Wrap": False,
                    }
                )
            ],
            "AutoSize": False,
            "HideTableHeaders": False,
            "OutOfBand": False,
        },
    )
    definition = Object(
        types=["System.Management.Automation.FormatViewDefinition"],
        props={"Name": "table", "Control": control},
    )
    types = ["System.Management.Automation.ExtendedTypeDefinition", "System.Object"]
    told = {
        "TypeName": type_name,
        "TypeNames": [type_name],
        "FormatViewDefinition": [definition],
    }
    return write(Object(types=types, text=type_name, props=told))


def write_recording(folder: Path) -> Path:
    """Record the host into a file in *folder*."""
    path = folder / "host.jsonl.gz"
    session = FakeSession(
        {
            "metadata": output(count(len(COMMANDS)), *COMMANDS),
            "sets": output(
                shown(
                    "Get-Thing",
                    {"S": [shown_parameter("Name", "System.String[]", position=0)]},
                    kind="Cmdlet",
                    module="ThingTools",
                )
            ),
            "Get-FormatData": output(view("Thing.Type"), view("Widget.Type")),
        }
    )
    with record(session, path) as recorded:
        fetch(recorded, FetchRequest(types=CommandType.ALL))
    return path
