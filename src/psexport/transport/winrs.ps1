# Runs one question in a PowerShell process and writes what it says as one line a record:
# the kind, its number, and CLIXML in base64. Defines no function, for it would be listed as a command.
$ProgressPreference = 'SilentlyContinue'
$xml = [Management.Automation.PSSerializer]
$utf8 = [Text.Encoding]::UTF8
$asked = -join @($input)
if (!$asked) { $asked = [Console]::In.ReadToEnd() }
# Past PowerShell's own writer, which keeps back what is less than a page.
$say = {
    param($kind, $what)
    $count[0]++
    [Console]::Out.WriteLine("$kind $count " + [Convert]::ToBase64String($utf8.GetBytes($xml::Serialize($what, 1))))
}
$count = @(0)
$calls = @()
$line = @()
try {
    foreach ($one in $xml::Deserialize($utf8.GetString([Convert]::FromBase64String($asked))).PowerShell.Cmds) {
        $what = if ($one.IsScript) { [scriptblock]::Create($one.Cmd) } else { $one.Cmd }
        $given = @{}
        foreach ($pair in $one.Args) { $given[$pair.N] = $pair.V }
        $line += '& $calls[{0}] @given{0}' -f $calls.Count
        Set-Variable "given$($calls.Count)" $given
        $calls += $what
    }
    . ([scriptblock]::Create($line -join '|')) *>&1 | . {
        process {
            $kind = if ($null -eq $_) { '' } else { $_.GetType().Name }
            if ($kind -notmatch '^(Error|Warning|Verbose|Debug|Information)Record$') { $kind = 'Output' }
            & $say $kind $_
        }
    }
    & $say 'Completed'
} catch {
    & $say 'Failed' $_
}
