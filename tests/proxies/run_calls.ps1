# Runs a table of calls and writes what each gave, a JSON line a call.
#
# Without -Module the commands of the host script are in this process: that is what a
# user of the host sees. With it they are in another process, and called by proxies.
param([string] $HostScript, [string] $Calls, [string] $Out, [string] $Module)

function Format-Value {
    param($Value, [int] $Depth = 0)
    if ($null -eq $Value) { return 'null' }
    if ($Depth -gt 4) { return '...' }
    $base = $Value.psobject.BaseObject
    if ($base -is [string]) { return "'$base'" }
    if ($base -is [System.Collections.IDictionary]) { return '@{' + $base.Count + '}' }
    if ($base -is [System.Collections.IEnumerable]) {
        return '[' + (@(foreach ($one in $base) { Format-Value $one ($Depth + 1) }) -join ',') + ']'
    }
    if ($base.GetType().IsPrimitive) { return "$($base.GetType().Name):$base" }
    $type = $Value.pstypenames[0] -replace '^(Deserialized|Selected)\.'
    "$type{" + (@($Value.psobject.Properties | ForEach-Object {
                "$($_.Name)=" + (Format-Value $_.Value ($Depth + 1)) }) -join ';') + '}'
}

function Format-Error {
    param($Record)
    $id = $Record.FullyQualifiedErrorId -replace ',.*'
    "$($Record.Exception.Message) | $id | $($Record.CategoryInfo.Category) | " +
        "$($Record.CategoryInfo.TargetName)"
}

function Format-Record {
    param($Record)
    if ($Record -is [System.Management.Automation.ErrorRecord]) { return "E: $(Format-Error $Record)" }
    if ($Record -is [System.Management.Automation.WarningRecord]) { return "W: $($Record.Message)" }
    if ($Record -is [System.Management.Automation.VerboseRecord]) { return "V: $($Record.Message)" }
    if ($Record -is [System.Management.Automation.InformationRecord]) { return "I: $($Record.MessageData)" }
    "O: $(Format-Value $Record)"
}

if ($Module) {
    $runspace = [runspacefactory]::CreateOutOfProcessRunspace($null)
    $runspace.Open()
    $shell = [powershell]::Create()
    $shell.Runspace = $runspace
    $null = $shell.AddScript((Get-Content -Raw $HostScript)).Invoke()
    if ($shell.HadErrors) { throw $shell.Streams.Error[0] }
    function New-ProcessSession {
        [CmdletBinding()] param()
        [System.Management.Automation.Runspaces.PSSession]::Create($runspace, 'Process', $PSCmdlet)
    }
    Import-Module $Module -ArgumentList (New-ProcessSession) -DisableNameChecking
} else {
    . $HostScript
}

$writer = [System.IO.StreamWriter]::new($Out)
try {
    foreach ($call in [System.IO.File]::ReadAllLines($Calls)) {
        if (-not $call -or $call.StartsWith('#')) { continue }
        $lines = [System.Collections.Generic.List[string]]::new()
        $block = [scriptblock]::Create($call)
        try {
            & { & $block } *>&1 | & { process { $lines.Add((Format-Record $_)) } }
        } catch {
            $lines.Add("T: $(Format-Error $_)")
        }
        $WhatIfPreference = $false
        $ErrorActionPreference = 'Continue'
        $entry = @{ call = $call; result = @($lines) }
        $writer.WriteLine((ConvertTo-Json $entry -Compress -Depth 4))
        $writer.Flush()
    }
} finally {
    $writer.Dispose()
}
