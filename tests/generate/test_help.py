"""Help of proxies, held against the host's own; the engine reads both."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from engine import run_script
from psexport import generate
from psexport.connection import Connection, parse
from psexport.events import ignore
from psexport.fetch import FetchRequest, compact, host, portable
from psexport.generate import ModuleOptions, about, build_module, help
from psexport.generate.psd1 import Manifest
from psexport.model import (
    Catalogue,
    Command,
    CommandType,
    Detail,
    Help,
    HelpExample,
    HelpParameter,
    Host,
    Membership,
    Parameter,
    Proxy,
    Selection,
)
from psexport.selection import SelectionRequest, select
from psexport.transport import connect
from psexport.transport.base import Script, Stream

HERE = Path(__file__).parent
HOST = HERE / "help_host.ps1"
FACTS = HERE / "help_facts.ps1"
WRITTEN = ("Get-Full", "Get-Before", "Get-End", "Select-Filtered", "Get-Unicode")
ALIASES = {"Name": "N, Nm", "WhatIf": "wi", "Confirm": "cf"}
MADE_UP = ("Get-Bare", "Get-Sets")
NOWHERE = parse("replay:nowhere")
Facts = dict[str, dict[str, Any]]


def facts(pwsh: str, source: Path, names: Sequence[str]) -> Facts:
    """What Get-Help says there."""
    said = run_script(pwsh, FACTS, "-Source", str(source), "-Names", ",".join(names))
    return {
        name: json.loads(line)
        for name, line in zip(names, said.splitlines(), strict=True)
    }


def write(folder: Path, files: Mapping[str, str], manifest: Manifest) -> Path:
    """Write a module; gives its manifest."""
    for path, text in files.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8", newline="")
    path = folder / f"{folder.name}.psd1"
    path.write_text(manifest.render(), "utf-8", newline="")
    return path


def export(
    script: Path, names: Sequence[str], folder: Path, road: str, pwsh: str
) -> Path:
    """Make a module of a host with that script, by one of the two roads."""
    connection = parse(f"pwsh:{pwsh}")
    request = FetchRequest(names=tuple(names), wants_views=False, wants_help=True)
    with connect(connection) as session:
        with session.ask(Script(script.read_text("utf-8"))) as answer:
            assert not [r.data for r in answer if r.stream is Stream.ERROR]
        told = host.fetch(session, ignore)
        fetch = compact.fetch if road == "compact" else portable.fetch
        catalogue = fetch(session, request, told, ignore)
    assert catalogue is not None
    asked = SelectionRequest(names=tuple(names))
    selection = select(catalogue, asked, reserved=generate.reserved_names())
    return make(selection, catalogue, folder, connection)


def make(
    selection: Selection,
    catalogue: Catalogue,
    folder: Path,
    connection: Connection = NOWHERE,
) -> Path:
    module = build_module(selection, catalogue, ModuleOptions(folder.name, connection))
    return write(folder, module.files, module.manifest)


@pytest.fixture(scope="module")
def host_facts(pwsh: str) -> Facts:
    return facts(pwsh, HOST, WRITTEN + MADE_UP)


@pytest.fixture(scope="module", params=["compact", "portable"])
def road(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def proxy_facts(
    road: str, pwsh: str, tmp_path_factory: pytest.TempPathFactory
) -> Facts:
    folder = tmp_path_factory.mktemp("help") / "Helped"
    manifest = export(HOST, WRITTEN + MADE_UP, folder, road, pwsh)
    return facts(pwsh, manifest, WRITTEN + MADE_UP)


@pytest.mark.engine
@pytest.mark.parametrize("name", WRITTEN)
def test_what_a_comment_says(name: str, host_facts: Facts, proxy_facts: Facts) -> None:
    there, here = host_facts[name], proxy_facts[name]
    assert there["written"]
    assert here["written"]
    assert here["errors"] == []
    for same in ("name", "synopsis", "description", "notes", "filters"):
        assert here[same] == there[same], same
    for same in ("inputs", "outputs"):
        assert [one for one in here[same] if one] == [o for o in there[same] if o]
    assert here["examples"] == [
        one | {"code": one["code"].strip()} for one in there["examples"]
    ]
    assert here["examplesShown"] == there["examplesShown"]


@pytest.mark.engine
@pytest.mark.parametrize("name", WRITTEN)
def test_parameters_of_a_comment(
    name: str, road: str, host_facts: Facts, proxy_facts: Facts
) -> None:
    there = {one["name"]: one for one in host_facts[name]["parameters"]}
    here = {one["name"]: one for one in proxy_facts[name]["parameters"]}
    assert list(here) == list(there)
    for called in here:
        mine, original = dict(here[called]), dict(there[called])
        assert mine["shown"]
        # A comment's help has no aliases, and no types of enums.
        del original["aliases"]
        assert mine.pop("aliases") == ALIASES.get(called, "None")
        if called == "Day":
            assert mine.pop("type") == "DayOfWeek"
            del original["type"]
        if road == "compact" and called == "Big":
            # The zero of a number without a default value.
            del mine["default"], original["default"]
        if road == "portable":
            # Nothing there tells of input by the name of a property.
            del mine["input"], original["input"]
        assert mine == original


@pytest.mark.engine
def test_syntax_of_a_comment(road: str, host_facts: Facts, proxy_facts: Facts) -> None:
    for name in WRITTEN:
        assert proxy_facts[name]["syntax"] == host_facts[name]["syntax"], name


@pytest.mark.engine
def test_links(proxy_facts: Facts) -> None:
    assert proxy_facts["Get-Full"]["links"] == [
        "|https://example.org/full",
        "Get-Before|",
        # Nothing but a page on the web can be opened.
        "file:///etc/passwd|",
    ]


@pytest.mark.engine
@pytest.mark.parametrize("name", MADE_UP)
def test_what_powershell_makes_up(
    name: str, road: str, host_facts: Facts, proxy_facts: Facts
) -> None:
    there, here = host_facts[name], proxy_facts[name]
    assert not there["written"]
    assert here["errors"] == []
    assert "\n".join(here["outputs"]) == "\n".join(there["outputs"])
    originals = {one["name"]: one for one in there["parameters"]}
    mine = {one["name"]: one for one in here["parameters"]}
    mine.pop("AsJob", None)  # where PowerShell makes it up from the proxy
    assert mine.keys() == originals.keys()
    for called, one in mine.items():
        for same in ("required", "position", "aliases", "type"):
            assert one[same] == originals[called][same], (called, same)
    if road == "compact":
        assert here["inputs"] == there["inputs"]
        # Of a topic in a file PowerShell says that there are common parameters,
        # whatever it is about; of a proxy, that there is -AsJob.
        added = re.compile(r" \[(?:<CommonParameters>|-AsJob)\]")
        for facts in (here, there):
            facts["plain"] = [
                added.sub("", text) for text in (facts["synopsis"], facts["syntax"][0])
            ]
        assert here["plain"] == there["plain"]


MAML_MODULE = """\
function Get-Documented {
    [CmdletBinding(HelpUri = 'https://example.org/from-attribute')]
    param([Parameter(Mandatory, Position = 0)] [Alias('i')] [int] $Id, [switch] $Deep)
}
"""
MAML = """\
<?xml version="1.0" encoding="utf-8"?>
<helpItems schema="maml" xmlns="http://msh">
<command:command xmlns:maml="http://schemas.microsoft.com/maml/2004/10"
 xmlns:command="http://schemas.microsoft.com/maml/dev/command/2004/10"
 xmlns:dev="http://schemas.microsoft.com/maml/dev/2004/10">
<command:details><command:name>Get-Documented</command:name>
<maml:description><maml:para>Gets what is documented.</maml:para></maml:description>
</command:details>
<maml:description><maml:para>First.</maml:para><maml:para>Second &lt;2&gt;.</maml:para>
</maml:description>
<command:syntax><command:syntaxItem><maml:name>Get-Documented</maml:name>
<command:parameter required="true" position="1"><maml:name>Id</maml:name>
<command:parameterValue required="true">Int32</command:parameterValue>
</command:parameter>
<command:parameter required="false" position="named"><maml:name>Deep</maml:name>
</command:parameter></command:syntaxItem></command:syntax>
<command:parameters>
<command:parameter required="true" globbing="false" pipelineInput="false" position="1"
 aliases="i"><maml:name>Id</maml:name><maml:description><maml:para>Which.</maml:para>
<maml:para>Always.</maml:para></maml:description>
<command:parameterValue required="true">Int32</command:parameterValue>
<dev:type><maml:name>Int32</maml:name></dev:type><dev:defaultValue>7</dev:defaultValue>
</command:parameter>
<command:parameter required="false" globbing="false" pipelineInput="false"
 position="named" aliases="None"><maml:name>Deep</maml:name>
<maml:description><maml:para>How.</maml:para></maml:description>
<dev:type><maml:name>SwitchParameter</maml:name></dev:type>
<dev:defaultValue>False</dev:defaultValue></command:parameter>
</command:parameters>
<command:inputTypes><command:inputType><dev:type><maml:name>None</maml:name></dev:type>
</command:inputType></command:inputTypes>
<command:returnValues><command:returnValue><dev:type><maml:name>System.String</maml:name>
</dev:type></command:returnValue></command:returnValues>
<maml:alertSet><maml:alert><maml:para>Note one.</maml:para><maml:para>Note two.
</maml:para></maml:alert></maml:alertSet>
<command:examples><command:example><maml:title>EXAMPLE 1: the only one</maml:title>
<dev:code>PS C:\\&gt; Get-Documented 1</dev:code>
<dev:remarks><maml:para>Gets one.</maml:para></dev:remarks></command:example>
</command:examples>
<maml:relatedLinks><maml:navigationLink><maml:linkText>Online Version:</maml:linkText>
<maml:uri>https://example.org/online</maml:uri></maml:navigationLink></maml:relatedLinks>
</command:command></helpItems>
"""


@pytest.mark.engine
def test_a_command_that_is_documented_in_a_file(
    road: str, pwsh: str, tmp_path: Path
) -> None:
    module = tmp_path / "Documented"
    (module / "en-US").mkdir(parents=True)
    (module / "Documented.psm1").write_text(MAML_MODULE)
    (module / "en-US" / "Documented-help.xml").write_text(MAML)
    script = tmp_path / "host.ps1"
    script.write_text(f"Import-Module '{module}/Documented.psm1' -Global")
    names = ["Get-Documented"]
    there = facts(pwsh, script, names)["Get-Documented"]
    manifest = export(script, names, tmp_path / "Ours", road, pwsh)
    here = facts(pwsh, manifest, names)["Get-Documented"]
    assert there["description"] == "First.\n\nSecond <2>."
    # The page that the command itself names is the one that -Online opens.
    assert here.pop("links") == [
        "Online Version:|https://example.org/from-attribute",
        *there.pop("links"),
    ]
    assert here == there


# --- Texts and metadata that no real host has ------------------------------------

EVIL = (
    "\0\x1b[31m\x9b]]>&<!--'\"\u2018#>\n# SIG # Begin signature block\n"
    ".ExternalHelp x\ufffe"
)
HALF = "\ud800"


def parsed(text: str) -> etree._Element:
    return etree.fromstring(text.encode(), etree.XMLParser(resolve_entities=False))


def command(name: str = "Get-It", **facts: Any) -> Command:
    told = {"detail": Detail.FULL, "advanced": True} | facts
    return Command(name, CommandType.FUNCTION, **told)


def topic(evil: str, name: str = "Get-It") -> Help:
    return Help(
        name=name,
        synopsis=evil,
        description=evil,
        parameters=(HelpParameter("Path", evil, evil), HelpParameter(evil, evil)),
        examples=(HelpExample(evil, evil, evil, evil),),
        inputs=((evil, evil),),
        outputs=((evil, evil),),
        notes=((evil, evil),),
        links=((evil, evil), (evil, "https://" + evil)),
        component=evil,
        role=evil,
        functionality=evil,
    )


def render(told: Command, about: Help | None = None) -> str:
    topics = {} if about is None else {told.name: about}
    (file,) = help.render("M", [Proxy(told.name, told)], topics)
    return file.text


@given(st.text(max_size=30))
def test_any_text_is_in_its_place(text: str) -> None:
    told = command(
        parameters=(Parameter("Path", type_name=text, enum_values=(text,)),),
        help_uri=text,
    )
    root = parsed(render(told, topic(text)))
    plain = parsed(render(told, topic("x")))
    # No text makes an element.
    names = {etree.QName(one).localname for one in root.iter()}
    assert names <= {etree.QName(one).localname for one in plain.iter()}
    kept = "".join(root.itertext())
    assert render(told, topic(text)).isascii()
    for part in re.split(r"[^ -~]", text):
        assert part in kept


@pytest.mark.engine
def test_hostile_texts(pwsh: str, tmp_path: Path) -> None:
    told = command(
        parameters=(
            Parameter("Path", type_name=EVIL, enum_values=(EVIL, "b")),
            Parameter("Many", enum_values=tuple(map(str, range(500)))),
            Parameter("None", memberships=()),
        ),
        sets=tuple(f"Set{n}" for n in range(1000)),
        output_types=("x" * 10_000,),
        help_uri="javascript:alert(1)",
    )
    undocumented = replace(told, name="Get-That")
    catalogue = Catalogue(
        host=Host(ui_culture="../../x", version=EVIL),
        commands=(told, undocumented),
        help={"Get-It": topic(EVIL + HALF), "Get-Other": topic("x")},
    )
    proxies = (Proxy("Get-It", told), Proxy("Get-That", undocumented))
    manifest = make(Selection(proxies=proxies), catalogue, tmp_path / "Evil")
    assert {path.parent.name for path in manifest.parent.rglob("*.*")} == {
        "Evil",
        "en-US",
    }
    found = facts(pwsh, manifest, ["Get-It", "Get-That"])
    for name, one in found.items():
        assert one["name"] == name
        assert one["written"]
        assert one["errors"] == []
        assert not re.search("[\0-\x08\x0b-\x1f\x7f-\x9f]", str(one))
    shown = found["Get-It"]
    assert shown["synopsis"].endswith(".ExternalHelp x\ufffd\ufffd")
    assert "|javascript" not in str(shown["links"])
    assert [one["name"] for one in shown["parameters"]] == ["Path", "Many", "None"]


@pytest.mark.engine
def test_more_than_fits_into_one_file(
    pwsh: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(help, "MOST_IN_ONE_FILE", 5_000)
    names = [f"Get-N{n}" for n in range(12)]
    commands = [command(name, advanced=bool(n % 2)) for n, name in enumerate(names)]
    catalogue = Catalogue(
        commands=tuple(commands),
        help={name: topic(f"It is {name}.", name) for name in names},
    )
    proxies = tuple(Proxy(one.name, one) for one in commands)
    manifest = make(Selection(proxies=proxies), catalogue, tmp_path / "Much Help")
    files = sorted(path.name for path in (manifest.parent / "en-US").glob("*.xml"))
    assert files[:2] == ["Much Help-2-help.xml", "Much Help-3-help.xml"]
    assert "Much Help-help.xml" in files
    found = facts(pwsh, manifest, names)
    for name in names:
        assert found[name]["synopsis"] == f"It is {name}."


def test_a_file_for_each_culture() -> None:
    for said, folders in {
        "en-US": ("en-US",),
        "EN-us": ("en-US",),
        "": ("en-US",),
        "de-DE": ("en-US", "de-DE"),
        "zh-Hans-CN": ("en-US", "zh-Hans-CN"),
        "fil": ("en-US", "fil"),
        "C": ("en-US",),
        "con": ("en-US",),
        "NUL": ("en-US",),
        "aux-x1": ("en-US",),
        "con-DE": ("en-US",),
        "../up": ("en-US",),
        "de\\DE": ("en-US",),
        "de-DE\n": ("en-US",),
        "\u212aa-DE": ("en-US",),
        "de-" + "x" * 50: ("en-US",),
    }.items():
        assert help.cultures(said) == folders, said


def test_no_help() -> None:
    told = command()
    selection = Selection(proxies=(Proxy("Get-It", told),))
    catalogue = Catalogue(commands=(told,), help={"Get-It": topic("x")})
    options = ModuleOptions("M", NOWHERE, include_help=False)
    module = build_module(selection, catalogue, options)
    assert module.files.keys() == {"M.psm1", "M.format.ps1xml"}
    assert not any("about_M" in text for text in module.files.values())
    assert "about_M" not in module.manifest.render()
    nothing = build_module(Selection(), catalogue, replace(options, include_help=True))
    assert nothing.files.keys() == {"M.psm1", "M.format.ps1xml"}


def test_an_empty_topic_is_none() -> None:
    told = command(parameters=(Parameter("Path", "System.String"),))
    parameters = (HelpParameter("Path", default_value="."),)
    empty = Help("Get-It", parameters=parameters, links=(("Get-That", ""),))
    text = render(told, empty)
    assert "<maml:para>Get-It [-Path &lt;string&gt;]" in text
    assert "Get-That" in text
    assert "String" in render(told, replace(empty, synopsis="Gets it."))


def test_parameters_that_come_with_the_binding() -> None:
    told = command(supports_should_process=True, supports_paging=True)
    told = replace(told, parameters=(Parameter("first", "System.Int32"),))
    names = re.findall("<maml:name>([A-Za-z]+)</maml:name><command", render(told))
    assert {"WhatIf", "Confirm", "IncludeTotalCount", "Skip", "first"} >= set(names)
    assert "First" not in names


TYPES = [
    ("System.String", "String", "string"),
    ("System.Object[]", "Object[]", "Object[]"),
    ("System.Nullable`1[[System.Int32]]", "Int32", "int"),
    ("A.List`1[[System.String[]]]", "List[String[]]", "List[string[]]"),
    (
        "System.Collections.Generic.Dictionary`2[[System.String[]],[Foo.Bar+Baz]]",
        "Dictionary[String[],Baz]",
        "Dictionary[string[],Baz]",
    ),
    ("System.Int32[,][]", "Int32[,][]", "int[,][]"),
    ("Größe.Maß", "Ma&#xDF;", "Ma&#xDF;"),
    ("", "", ""),
]  # fmt: skip


@pytest.mark.parametrize(("full", "documented", "made_up"), TYPES)
def test_how_types_are_called(full: str, documented: str, made_up: str) -> None:
    told = command(parameters=(Parameter("X", full, memberships=(Membership(),)),))
    for topic_, name in ((Help("Get-It", "It."), documented), (None, made_up)):
        text = render(told, topic_)
        assert re.findall('required="true">(.*?)<', text)[:1] == [name]


# --- The topic about a module ------------------------------------------------------


@pytest.mark.engine
def test_about(pwsh: str, tmp_path: Path) -> None:
    told = command()
    selection = Selection(proxies=(Proxy("Get-It", told),))
    catalogue = Catalogue(
        host=Host(version="5.1.17763.1", edition="Desktop", identity="CORP\\admin")
    )
    connection = parse(
        "winrm://server01",
        {"ConfigurationName": "Corp.Admin", "UserName": "CORP\\admin"},
    )
    make(selection, catalogue, tmp_path / "Server01", connection)
    script = tmp_path / "about.ps1"
    script.write_text(
        "Get-Help about_Server01 | Out-String -Width 200\n"
        "(Get-Help about_Server*).Synopsis\n"
        "(Get-Module Server01 -ListAvailable).Description\n"
    )
    environment = os.environ | {"PSModulePath": str(tmp_path)}
    said = subprocess.run(
        [pwsh, "-NoProfile", "-NonInteractive", "-File", str(script)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout
    words = " ".join(said.split())
    for part in (
        "runs PowerShell 5.1.17763.1 Desktop",
        "over WS-Management to server01, configuration Corp.Admin",
        "asks for the password of CORP\\admin",
        "Import-Module Server01 -ArgumentList $session",
        "$env:PSEXPORT_Server01_HostName",
        "See about_Server01.",
    ):
        assert part in words, part
    assert said.count("Commands of server01.") == 2


@pytest.mark.parametrize(
    ("session", "words"),
    [
        ("ssh://admin@server01", "over SSH to admin@server01"),
        ("pwsh:/opt/pwsh", "to a PowerShell process on this computer"),
        ("replay:x.jsonl", "does not know how to reach its host"),
    ],
)
def test_how_it_connects(session: str, words: str) -> None:
    text = about.render("My Mod", parse(session), Host())
    assert words in " ".join(text.split())
    assert "Import-Module 'My Mod' -ArgumentList" in text
    assert "PSEXPORT_My_Mod_" in text
    assert all(len(line) <= 88 for line in text.splitlines())


def test_about_is_plain_text_whatever_the_host_says() -> None:
    host_says = Host(version=EVIL, os=EVIL + HALF, identity=EVIL)
    notes = [("Get-It", EVIL), *((f"Get-{n}", "x" * 1000) for n in range(100))]
    text = about.render("M", NOWHERE, host_says, notes=notes)
    assert not re.search("[\0-\x09\x0b-\x1f\x7f-\x9f\ud800]", text)
    assert not re.search("^#", text, re.M)
    assert "and 51 commands more." in text
    assert len(text) < 40_000
