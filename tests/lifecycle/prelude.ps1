$Module = 'MODULE'

# The id of the error that a block ends with, or the first that it writes.
function Get-Id([scriptblock] $Block) {
    try { $null = . $Block 2>&1 | Tee-Object -Variable all } catch { return Format-Id $_ }
    foreach ($one in $all) {
        if ($one -is [System.Management.Automation.ErrorRecord]) { return Format-Id $one }
    }
    'none'
}
function Format-Id($Record) { $Record.FullyQualifiedErrorId -replace ',.*' }

function New-ProcessSession {
    [CmdletBinding()] param()
    $runspace = [runspacefactory]::CreateOutOfProcessRunspace($null)
    $runspace.Open()
    [System.Management.Automation.Runspaces.PSSession]::Create($runspace, 'Process', $PSCmdlet)
}

# Whether a process is gone, or is within two seconds.
function Test-Gone([int] $Id) {
    foreach ($try in 1..100) {
        if (-not (Get-Process -Id $Id -ErrorAction Ignore)) { return $true }
        Start-Sleep -Milliseconds 20
    }
    $false
}

# Runs a script in a runspace of its own and gives what it returns.
function Invoke-Elsewhere([string] $Script) {
    $shell = [powershell]::Create()
    try { $shell.AddScript($Script).Invoke() } finally { $shell.Runspace.Dispose() }
}

