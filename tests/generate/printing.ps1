# What the tests of printing run in the engine.
#
#   -Definitions FOLDER  write every view of this host there, one CLIXML file a type
#   -Compare MODULE      print samples by the host's views and by the module's, as JSON
#
# The host is a process of its own, which has the views of own.format.ps1xml too. The
# client prints in a runspace that has no views but the module's, so that it is they
# that print and not its own.
param([string] $Definitions, [string] $Compare)
$ErrorActionPreference = 'Stop'

# Runs on the host: its own views, and one sample or several for each of its types.
$setUp = {
    param($formatFile)
    $folder = Join-Path ([IO.Path]::GetTempPath()) ('own' + [guid]::NewGuid())
    $null = New-Item -ItemType Directory $folder
    try {
        Copy-Item $formatFile (Join-Path $folder 'own.format.ps1xml')
        $manifest = "@{ ModuleVersion = '1.0'; FormatsToProcess = 'own.format.ps1xml' }"
        [IO.File]::WriteAllText((Join-Path $folder 'own.psd1'), $manifest)
        Import-Module (Join-Path $folder 'own.psd1') -Global
    }
    finally {
        Remove-Item -Recurse -Force $folder
    }
    Invoke-Expression 'enum Own { Zero; One; TimedOut }; [Flags()] enum OwnFlags { A = 1; B = 2 }'

    # An object of this type with a value for each property that its views may read.
    function New-Sample([string] $TypeName, [hashtable] $Values) {
        $sample = [pscustomobject] $Values
        $sample.PSTypeNames.Insert(0, $TypeName)
        $sample
    }

    $global:definitions = @(
        Get-FormatData -TypeName * -PowerShellVersion $PSVersionTable.PSVersion)

    $global:byType = @{}
    foreach ($definition in $definitions) {
        foreach ($name in $definition.TypeNames) { $byType[$name] += @($definition) }
    }

    # For each type of this host an object that has what its views ask for: text,
    # numbers, dates, nothing and enums by turns. What they ask for is what the
    # serialized definition has in its values.
    $global:asked = @{}
    foreach ($definition in $definitions) {
        $serialized = [Management.Automation.PSSerializer]::Serialize($definition, 1)
        $asked[$definition] = @(
            [regex]::Matches($serialized, '<S N="Value">(\w+)</S>|\$_\.(\w+)') |
                ForEach-Object { $_.Groups[1].Value + $_.Groups[2].Value }
        ) -ne 'PSObject' | Sort-Object -Unique
    }
    function Get-Made([int] $Turn) {
        $values = @('some text', 7, 1234567.5, [datetime]'2024-02-03T04:05:06',
            $null, [Own]::TimedOut, $true, [timespan]'01:02:03', '')
        foreach ($definition in $definitions) {
            $properties = @{}
            $at = $Turn
            foreach ($name in $asked[$definition]) {
                $properties[$name] = $values[$at++ % $values.Count]
            }
            $made = New-Sample $definition.TypeNames[0] $properties
            # Type data of some classes asks for more than a made object has.
            try { $null = [Management.Automation.PSSerializer]::Serialize($made, 1) } catch { continue }
            $made
        }
    }

    $global:samples = [ordered]@{
        process   = { Get-Process -Id $PID }
        file      = { New-Object IO.FileInfo (Join-Path $PSHOME 'pwsh.dll') }
        folder    = { New-Object IO.DirectoryInfo $PSHOME }
        date      = { [datetime]'2024-02-03T04:05:06' }
        timespan  = { [timespan]'1.02:03:04.005' }
        version   = { [version]'1.2.3.4' }
        guid      = { [guid]'6f9619ff-8b86-d011-b42d-00cf4fc964ff' }
        module    = { Get-Module }
        cmdlet    = { Get-Command Get-Date, Get-Process }
        alias     = { Get-Alias gci, ls -ErrorAction SilentlyContinue }
        function  = { Get-Command prompt -ErrorAction SilentlyContinue }
        drive     = { Get-PSDrive }
        variable  = { Get-Variable PID, true }
        culture   = { [cultureinfo]::InvariantCulture }
        location  = { Get-Location }
        entry     = { New-Object Collections.DictionaryEntry 'key', 'value' }
        member    = { 1 | Get-Member }
        measure   = { 1, 2, 3 | Measure-Object }
        group     = { 'a', 'b', 'a' | Group-Object }
        style     = { $PSStyle }
        colors    = { $PSStyle.Foreground }
        progress  = { $PSStyle.Progress }
        fileinfo  = { [Diagnostics.FileVersionInfo]::GetVersionInfo("$PSHOME/System.Management.Automation.dll") }
        own       = {
            New-Sample Own.Table @{ Name = 'first'; Number = 12.5; Group = 'g1'; State = [Own]::One; Tags = @('x', 'y'); Note = 'a long note that has to be wrapped or cut, as the view says' }
            New-Sample Own.Table @{ Name = 'second'; Number = 99; Group = 'g1'; State = [Own]::TimedOut; Tags = @('z'); Note = $null }
            New-Sample Own.Table @{ Name = 'third'; Number = -1; Group = 'g2'; State = [Own]::Zero; Tags = @(); Note = '' }
        }
        list      = {
            New-Sample Own.List @{ Name = 'n'; Number = 3.14159; State = [Own]::One; When = [datetime]'2024-02-03'; Flags = [OwnFlags]3 }
            New-Sample Own.List @{ Name = ''; Number = 0; State = [Own]::TimedOut; When = $null; Flags = [OwnFlags]1 }
            $other = New-Sample Own.List @{ Name = 'other'; Number = 1 }
            $other.PSTypeNames.Insert(0, 'Own.List.Other')
            $other
        }
        wide      = {
            1..7 | ForEach-Object {
                $item = New-Sample Own.Wide @{ Name = "item $_"; Number = $_ }
                if ($_ -lt 3) { $item.PSTypeNames.Insert(0, 'Own.Wide.Small') }
                $item
            }
        }
        custom    = {
            New-Sample Own.Custom @{ Name = 'c'; Number = 2; Group = 'g'; Tags = @('x', 'y', 'z'); Text = 'one two three four five six seven eight nine ten eleven twelve' * 2 }
            New-Sample Own.Custom @{ Name = 'd'; Number = 5; Group = 'h'; Tags = @('x'); Text = 'short' }
        }
        made0     = { Get-Made 0 }
        made4     = { Get-Made 4 }
        aside     = { New-Sample Own.Aside @{ Name = 'out of band' } }
    }
}

# Runs on both sides: an object as text, once for each view that is for its type.
$show = {
    param([object[]] $Objects, [string] $Shape, [string] $View)
    $arguments = @{}
    if ($View) { $arguments.View = $View }
    $text = switch ($Shape) {
        Table { $Objects | Format-Table @arguments | Out-String -Width 150 }
        List { $Objects | Format-List @arguments | Out-String -Width 150 }
        Wide { $Objects | Format-Wide @arguments | Out-String -Width 150 }
        Custom { $Objects | Format-Custom @arguments | Out-String -Width 150 }
        default { $Objects | Out-String -Width 150 }
    }
    "$text"
}

$runspace = [runspacefactory]::CreateOutOfProcessRunspace($null)
$runspace.Open()
function Invoke-Host([string] $Script, [object[]] $Arguments) {
    $pipeline = [powershell]::Create()
    $pipeline.Runspace = $runspace
    $null = $pipeline.AddScript($Script)
    foreach ($argument in $Arguments) { $null = $pipeline.AddArgument($argument) }
    try {
        $pipeline.Invoke()
        foreach ($problem in $pipeline.Streams.Error) { [Console]::Error.WriteLine("host: $problem") }
    }
    finally {
        $pipeline.Dispose()
    }
}

try {
    $null = Invoke-Host $setUp @(Join-Path $PSScriptRoot 'own.format.ps1xml')
    if ($Definitions) {
        # Through the host's own serializer: depth is what the host makes it.
        $written = Invoke-Host '$definitions | ForEach-Object { [Management.Automation.PSSerializer]::Serialize($_, 1) }'
        $number = 0
        foreach ($text in $written) {
            [IO.File]::WriteAllText((Join-Path $Definitions ('{0:d4}.clixml' -f $number++)), $text)
        }
        return
    }

    $bare = [initialsessionstate]::CreateDefault2()
    $bare.Formats.Clear()
    $client = [runspacefactory]::CreateRunspace($bare)
    $client.Open()
    $printer = [powershell]::Create()
    $printer.Runspace = $client
    $null = $printer.AddCommand('Import-Module').AddParameter('Name', $Compare).Invoke()
    if ($printer.HadErrors) { throw $printer.Streams.Error[0].Exception }

    $null = Invoke-Host "function global:Show-Sample { $show }"
    foreach ($sample in Invoke-Host '@($samples.Keys)') {
        $received = @(Invoke-Host 'param($name) $global:current = @(& $samples[$name]); $current' @($sample))
        if ($received.Count -eq 0) { continue }
        # Alone, an object is printed by each view that its most derived type has.
        $views = Invoke-Host @'
            param([string] $name)
            $at = 0
            foreach ($object in $current) {
                $type = $object.PSTypeNames.Where({ $byType.ContainsKey($_) }, 'First')
                foreach ($definition in $type | ForEach-Object { $byType[$_] }) {
                    foreach ($view in $definition.FormatViewDefinition) {
                        $shape = $view.Control.GetType().Name -replace 'Control$'
                        if ($view.Control.OutOfBand) { continue }
                        [pscustomobject]@{ at = $at; type = $definition.TypeNames[0]; shape = $shape; view = $view.Name
                            text = Show-Sample @(, $object) $shape $view.Name }
                    }
                }
                $at++
                if ($at -ge 4 -and $name -notlike 'made*') { break }
            }
            [pscustomobject]@{ at = -1; type = ''; shape = ''; view = ''; text = Show-Sample $current }
'@ @($sample)
        foreach ($printed in $views) {
            $objects = if ($printed.at -lt 0) { @($received) } else { @(, $received[$printed.at]) }
            if ($printed.at -lt 0 -and $sample -like 'made*') { continue }
            $printer.Commands.Clear()
            $null = $printer.AddScript($show).AddArgument($objects).AddArgument($printed.shape).AddArgument($printed.view)
            $here = try { "$($printer.Invoke())" } catch { "FAILED: $_" }
            [ordered]@{ sample = $sample; type = $printed.type; shape = $printed.shape; view = $printed.view
                host = $printed.text; here = $here } | ConvertTo-Json -Compress
        }
    }
}
finally {
    $runspace.Dispose()
}
