"""Format files in the engine: as a module that has nothing else."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from engine import require_pwsh, run_script
from psexport.generate.format import FormatFile


@dataclass(frozen=True)
class Loaded:
    """What the engine found in a format file that was loaded.

    :ivar problem: why it was not; "" if it was.
    :ivar types: names of types, a list for each definition that has "Probe" in one.
    :ivar views: their views' names, likewise.
    :ivar texts: every other text in them: labels, properties, formats.
    :ivar scripts: every script block in them.
    """

    module: str
    problem: str
    types: list[str]
    views: list[str]
    texts: list[str]
    scripts: list[str]


def write_module(folder: Path, file: FormatFile) -> Path:
    """Write a format file, and a manifest that names it."""
    name = f"{folder.name}.format.ps1xml"
    folder.mkdir()
    (folder / name).write_text(file.text, encoding="ascii")
    manifest = f"@{{ ModuleVersion = '1.0'; FormatsToProcess = '{name}' }}"
    (folder / f"{folder.name}.psd1").write_text(manifest, encoding="ascii")
    return folder


def load(files: dict[str, FormatFile], folder: Path) -> dict[str, Loaded]:
    """Load format files one after the other, in one engine; by their names."""
    modules = folder / "modules"
    modules.mkdir()
    for name, file in files.items():
        write_module(modules / name, file)
    script = folder / "load.ps1"
    script.write_text(_LOAD, encoding="ascii")
    out = run_script(require_pwsh(), script, str(modules))
    rows = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    assert len(rows) == len(files)
    return {row["module"]: Loaded(**row) for row in rows}


_LOAD = r"""
param([string] $Folder)
function Find-Value([string] $Text, [string] $Name) {
    $document = [xml] $Text
    $names = [Xml.XmlNamespaceManager]::new($document.NameTable)
    $names.AddNamespace('c', $document.DocumentElement.NamespaceURI)
    foreach ($node in $document.SelectNodes("//c:S[$Name]", $names)) {
        [Xml.XmlConvert]::DecodeName($node.InnerText)
    }
}
foreach ($module in Get-ChildItem -Directory $Folder | Sort-Object Name) {
    $problem = ''
    try { Import-Module $module.FullName -ErrorAction Stop } catch { $problem = "$_" }
    $types = @(Get-FormatData -TypeName * -PowerShellVersion $PSVersionTable.PSVersion |
            Where-Object { $_.TypeNames -match 'Probe' })
    $texts = @($types | ForEach-Object {
            [Management.Automation.PSSerializer]::Serialize($_, 20) })
    [ordered]@{
        module  = $module.Name
        problem = $problem
        types   = @($types | ForEach-Object { $_.TypeNames })
        views   = @($types | ForEach-Object { $_.FormatViewDefinition.Name })
        texts   = @($texts | ForEach-Object {
                Find-Value $_ "@N='Label' or @N='Text' or @N='FormatString'"
                Find-Value $_ "@N='Value' and preceding-sibling::c:S='Property'"
            })
        scripts = @($texts | ForEach-Object {
                Find-Value $_ "@N='Value' and preceding-sibling::c:S='ScriptBlock'" })
    } | ConvertTo-Json -Compress -Depth 4
    Remove-Module $module.Name -ErrorAction SilentlyContinue
}
"""
