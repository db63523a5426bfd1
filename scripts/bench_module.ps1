# What a module costs the one who uses it: its import beside an empty module's, a call
# beside the same call written by hand. In milliseconds, as JSON.
param([string] $Manifest, [string] $Program, [string] $Configuration, [string] $Command)
$ErrorActionPreference = 'Stop'
$empty = Join-Path ([IO.Path]::GetTempPath()) "Empty$PID.psm1"
[IO.File]::WriteAllText($empty, '')

function Measure-Best([int] $times, [scriptblock] $what) {
    $best = [double]::MaxValue
    foreach ($one in 1..$times) {
        $watch = [Diagnostics.Stopwatch]::StartNew()
        $null = & $what
        $best = [Math]::Min($best, $watch.Elapsed.TotalMilliseconds)
    }
    $best
}

# The first import of any module pays for PowerShell's own start.
Import-Module $empty
$told = @{}
$told.empty = Measure-Best 3 { Import-Module $empty -Force -DisableNameChecking }
$watch = [Diagnostics.Stopwatch]::StartNew()
Import-Module $Manifest -DisableNameChecking
$told.import = $watch.Elapsed.TotalMilliseconds

$instance = [System.Management.Automation.Runspaces.PowerShellProcessInstance]::new()
$start = $instance.Process.StartInfo
$start.FileName = $Program
$start.ArgumentList.Clear()
foreach ($one in '-s', '-NoLogo', '-NoProfile', '-ConfigurationFile', $Configuration) {
    $start.ArgumentList.Add($one)
}
$runspace = [runspacefactory]::CreateOutOfProcessRunspace($null, $instance)
$runspace.Open()
function New-ProcessSession {
    [CmdletBinding()] param()
    $session = [System.Management.Automation.Runspaces.PSSession]
    $session::Create($runspace, 'Process', $PSCmdlet)
}
$session = New-ProcessSession

Import-Module $Manifest -ArgumentList $session -DisableNameChecking -Force
$told.call = (Measure-Best 5 { foreach ($i in 1..40) { & $Command -Value1 $i } }) / 40
$told.bare = (Measure-Best 5 { foreach ($i in 1..40) {
    Invoke-Command -Session $session -HideComputerName -ScriptBlock {
        param($name, $value) & $name -Value1 $value } -ArgumentList $Command, $i } }) / 40
[IO.File]::Delete($empty)
$told | ConvertTo-Json -Compress
Remove-PSSession $session
$runspace.Dispose()
