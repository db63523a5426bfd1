# The runtime of a module that psexport wrote: how its commands reach their host.
#
# Everything above the line "Proxies" is the same in every module but for the settings
# in $PSExport. A proxy has three lines: it starts a call, hands over each input object,
# and completes the call. The rest is here, in the order in which it is used:
#
#   Start-PSExportCall      what was bound becomes a pipeline of the host
#   Send-PSExportInput      one input object for it
#   Complete-PSExportCall   no more input; wait for what is still to come
#   Get-PSExportRunspace    which session a call runs in
#   New-PSExportRunspace    making one, when there is none
#
# The text keeps to what Windows PowerShell 5.1 can read. Built-in commands are called by
# their full names: the host may have a command of the same name, and then a proxy does.

$script:PSExportState = @{
    # The runspace in use and the PSSession around it; sessions that this module made.
    Runspace = $null
    Session = $null
    Made = [System.Collections.ArrayList]::new()
    # Calls that have not ended, oldest first.
    Calls = [System.Collections.ArrayList]::new()
    Started = 0
    Announced = $false
    Checked = $false
    Recorder = $null
    QuietHost = $null
    Secret = $null
}

# Client-side common parameters: the engine serves them on the proxy itself.
$script:PSExportClientSide = 'ErrorVariable', 'WarningVariable', 'InformationVariable',
    'OutVariable', 'OutBuffer', 'PipelineVariable', 'AsJob'

# What a host in full language mode runs where an argument holds script blocks or
# enums: those travel as text, and become what they were again where they arrive.
$script:PSExportThaw = @'
$thaw = {
    param($value)
    if ($value -is [System.Collections.IDictionary]) {
        if ($value.Count -eq 1 -and $value.Contains('psexport:block')) {
            return [scriptblock]::Create($value['psexport:block'])
        }
        if ($value.Count -eq 2 -and $value.Contains('psexport:enum')) {
            $type = $value['psexport:enum'] -as [type]
            if (-not $type) { return $value['value'] }
            return [enum]::Parse($type, $value['value'])
        }
        if ($value.Count -eq 1 -and $value.Contains('psexport:name')) {
            $token = [psobject] $value['psexport:name']
            $token.psobject.Properties.Add((New-Object `
                System.Management.Automation.PSNoteProperty '<CommandParameterName>',
                $value['psexport:name'].TrimStart([char[]]'-').TrimEnd([char[]]':')))
            return $token
        }
        foreach ($key in @($value.Keys)) { $value[$key] = & $thaw $value[$key] }
    } elseif ($value -is [System.Collections.IList] -and $value -isnot [array]) {
        for ($i = 0; $i -lt $value.Count; $i++) { $value[$i] = & $thaw $value[$i] }
    }
    , $value
}
$bound = & $thaw $Bound
$rest = @(foreach ($one in $Rest) { , (& $thaw $one) })
'@
$script:PSExportScript = "param(`$Name, `$Bound, `$Rest)
$script:PSExportThaw
& `$Name @bound @rest"
$script:PSExportScriptWithInput = "param(`$Name, `$Bound, `$Rest)
begin {
$script:PSExportThaw
`$step = { & `$Name @bound @rest }.GetSteppablePipeline()
`$step.Begin(`$true, `$ExecutionContext)
}
process { `$step.Process(`$_) }
end { `$step.End() }"


function Get-PSExportRecorder {
    <#
    .SYNOPSIS
    Makes event handlers that put what a pipeline says into one queue, in its order.
    .DESCRIPTION
    A host's output, errors and warnings come as separate collections. Their events are
    raised one after the other on the thread that reads the network, where no script
    can run; so the handlers are compiled, once, from expressions. Each puts a tuple of
    a stream's number and the record into the queue of its call.
    #>
    [CmdletBinding()]
    param()
    if ($script:PSExportState.Recorder) { return $script:PSExportState.Recorder }
    $x = [System.Linq.Expressions.Expression]
    $queueType = [System.Collections.Concurrent.BlockingCollection[object]]
    # Tuple.Create, as PowerShell takes Expression.New for a constructor.
    $tuple = foreach ($method in [System.Tuple].GetMethods()) {
        if ($method.Name -eq 'Create' -and $method.GetParameters().Length -eq 2) {
            $method.MakeGenericMethod([int], [object])
        }
    }
    $list = [System.Collections.IList]
    $make = {
        param($argsType, $item)
        $queue = $x::Parameter($queueType, 'queue')
        $kind = $x::Parameter([int], 'kind')
        $sender = $x::Parameter([object], 'sender')
        $args_ = $x::Parameter($argsType, 'e')
        $taken = & $item $sender $args_
        $pair = $x::Call($tuple, [System.Linq.Expressions.Expression[]]@($kind, $taken))
        $add = $x::Call($queue, $queueType.GetMethod('Add', [type[]]@([object])),
            [System.Linq.Expressions.Expression[]]@($pair))
        $handler = [System.EventHandler`1].MakeGenericType($argsType)
        $inner = $x::Lambda($handler, $add,
            [System.Linq.Expressions.ParameterExpression[]]@($sender, $args_))
        $factory = [System.Func`3].MakeGenericType($queueType, [int], $handler)
        $x::Lambda($factory, $inner,
            [System.Linq.Expressions.ParameterExpression[]]@($queue, $kind)).Compile()
    }
    $data = & $make ([System.Management.Automation.DataAddedEventArgs]) {
        param($sender, $e)
        $x::Call($x::Convert($sender, $list), $list.GetMethod('get_Item'),
            [System.Linq.Expressions.Expression[]]@($x::Property($e, 'Index')))
    }
    $state = & $make ([System.Management.Automation.PSInvocationStateChangedEventArgs]) {
        param($sender, $e)
        $x::Convert($x::Property($e, 'InvocationStateInfo'), [object])
    }
    $script:PSExportState.Recorder = @{ Data = $data; State = $state }
    $script:PSExportState.Recorder
}


function ConvertTo-PSExportFrozen {
    <#
    .SYNOPSIS
    Copies a value with what would not survive the way marked, for the host to restore.
    .OUTPUTS
    The value itself where nothing in it needs that, else the marked copy.
    #>
    [CmdletBinding()]
    param([AllowNull()] [object] $Value, [int] $Depth = 0)
    if ($Value -is [scriptblock]) { return @{ 'psexport:block' = $Value.ToString() } }
    if ($Value -is [enum]) {
        return @{ 'psexport:enum' = $Value.GetType().FullName; value = "$Value" }
    }
    if ($Depth -lt 8) {
        if ($Value -is [System.Collections.IDictionary]) {
            $copy = $null
            foreach ($key in @($Value.Keys)) {
                $frozen = ConvertTo-PSExportFrozen $Value[$key] ($Depth + 1)
                if (-not [object]::ReferenceEquals($frozen, $Value[$key])) {
                    if ($null -eq $copy) {
                        $copy = [System.Collections.Specialized.OrderedDictionary]::new(
                            [System.StringComparer]::CurrentCultureIgnoreCase)
                        foreach ($other in $Value.Keys) { $copy[$other] = $Value[$other] }
                        if ($Value -is [hashtable]) { $copy = [hashtable] $copy }
                    }
                    $copy[$key] = $frozen
                }
            }
            if ($null -ne $copy) { return $copy }
        } elseif ($Value -is [System.Collections.IList] -and $Value -isnot [byte[]]) {
            $copy = $null
            for ($i = 0; $i -lt $Value.Count; $i++) {
                $frozen = ConvertTo-PSExportFrozen $Value[$i] ($Depth + 1)
                if (-not [object]::ReferenceEquals($frozen, $Value[$i])) {
                    if ($null -eq $copy) {
                        $copy = [System.Collections.ArrayList]::new($Value)
                    }
                    $copy[$i] = $frozen
                }
            }
            if ($null -ne $copy) { return , $copy }
        }
    }
    , $Value
}


function Test-PSExportFragile {
    <#
    .SYNOPSIS
    Whether a value is or holds what arrives as something else: a block, an enum.
    #>
    [CmdletBinding()]
    [OutputType([bool])]
    param([AllowNull()] [object] $Value, [int] $Depth = 0)
    if ($Value -is [scriptblock] -or $Value -is [enum]) { return $true }
    if ($Depth -lt 8 -and $Value -isnot [string] -and $Value -isnot [byte[]]) {
        if ($Value -is [System.Collections.IDictionary]) { $Value = $Value.Values }
        elseif ($Value -isnot [System.Collections.IList]) { return $false }
        foreach ($one in $Value) {
            if (Test-PSExportFragile $one ($Depth + 1)) { return $true }
        }
    }
    $false
}


function Start-PSExportCall {
    <#
    .SYNOPSIS
    Starts a command on the host with what was bound to its proxy.
    .PARAMETER Name
    The command, as the host calls it.
    .PARAMETER Cmdlet
    The proxy's $PSCmdlet; nothing for a simple function, which has none.
    .PARAMETER Bound
    What was bound by name or position before any input.
    .PARAMETER Rest
    The $args of a simple function.
    .PARAMETER ExpectingInput
    Of a simple function, whether it stands in a pipeline.
    .OUTPUTS
    The call, for Send-PSExportInput and Complete-PSExportCall.
    #>
    [CmdletBinding()]
    [OutputType([hashtable])]
    param(
        [string] $Name,
        [object] $Cmdlet,
        [System.Collections.IDictionary] $Bound,
        [object[]] $Rest,
        [bool] $ExpectingInput
    )
    $values = @{}
    foreach ($key in $Bound.Keys) {
        $value = $Bound[$key]
        if ($null -ne $value -and $value.GetType().Name -eq 'DelayedScriptBlockArgument') {
            # A script block for each input object; the host runs it, which binds it.
            $value = [scriptblock]::Create("$value")
        }
        $values[$key] = $value
    }
    $tokens = [System.Collections.ArrayList]::new()
    $special = $script:PSExportSpecial[$Name]
    if ($special) {
        if ($special.ContainsKey('Input')) { $values.Remove($special.Input) }
        Add-PSExportToken $tokens $special $values
        if ($special.ContainsKey('Renamed')) {
            foreach ($key in $special.Renamed.Keys) {
                if ($values.ContainsKey($key)) {
                    $values[$special.Renamed[$key]] = $values[$key]
                    $values.Remove($key)
                }
            }
        }
    }
    foreach ($one in $Rest) {
        if ($one -is [string] -and $one.psobject.Properties['<CommandParameterName>']) {
            $one = @{ 'psexport:name' = "$one" }
        }
        $null = $tokens.Add($one)
    }
    $asJob = [bool] $values['AsJob']
    if ($Cmdlet) {
        $ExpectingInput = $Cmdlet.MyInvocation.ExpectingInput
        Set-PSExportPreference $Cmdlet $values
    } else {
        $values.Remove('AsJob')
    }
    $call = @{
        Name = $Name
        Cmdlet = $Cmdlet
        Bound = $values
        Rest = $tokens.ToArray()
        Prompts = $false
        ExpectingInput = $ExpectingInput
        AsJob = $asJob
        Input = $null
        PowerShell = $null
        Before = 0
        Queue = $null
        Ended = $false
    }
    $call.Prompts = Test-PSExportPrompt $call
    $call.Runspace = Get-PSExportRunspace
    $call.Before = $script:PSExportState.Started
    if ($asJob) {
        $call.Input = [System.Collections.ArrayList]::new()
        return $call
    }
    $call.Input = [System.Management.Automation.PSDataCollection[psobject]]::new()
    if (-not $ExpectingInput) {
        $call.Input.Complete()
        Start-PSExportPipeline $call
    }
    $call
}


function Add-PSExportToken {
    <#
    .SYNOPSIS
    Puts what a proxy could not bind itself into the order in which it was typed.
    .DESCRIPTION
    The binder gives positions their arguments first, and leaves the names that it does
    not know, as text, with what remains. As many arguments as there are positions not
    taken by name come first; then each name with its argument.
    #>
    [CmdletBinding()]
    param(
        [System.Collections.ArrayList] $Tokens,
        [hashtable] $Special,
        [hashtable] $Values
    )
    $names = [System.Collections.ArrayList]::new()
    $plain = [System.Collections.ArrayList]::new()
    foreach ($key in $Special['Arguments']) {
        if ($Values.ContainsKey($key)) {
            $null = $plain.Add($Values[$key])
            $Values.Remove($key)
        }
    }
    if ($Special.ContainsKey('Rest') -and $Values.ContainsKey($Special.Rest)) {
        foreach ($one in $Values[$Special.Rest]) {
            if ($one -is [string] -and $one -match '^[-\u2013\u2014\u2015][\p{L}_?]') {
                $null = $names.Add(@{ 'psexport:name' = $one })
            } elseif ($Special['Arguments'] -or -not $names.Count) {
                $null = $plain.Add($one)
            } else {
                $null = $names.Add($one)
            }
        }
        $Values.Remove($Special.Rest)
    }
    $first = $plain.Count
    if ($names.Count) {
        $first = 0
        foreach ($key in $Special['Positional']) {
            if (-not $Values.ContainsKey($key)) { $first++ }
        }
    }
    for ($i = 0; $i -lt $plain.Count; $i++) {
        if ($i -ge $first -and $names.Count) {
            $null = $Tokens.Add($names[0])
            $names.RemoveAt(0)
        }
        $null = $Tokens.Add($plain[$i])
    }
    $Tokens.AddRange($names)
}


function Set-PSExportPreference {
    <#
    .SYNOPSIS
    Splits the common parameters into those of the client and those of the host.
    .DESCRIPTION
    What the caller sees and keeps is decided on the client, so a host must not hold
    back what an ErrorVariable or WarningVariable is to collect. What must happen at
    once (Stop, WhatIf, Confirm) is decided on the host.
    #>
    [CmdletBinding(SupportsShouldProcess = $false)]
    param([object] $Cmdlet, [hashtable] $Values)
    foreach ($key in $script:PSExportClientSide) { $Values.Remove($key) }
    foreach ($key in 'ErrorAction', 'WarningAction', 'InformationAction') {
        if ($Values.ContainsKey($key) -and "$($Values[$key])" -eq 'SilentlyContinue') {
            $Values.Remove($key)
        }
    }
    $callers = $Cmdlet.SessionState.PSVariable
    if (-not $Values.ContainsKey('ErrorAction') -and
        -not $Cmdlet.MyInvocation.BoundParameters.ContainsKey('ErrorAction') -and
        "$($callers.GetValue('ErrorActionPreference'))" -eq 'Stop') {
        $Values['ErrorAction'] = 'Stop'
    }
    $known = $Cmdlet.MyInvocation.MyCommand.Parameters
    if ($known.ContainsKey('WhatIf')) {
        if (-not $Values.ContainsKey('WhatIf') -and
            $callers.GetValue('WhatIfPreference')) {
            $Values['WhatIf'] = $true
        }
        if (-not $Values.ContainsKey('Confirm') -and
            "$($callers.GetValue('ConfirmPreference'))" -eq 'None') {
            $Values['Confirm'] = $false
        }
    }
    foreach ($key in 'Verbose', 'Debug') {
        if (-not $Values.ContainsKey($key) -and
            "$($callers.GetValue($key + 'Preference'))" -in 'Continue', 'Inquire', 'Stop') {
            $Values[$key] = $true
        }
    }
}


function Test-PSExportPrompt {
    <#
    .SYNOPSIS
    Whether a call may have to ask, or to say what it would do.
    .DESCRIPTION
    A host with a user interface shows warnings there by itself, beside sending them as
    records; so it is given ours only where it has something to ask or to announce.
    #>
    [CmdletBinding()]
    [OutputType([bool])]
    param([hashtable] $Call)
    if (Test-PSExportTrue $script:PSExport.Endpoint['Prompt']) { return $true }
    if (-not $Call.Cmdlet) { return $false }
    if ($Call.Bound.ContainsKey('Confirm')) {
        if (-not $Call.Bound['Confirm']) { return [bool] $Call.Bound['WhatIf'] }
        return $true
    }
    if ($Call.Bound['WhatIf']) { return $true }
    $command = $Call.Cmdlet.MyInvocation.MyCommand
    if (-not $command.Parameters.ContainsKey('WhatIf')) { return $false }
    foreach ($attribute in $command.ScriptBlock.Attributes) {
        if ($attribute -is [System.Management.Automation.CmdletBindingAttribute]) {
            return "$($attribute.ConfirmImpact)" -eq 'High'
        }
    }
    $false
}


function Get-PSExportQuietHost {
    <#
    .SYNOPSIS
    A host without a user interface: what PowerShell gives to a runspace by default.
    #>
    [CmdletBinding()]
    [OutputType([System.Management.Automation.Host.PSHost])]
    param()
    if (-not $script:PSExportState.QuietHost) {
        $empty = [runspacefactory]::CreateRunspace([initialsessionstate]::Create())
        $empty.Open()
        $script:PSExportState.QuietHost = $empty.SessionStateProxy.GetVariable('Host')
        $empty.Dispose()
    }
    $script:PSExportState.QuietHost
}


function Start-PSExportPipeline {
    <#
    .SYNOPSIS
    Begins the pipeline of a call on its runspace.
    #>
    [CmdletBinding(SupportsShouldProcess = $false)]
    param([hashtable] $Call)
    $shell = [powershell]::Create()
    $shell.Runspace = $Call.Runspace
    if ($script:PSExport.FullLanguage -and
        ((Test-PSExportFragile $Call.Bound) -or (Test-PSExportFragile $Call.Rest))) {
        $text = $script:PSExportScript
        if ($Call.ExpectingInput) { $text = $script:PSExportScriptWithInput }
        $null = $shell.AddScript($text, $true)
        $null = $shell.AddParameter('Name', $Call.Name)
        $null = $shell.AddParameter('Bound', (ConvertTo-PSExportFrozen $Call.Bound))
        $null = $shell.AddParameter('Rest', (ConvertTo-PSExportFrozen $Call.Rest))
    } else {
        $null = $shell.AddCommand($Call.Name)
        foreach ($key in $Call.Bound.Keys) {
            $null = $shell.AddParameter($key, $Call.Bound[$key])
        }
        Add-PSExportArgument $shell $Call.Rest
    }
    $queue = [System.Collections.Concurrent.BlockingCollection[object]]::new()
    $output = [System.Management.Automation.PSDataCollection[psobject]]::new()
    $recorder = Get-PSExportRecorder
    $output.add_DataAdded($recorder.Data.Invoke($queue, 1))
    $shell.Streams.Error.add_DataAdded($recorder.Data.Invoke($queue, 2))
    $shell.Streams.Warning.add_DataAdded($recorder.Data.Invoke($queue, 3))
    $shell.Streams.Verbose.add_DataAdded($recorder.Data.Invoke($queue, 4))
    $shell.Streams.Debug.add_DataAdded($recorder.Data.Invoke($queue, 5))
    $shell.Streams.Information.add_DataAdded($recorder.Data.Invoke($queue, 6))
    $shell.Streams.Progress.add_DataAdded($recorder.Data.Invoke($queue, 7))
    $shell.add_InvocationStateChanged($recorder.State.Invoke($queue, 0))
    $settings = [System.Management.Automation.PSInvocationSettings]::new()
    $settings.Host = $Host
    if (-not $Call.Prompts) { $settings.Host = Get-PSExportQuietHost }
    $settings.RemoteStreamOptions = 'AddInvocationInfo'
    $Call.PowerShell = $shell
    $Call.Queue = $queue
    try {
        $null = $shell.BeginInvoke($Call.Input, $output, $settings, $null, $null)
    } catch {
        $Call.Ended = $true
        $shell.Dispose()
        throw (New-PSExportError 'PSExportSessionBroken' ('The session to ' +
            "$($script:PSExport.Target) does not take '$($Call.Name)': " +
            "$($_.Exception.GetBaseException().Message) The next call gets a new one.") `
            'ConnectionError' $Call.Name)
    }
    $null = $script:PSExportState.Calls.Add($Call)
    $script:PSExportState.Started++
}


function Add-PSExportArgument {
    <#
    .SYNOPSIS
    Adds positional arguments and unresolved parameter names, in their order.
    #>
    [CmdletBinding()]
    param([powershell] $Shell, [object[]] $Rest)
    for ($i = 0; $i -lt $Rest.Count; $i++) {
        $one = $Rest[$i]
        if ($one -is [hashtable] -and $one.Count -eq 1 -and
            $one.ContainsKey('psexport:name')) {
            # A name with its dash is a bare token: the host decides what it takes.
            $token = $one['psexport:name']
            $value = $null
            if ($token.EndsWith(':') -and $i + 1 -lt $Rest.Count) {
                $i++
                $value = $Rest[$i]
            }
            $null = $Shell.AddParameter($token, $value)
        } else {
            $null = $Shell.AddArgument($one)
        }
    }
}


function Send-PSExportInput {
    <#
    .SYNOPSIS
    Hands one input object to the host, and passes on what has come back so far.
    #>
    [CmdletBinding()]
    param([hashtable] $Call, [AllowNull()] [object] $InputObject)
    if (-not $Call.ExpectingInput) { return }
    if ($Call.AsJob) {
        $null = $Call.Input.Add($InputObject)
        return
    }
    if (-not $Call.Ended -and $Call.Input.IsOpen) { $Call.Input.Add($InputObject) }
    if ($Call.PowerShell) {
        Receive-PSExportRecord $Call $false
    } elseif (-not $Call.Ended -and $Call.Before -eq $script:PSExportState.Started) {
        # A host runs one pipeline of a session at a time. If what comes before us calls
        # the host too, it would wait for our end while we wait for its output: then all
        # input is collected first, and this is not reached.
        Start-PSExportPipeline $Call
    }
}


function Complete-PSExportCall {
    <#
    .SYNOPSIS
    Ends the input of a call and passes on the rest of what the host says.
    #>
    [CmdletBinding()]
    param([hashtable] $Call)
    if ($Call.AsJob) { return Start-PSExportJob $Call }
    # Started before its input is closed: else the host would see no pipeline at all.
    if (-not $Call.PowerShell -and -not $Call.Ended) { Start-PSExportPipeline $Call }
    if ($Call.Input.IsOpen) { $Call.Input.Complete() }
    Receive-PSExportRecord $Call $true
}


function Receive-PSExportRecord {
    <#
    .SYNOPSIS
    Passes on what the host has said, each record on its own stream, in its order.
    .PARAMETER Wait
    Until the pipeline has ended; else only what is there already.
    #>
    [CmdletBinding()]
    param([hashtable] $Call, [bool] $Wait)
    $to = $Call.Cmdlet
    if (-not $to) { $to = $PSCmdlet }
    $pair = $null
    $whole = $false
    # What the host has shown by itself is kept here without showing it again.
    if ($Call.Prompts) { $WarningPreference = 'SilentlyContinue' }
    try {
        while (-not $Call.Ended) {
            if (-not $Call.Queue.TryTake([ref] $pair, 0)) {
                if (-not $Wait) { break }
                # Short waits, so that Ctrl-C is heard.
                if (-not $Call.Queue.TryTake([ref] $pair, 200)) {
                    Test-PSExportDeadlock $Call
                    continue
                }
            }
            $record = $pair.Item2
            switch ($pair.Item1) {
                1 {
                    if ($script:PSExport.ShowOrigin) { Add-PSExportOrigin $Call $record }
                    $to.WriteObject($record, $false)
                }
                2 { Set-PSExportPosition $record; $to.WriteError($record) }
                3 { $to.WriteWarning($record.Message) }
                4 { if (-not $Call.Prompts) { $to.WriteVerbose($record.Message) } }
                5 { if (-not $Call.Prompts) { $to.WriteDebug($record.Message) } }
                6 { $to.WriteInformation($record) }
                7 { $to.WriteProgress($record) }
                0 {
                    if ("$($record.State)" -in 'Completed', 'Failed', 'Stopped') {
                        $Call.Ended = $true
                        Stop-PSExportCall $Call
                        if ("$($record.State)" -ne 'Completed') {
                            Write-PSExportFailure $Call $record $to
                        }
                    }
                }
            }
        }
        $whole = $true
    } finally {
        # Select-Object -First, Ctrl-C, a terminating error: the host stops at once.
        if (-not $whole) { Stop-PSExportCall $Call }
    }
}


function Write-PSExportFailure {
    <#
    .SYNOPSIS
    Ends the call as the host ended it: by a throw, a terminating error, or a break.
    #>
    [CmdletBinding()]
    param([hashtable] $Call, [object] $State, [object] $To)
    $reason = $State.Reason
    if ($reason -is [System.Management.Automation.RemoteException]) {
        $record = $reason.ErrorRecord
        Set-PSExportPosition $record
        $thrown = $null
        if ($reason.SerializedRemoteException) {
            $thrown = $reason.SerializedRemoteException.psobject.Properties[
                'WasThrownFromThrowStatement']
        }
        if ($thrown -and $thrown.Value) { throw $record }
        $To.ThrowTerminatingError($record)
    }
    if ($script:PSExportState.Runspace -eq $Call.Runspace) {
        $script:PSExportState.Runspace = $null
        $script:PSExportState.Session = $null
    }
    $why = 'it was stopped.'
    if ($reason) { $why = $reason.GetBaseException().Message }
    $To.ThrowTerminatingError((New-PSExportError 'PSExportSessionBroken' ('The session to ' +
        "$($script:PSExport.Target) broke while '$($Call.Name)' ran: $why What it had " +
        'done by then is done; it is not repeated. The next call gets a new session.') `
        'ConnectionError' $Call.Name))
}


function Set-PSExportPosition {
    <#
    .SYNOPSIS
    Keeps the host's position in an error record: the engine would put the proxy's.
    #>
    [CmdletBinding(SupportsShouldProcess = $false)]
    param([System.Management.Automation.ErrorRecord] $Record)
    $info = $Record.InvocationInfo
    if (-not $info -or -not $info.ScriptLineNumber) { return }
    $line = "$($info.Line)".TrimEnd("`r", "`n")
    $from = [Math]::Max(1, $info.OffsetInLine)
    $to = [Math]::Max($from, $line.Length + 1)
    $position = [System.Management.Automation.Language.ScriptPosition]
    $start = $position::new($info.ScriptName, $info.ScriptLineNumber, $from, $line)
    $end = $position::new($info.ScriptName, $info.ScriptLineNumber, $to, $line)
    $info.DisplayScriptPosition =
        [System.Management.Automation.Language.ScriptExtent]::new($start, $end)
}


function Add-PSExportOrigin {
    <#
    .SYNOPSIS
    Notes on an object where it came from, as Invoke-Command does.
    #>
    [CmdletBinding()]
    param([hashtable] $Call, [AllowNull()] [psobject] $Object)
    if ($null -eq $Object) { return }
    foreach ($pair in @(
            @('PSComputerName', $script:PSExport.Target),
            @('RunspaceId', $Call.Runspace.InstanceId),
            @('PSShowComputerName', $false))) {
        if (-not $Object.psobject.Properties[$pair[0]]) {
            $Object.psobject.Properties.Add(
                [System.Management.Automation.PSNoteProperty]::new($pair[0], $pair[1]))
        }
    }
}


function Stop-PSExportCall {
    <#
    .SYNOPSIS
    Stops a call on the host if it still runs, and lets go of it.
    #>
    [CmdletBinding(SupportsShouldProcess = $false)]
    param([hashtable] $Call)
    $script:PSExportState.Calls.Remove($Call)
    if ($Call.PowerShell) {
        $shell = $Call.PowerShell
        $Call.PowerShell = $null
        $Call.Ended = $true
        if ("$($shell.InvocationStateInfo.State)" -eq 'Running') { $shell.Stop() }
        $shell.Dispose()
    }
}


function Test-PSExportDeadlock {
    <#
    .SYNOPSIS
    Frees a call that waits for one that will never end.
    .DESCRIPTION
    A runspace runs one pipeline at a time. An older call that still waits for input
    holds it; while we wait here, on the same thread, that input cannot come. Either
    its own pipeline has ended without a word (an error upstream): then it is stopped.
    Or it stands downstream of us: then waiting is for ever, and the caller is told.
    #>
    [CmdletBinding()]
    param([hashtable] $Call)
    foreach ($older in @($script:PSExportState.Calls)) {
        if ([object]::ReferenceEquals($older, $Call)) { return }
        if ($older.Runspace -ne $Call.Runspace -or -not $older.Input.IsOpen) { continue }
        $alive = $false
        if ($older.Cmdlet) {
            try { $alive = $null -ne $older.Cmdlet.MyInvocation.MyCommand } catch { $alive = $false }
        }
        if (-not $alive) {
            Stop-PSExportCall $older
            continue
        }
        $to = $Call.Cmdlet
        if (-not $to) { $to = $PSCmdlet }
        $to.ThrowTerminatingError((New-PSExportError 'PSExportSessionBusy' (
            "The session to $($script:PSExport.Target) is waiting for the input of " +
            "'$($older.Name)', so '$($Call.Name)' cannot run in it. Put what comes before " +
            "'$($older.Name)' in parentheses, so that it ends first.") `
            'ResourceBusy' $Call.Name))
    }
}


function Start-PSExportJob {
    <#
    .SYNOPSIS
    Runs a call as a background job.
    #>
    [CmdletBinding(SupportsShouldProcess = $false)]
    [OutputType([System.Management.Automation.Job])]
    param([hashtable] $Call)
    $session = Get-PSExportSession $Call.Runspace
    $parameters = @{
        Session = $session
        AsJob = $true
        HideComputerName = $true
        ScriptBlock = { param($name, $bound, $rest) & $name @bound @rest }
        ArgumentList = $Call.Name, $Call.Bound, $Call.Rest
    }
    if ($script:PSExport.FullLanguage) {
        # Always a script: what was left unresolved is a marked token in there.
        $text = $script:PSExportScript
        if ($Call.ExpectingInput) { $text = $script:PSExportScriptWithInput }
        $parameters.ScriptBlock = [scriptblock]::Create($text)
        $parameters.ArgumentList = $Call.Name, (ConvertTo-PSExportFrozen $Call.Bound),
            (ConvertTo-PSExportFrozen $Call.Rest)
    }
    if ($Call.ExpectingInput) { $parameters.InputObject = $Call.Input }
    Microsoft.PowerShell.Core\Invoke-Command @parameters
}


function New-PSExportError {
    <#
    .SYNOPSIS
    An error record of this module's own.
    #>
    [CmdletBinding(SupportsShouldProcess = $false)]
    [OutputType([System.Management.Automation.ErrorRecord])]
    param([string] $Id, [string] $Message, [string] $Category, [object] $Target)
    [System.Management.Automation.ErrorRecord]::new(
        [System.Management.Automation.RuntimeException]::new($Message),
        $Id, $Category, $Target)
}


# The session of the calls: which, and how it is made.

function Initialize-PSExport {
    <#
    .SYNOPSIS
    Takes what the importer and the environment say about the session.
    .PARAMETER Override
    A PSSession to run in, or a hashtable of settings.
    .PARAMETER Option
    Session options for sessions that the module makes, or a hashtable of settings.
    #>
    [CmdletBinding()]
    param([AllowNull()] [object] $Override, [AllowNull()] [object] $Option)
    $settings = @{}
    $prefix = 'PSEXPORT_' + ($script:PSExport.Name -replace '[^A-Za-z0-9]', '_') + '_'
    $environment = [Environment]::GetEnvironmentVariables()
    foreach ($key in @($environment.Keys)) {
        if ("$key".StartsWith($prefix, 'OrdinalIgnoreCase')) {
            $settings["$key".Substring($prefix.Length)] = $environment[$key]
        }
    }
    foreach ($given in $Override, $Option) {
        if ($given -is [System.Management.Automation.PSObject]) {
            $given = $given.psobject.BaseObject
        }
        if ($given -is [System.Collections.IDictionary]) {
            foreach ($key in $given.Keys) { $settings["$key"] = $given[$key] }
        } elseif ($given -is [System.Management.Automation.Runspaces.PSSession]) {
            $settings['Session'] = $given
        } elseif ($given -is [System.Management.Automation.Remoting.PSSessionOption]) {
            $settings['SessionOption'] = $given
        } elseif ($null -ne $given) {
            throw (New-PSExportError 'PSExportBadArgument' (
                "Import-Module $($script:PSExport.Name) -ArgumentList takes a PSSession, a " +
                "PSSessionOption or a hashtable of settings, not $($given.GetType().Name).") `
                'InvalidArgument' $given)
        }
    }
    if ($settings['Session']) {
        $script:PSExportState.Session = $settings['Session']
        $script:PSExportState.Runspace = $settings['Session'].Runspace
    }
    $endpoint = $script:PSExport.Endpoint
    # Who names another kind of endpoint means that one, and nothing of the old.
    $kinds = @{ HostName = 'SSH'; ComputerName = 'WSMan'; ConnectionUri = 'WSMan'
        Path = 'Process' }
    foreach ($key in 'HostName', 'ComputerName', 'ConnectionUri', 'Path') {
        if ($settings[$key]) {
            $endpoint = @{ Transport = $kinds[$key] }
            break
        }
    }
    $copy = @{}
    foreach ($key in $endpoint.Keys) { $copy[$key] = $endpoint[$key] }
    foreach ($key in $settings.Keys) { $copy[$key] = $settings[$key] }
    $script:PSExport.Endpoint = $copy
    if ($copy['Target']) { $script:PSExport.Target = $copy['Target'] }
}


function Get-PSExportRunspace {
    <#
    .SYNOPSIS
    The runspace that the next call runs in.
    .DESCRIPTION
    The one in use if it is open; a session of this process with the InstanceId of the
    export, else one to the same endpoint that is open and idle; a disconnected one,
    reconnected; a new one. Sessions that the caller made are never closed here.
    #>
    [CmdletBinding()]
    param()
    $state = $script:PSExportState
    if (Test-PSExportOpen $state.Runspace) { return $state.Runspace }
    $known = @($state.Session) + @(Microsoft.PowerShell.Core\Get-PSSession) -ne $null
    $same = @($known | & { process {
                if ("$($_.InstanceId)" -eq $script:PSExport.InstanceId) { $_ } } })
    $like = @($known | & { process { if (Test-PSExportEndpoint $_) { $_ } } })
    foreach ($session in $same + $like) {
        if ((Test-PSExportOpen $session.Runspace) -and
            ("$($session.Availability)" -eq 'Available' -or $same -contains $session)) {
            return Use-PSExportSession $session
        }
    }
    foreach ($session in @($state.Session) + $same + $like) {
        if ($session -and "$($session.State)" -eq 'Disconnected') {
            try {
                $again = Microsoft.PowerShell.Core\Connect-PSSession -Session $session `
                    -ErrorAction Stop
                return Use-PSExportSession $again
            } catch {
                Microsoft.PowerShell.Utility\Write-Verbose (
                    "Session $($session.Name) could not be reconnected: $_")
            }
        }
    }
    New-PSExportRunspace
}


function Use-PSExportSession {
    <#
    .SYNOPSIS
    Makes a PSSession the one in use; gives its runspace.
    #>
    [CmdletBinding()]
    param([System.Management.Automation.Runspaces.PSSession] $Session)
    $script:PSExportState.Session = $Session
    $script:PSExportState.Runspace = $Session.Runspace
    Test-PSExportHost $Session.ApplicationPrivateData
    $Session.Runspace
}


function Test-PSExportOpen {
    <#
    .SYNOPSIS
    Whether a runspace can take a call.
    #>
    [CmdletBinding()]
    [OutputType([bool])]
    param([AllowNull()] [object] $Runspace)
    $null -ne $Runspace -and "$($Runspace.RunspaceStateInfo.State)" -eq 'Opened'
}


function Test-PSExportEndpoint {
    <#
    .SYNOPSIS
    Whether a session of this process goes to the endpoint of this module.
    #>
    [CmdletBinding()]
    [OutputType([bool])]
    param([System.Management.Automation.Runspaces.PSSession] $Session)
    $want = $script:PSExport.Endpoint
    $has = $Session.Runspace.ConnectionInfo
    if (-not $has) { return $false }
    switch ($want.Transport) {
        'WSMan' {
            if ($has.GetType().Name -ne 'WSManConnectionInfo') { return $false }
            $shell = 'Microsoft.PowerShell'
            if ($want['ConfigurationName']) { $shell = $want['ConfigurationName'] }
            if ("$($has.ShellUri)".Split('/')[-1] -ne $shell) { return $false }
            if ($want['ConnectionUri']) {
                return "$($has.ConnectionUri)".TrimEnd('/') -eq
                    "$($want['ConnectionUri'])".TrimEnd('/')
            }
            $port = 5985
            if ($want['UseSSL']) { $port = 5986 }
            if ($want['Port']) { $port = [int] $want['Port'] }
            return "$($has.ComputerName)" -eq "$($want['ComputerName'])" -and
                [int] $has.Port -in 0, $port
        }
        'SSH' {
            if ($has.GetType().Name -ne 'SSHConnectionInfo') { return $false }
            $port = 22
            if ($want['Port']) { $port = [int] $want['Port'] }
            return "$($has.ComputerName)" -eq "$($want['HostName'])" -and
                ("$($has.UserName)" -eq "$($want['UserName'])" -or -not $want['UserName']) -and
                [int] $has.Port -in 0, $port
        }
    }
    $false
}


function New-PSExportRunspace {
    <#
    .SYNOPSIS
    Makes a session to the endpoint, says so once, and puts it in use.
    #>
    [CmdletBinding(SupportsShouldProcess = $false)]
    param()
    $state = $script:PSExportState
    $endpoint = $script:PSExport.Endpoint
    if (-not $state.Announced) {
        $state.Announced = $true
        Microsoft.PowerShell.Utility\Write-Information (
            "Making a new session to $($script:PSExport.Target) for the module " +
            "$($script:PSExport.Name).") -Tags 'PSExport'
    }
    $tries = 1
    if ($endpoint['Retries']) { $tries += [int] $endpoint['Retries'] }
    for ($try = 1; $true; $try++) {
        try {
            switch ($endpoint.Transport) {
                'WSMan' { $session = New-PSExportWSManSession }
                'SSH' { $session = New-PSExportSSHSession }
                'Process' { return New-PSExportProcess }
                default {
                    throw (New-PSExportError 'PSExportNoEndpoint' (
                        "The module $($script:PSExport.Name) was exported from " +
                        "$($script:PSExport.Target), which cannot be reached again. Import it " +
                        'with a session: Import-Module ' +
                        "$($script:PSExport.Name) -ArgumentList `$session") 'OpenError' $null)
                }
            }
            break
        } catch {
            if ($_.FullyQualifiedErrorId -like 'PSExport*' -or $try -ge $tries) { throw }
            [System.Threading.Thread]::Sleep(500 * $try)
        }
    }
    $null = $state.Made.Add($session)
    $runspace = Use-PSExportSession $session
    Import-PSExportModule $runspace
    $runspace
}


function Get-PSExportCommand {
    <#
    .SYNOPSIS
    A command of the shell that no exported module has put its own over.
    #>
    [CmdletBinding()]
    [OutputType([System.Management.Automation.CommandInfo])]
    param([string] $Name)
    foreach ($command in $ExecutionContext.InvokeCommand.GetCommands(
            $Name, 'Function, Cmdlet', $false)) {
        $data = $null
        if ($command.Module) { $data = $command.Module.PrivateData }
        if ($command.ModuleName -eq $script:PSExport.Name) { continue }
        if ($data -is [hashtable] -and $data['ImplicitRemoting']) { continue }
        return $command
    }
    $null
}


function Select-PSExportParameter {
    <#
    .SYNOPSIS
    Keeps the parameters that a command has on this edition and platform.
    #>
    [CmdletBinding()]
    [OutputType([hashtable])]
    param([System.Management.Automation.CommandInfo] $Command, [hashtable] $Parameters)
    $kept = @{}
    foreach ($key in $Parameters.Keys) {
        if ($null -eq $Parameters[$key]) { continue }
        if ($Command.Parameters.ContainsKey($key)) {
            $kept[$key] = $Parameters[$key]
        } else {
            Microsoft.PowerShell.Utility\Write-Verbose (
                "$($Command.Name) has no -$key here; it is left out.")
        }
    }
    $kept
}


function New-PSExportWSManSession {
    <#
    .SYNOPSIS
    Makes a session over WS-Management.
    #>
    [CmdletBinding(SupportsShouldProcess = $false)]
    param()
    $endpoint = $script:PSExport.Endpoint
    $command = Get-PSExportCommand 'New-PSSession'
    $parameters = @{
        Name = $script:PSExport.Name
        ConfigurationName = $endpoint['ConfigurationName']
        Authentication = $endpoint['Authentication']
    }
    if ($endpoint['ConnectionUri']) {
        $parameters.ConnectionUri = [uri] $endpoint['ConnectionUri']
        if ($endpoint['AllowRedirection']) { $parameters.AllowRedirection = $true }
    } else {
        $parameters.ComputerName = $endpoint['ComputerName']
        $parameters.ApplicationName = $endpoint['ApplicationName']
        if ($endpoint['Port']) { $parameters.Port = [int] $endpoint['Port'] }
        if (Test-PSExportTrue $endpoint['UseSSL']) { $parameters.UseSSL = $true }
    }
    if ($endpoint['CertificateThumbprint']) {
        $parameters.CertificateThumbprint = $endpoint['CertificateThumbprint']
    } else {
        $parameters.Credential = Get-PSExportCredential
    }
    $parameters.SessionOption = Get-PSExportSessionOption
    $parameters = Select-PSExportParameter $command $parameters
    try {
        $session = & $command @parameters -ErrorAction Stop
    } catch {
        $hint = 'Check that the host is on and allows remoting (psexport doctor).'
        if ($PSVersionTable['Platform'] -eq 'Unix') {
            $hint = 'PowerShell has no WS-Management client on this platform. Name an ' +
                "SSH endpoint instead: Import-Module $($script:PSExport.Name) " +
                "-ArgumentList @{ HostName = '...'; UserName = '...' }, or import it " +
                'with a session of your own.'
        }
        throw (New-PSExportError 'PSExportNoSession' (
            "No session to $($script:PSExport.Target): $($_.Exception.Message) $hint") `
            'OpenError' $script:PSExport.Target)
    }
    $scheme = $null
    if ($session.Runspace -and $session.Runspace.ConnectionInfo) {
        $scheme = $session.Runspace.ConnectionInfo.ConnectionUri
    }
    if ($endpoint['AllowRedirection'] -and $scheme -and $scheme.Scheme -ne 'https' -and
        "$scheme".TrimEnd('/') -ne "$($endpoint['ConnectionUri'])".TrimEnd('/')) {
        Microsoft.PowerShell.Core\Remove-PSSession $session
        throw (New-PSExportError 'PSExportUnsafeRedirection' (
            "The host redirected to $scheme, which is not https. Connect there yourself " +
            'if you trust it, and import the module with that session.') `
            'SecurityError' "$scheme")
    }
    $session
}


function Test-PSExportTrue {
    <#
    .SYNOPSIS
    Whether a setting, maybe text from the environment, says yes.
    #>
    [CmdletBinding()]
    [OutputType([bool])]
    param([AllowNull()] [object] $Value)
    if ($Value -is [string]) { return $Value -in '1', 'true', '$true', 'yes' }
    [bool] $Value
}


function Get-PSExportSessionOption {
    <#
    .SYNOPSIS
    The options for a session over WS-Management; nothing if none are set.
    #>
    [CmdletBinding()]
    param()
    $endpoint = $script:PSExport.Endpoint
    if ($endpoint['SessionOption']) { return $endpoint['SessionOption'] }
    $options = @{}
    foreach ($key in 'Culture', 'UICulture', 'OpenTimeout', 'OperationTimeout',
        'CancelTimeout', 'IdleTimeout', 'MaximumRedirection', 'ProxyAccessType',
        'ProxyAuthentication', 'ProxyCredential') {
        if ($endpoint[$key]) { $options[$key] = $endpoint[$key] }
    }
    foreach ($key in 'NoCompression', 'NoEncryption', 'NoMachineProfile', 'SkipCACheck',
        'SkipCNCheck', 'SkipRevocationCheck') {
        if (Test-PSExportTrue $endpoint[$key]) { $options[$key] = $true }
    }
    if ($options.Count -eq 0) { return $null }
    $command = Get-PSExportCommand 'New-PSSessionOption'
    $options = Select-PSExportParameter $command $options
    & $command @options
}


function New-PSExportSSHSession {
    <#
    .SYNOPSIS
    Makes a session over SSH.
    #>
    [CmdletBinding(SupportsShouldProcess = $false)]
    param()
    $endpoint = $script:PSExport.Endpoint
    $command = Get-PSExportCommand 'New-PSSession'
    if (-not $command.Parameters.ContainsKey('HostName')) {
        throw (New-PSExportError 'PSExportNoSession' (
            "No session to $($script:PSExport.Target): Windows PowerShell has no SSH " +
            'remoting. Use PowerShell 7, or name a WS-Management endpoint: Import-Module ' +
            "$($script:PSExport.Name) -ArgumentList @{ ComputerName = '...' }") `
            'OpenError' $script:PSExport.Target)
    }
    $parameters = @{
        Name = $script:PSExport.Name
        HostName = $endpoint['HostName']
        UserName = $endpoint['UserName']
        KeyFilePath = $endpoint['KeyFilePath']
        Subsystem = $endpoint['Subsystem']
        Options = $endpoint['Options']
        ConnectingTimeout = $endpoint['OpenTimeout']
    }
    if ($endpoint['Port']) { $parameters.Port = [int] $endpoint['Port'] }
    $parameters = Select-PSExportParameter $command $parameters
    try {
        & $command @parameters -ErrorAction Stop
    } catch {
        throw (New-PSExportError 'PSExportNoSession' (
            "No session to $($script:PSExport.Target): $($_.Exception.Message) " +
            "Check with: ssh $($endpoint['HostName'])") 'OpenError' $script:PSExport.Target)
    }
}


function New-PSExportProcess {
    <#
    .SYNOPSIS
    Starts a local PowerShell and opens a runspace in it.
    #>
    [CmdletBinding(SupportsShouldProcess = $false)]
    param()
    $endpoint = $script:PSExport.Endpoint
    $state = $script:PSExportState
    try {
        $process = [System.Management.Automation.Runspaces.PowerShellProcessInstance]::new()
        if ($endpoint['Path']) { $process.Process.StartInfo.FileName = $endpoint['Path'] }
        if ($endpoint['Arguments']) {
            $start = $process.Process.StartInfo
            if ($start.psobject.Properties['ArgumentList'] -and $start.ArgumentList.Count) {
                foreach ($one in $endpoint['Arguments']) { $start.ArgumentList.Add($one) }
            } else {
                $start.Arguments += ' ' + (@($endpoint['Arguments']) -join ' ')
            }
        }
        $runspace = [runspacefactory]::CreateOutOfProcessRunspace($null, $process)
        $runspace.Open()
    } catch {
        throw (New-PSExportError 'PSExportNoSession' (
            "No local PowerShell could be started: $($_.Exception.GetBaseException().Message) " +
            "Name one: Import-Module $($script:PSExport.Name) -ArgumentList @{ Path = '...' }") `
            'OpenError' $endpoint['Path'])
    }
    $null = $state.Made.Add($runspace)
    $state.Runspace = $runspace
    $state.Session = $null
    Test-PSExportHost $runspace.GetApplicationPrivateData()
    Import-PSExportModule $runspace
    $runspace
}


function Get-PSExportSession {
    <#
    .SYNOPSIS
    The PSSession around the runspace in use, as a job needs it.
    #>
    [CmdletBinding()]
    param([object] $Runspace)
    $state = $script:PSExportState
    if ($state.Session -and $state.Session.Runspace -eq $Runspace) { return $state.Session }
    $create = [System.Management.Automation.Runspaces.PSSession].GetMethod('Create')
    if (-not $create) {
        throw (New-PSExportError 'PSExportNoJob' (
            'Windows PowerShell cannot run a job in a local process. Import the module with ' +
            'a session.') 'NotImplemented' $null)
    }
    $state.Session = $create.Invoke($null, @($Runspace, 'Process', $PSCmdlet))
    $state.Session
}


function Get-PSExportCredential {
    <#
    .SYNOPSIS
    The credential for a new session: from the settings, a secret, or a prompt.
    #>
    [CmdletBinding()]
    [OutputType([pscredential])]
    param()
    $endpoint = $script:PSExport.Endpoint
    $given = $endpoint['Credential']
    if ($given -is [scriptblock]) { $given = & $given }
    if ($given) { return [pscredential] $given }
    if ($script:PSExportState.Secret) { return $script:PSExportState.Secret }
    $secret = $endpoint['Secret']
    if ($secret) {
        try {
            $found = & (Get-PSExportCommand 'Get-Secret') -Name $secret -ErrorAction Stop
            if ($found -is [securestring]) {
                $found = [pscredential]::new($endpoint['UserName'], $found)
            }
            $script:PSExportState.Secret = [pscredential] $found
        } catch {
            throw (New-PSExportError 'PSExportNoCredential' (
                "The secret '$secret' could not be had: $($_.Exception.Message) Install " +
                'Microsoft.PowerShell.SecretManagement, unlock the vault, or give a ' +
                "Credential in the settings.") 'AuthenticationError' $secret)
        }
        return $script:PSExportState.Secret
    }
    if (-not (Test-PSExportTrue $endpoint['AskCredential'])) { return $null }
    $words = [Environment]::GetCommandLineArgs()
    $silent = -not [Environment]::UserInteractive -or [Console]::IsInputRedirected -or
        @($words -match '^[-/]noni').Count -gt 0 -or -not $Host.UI
    if ($silent) {
        throw (New-PSExportError 'PSExportNoCredential' (
            "A new session to $($script:PSExport.Target) needs a credential, and nobody can " +
            "be asked here. Import-Module $($script:PSExport.Name) -ArgumentList " +
            '@{ Credential = $credential }, or with a session.') `
            'AuthenticationError' $script:PSExport.Target)
    }
    $script:PSExportState.Secret = $Host.UI.PromptForCredential($script:PSExport.Name,
        "For a new session to $($script:PSExport.Target)", "$($endpoint['UserName'])", '')
    $script:PSExportState.Secret
}


function Import-PSExportModule {
    <#
    .SYNOPSIS
    Imports on a new session the modules whose commands were asked for.
    #>
    [CmdletBinding()]
    param([object] $Runspace)
    if (-not $script:PSExport.Modules -or -not $script:PSExport.FullLanguage) { return }
    $shell = [powershell]::Create()
    try {
        $shell.Runspace = $Runspace
        $null = $shell.AddCommand('Import-Module').AddParameter('Name',
            $script:PSExport.Modules)
        $null = $shell.Invoke()
        $problem = $shell.Streams.Error
    } catch {
        $problem = @($_)
    } finally {
        $shell.Dispose()
    }
    foreach ($one in $problem) {
        Microsoft.PowerShell.Utility\Write-Warning (
            "On $($script:PSExport.Target), a module that this one needs: $one")
    }
}


function Test-PSExportHost {
    <#
    .SYNOPSIS
    Warns, once, when the host is not what it was at the export.
    #>
    [CmdletBinding()]
    param([AllowNull()] [System.Collections.IDictionary] $PrivateData)
    if ($script:PSExportState.Checked -or -not $PrivateData) { return }
    $script:PSExportState.Checked = $true
    $changes = @()
    $remoting = $PrivateData['ImplicitRemoting']
    $hash = ''
    if ($remoting -is [System.Collections.IDictionary]) { $hash = "$($remoting['Hash'])" }
    if ($hash -ne $script:PSExport.Hash) { $changes += 'its list of commands' }
    $table = $PrivateData['PSVersionTable']
    if ($table -is [System.Collections.IDictionary] -and $script:PSExport.HostVersion -and
        "$($table['PSVersion'])" -ne $script:PSExport.HostVersion) {
        $changes += "its PowerShell ($($script:PSExport.HostVersion), now $($table['PSVersion']))"
    }
    if ($changes) {
        Microsoft.PowerShell.Utility\Write-Warning (
            "$($script:PSExport.Target) has changed since the module " +
            "$($script:PSExport.Name) was made: $($changes -join ' and '). Export it again " +
            'if commands are missing or parameters are refused.')
    }
}


function Set-PSExportAlias {
    <#
    .SYNOPSIS
    Sets the host's aliases, but for those that this shell does not let go of.
    #>
    [CmdletBinding(SupportsShouldProcess = $false)]
    param([hashtable] $Aliases)
    foreach ($name in $Aliases.Keys) {
        $there = $ExecutionContext.InvokeCommand.GetCommand($name, 'Alias')
        if ($there -and "$($there.Options)" -match 'ReadOnly|Constant|AllScope') {
            Microsoft.PowerShell.Utility\Write-Verbose (
                "The alias '$name' of this shell cannot be replaced; it stays.")
            continue
        }
        Microsoft.PowerShell.Utility\Set-Alias -Name $name -Value $Aliases[$name] -Scope Script
    }
}


function Close-PSExportSession {
    <#
    .SYNOPSIS
    Closes the sessions that this module made, and no others.
    #>
    [CmdletBinding()]
    param()
    foreach ($call in @($script:PSExportState.Calls)) { Stop-PSExportCall $call }
    foreach ($made in @($script:PSExportState.Made)) {
        if ($made -is [System.Management.Automation.Runspaces.PSSession]) {
            Microsoft.PowerShell.Core\Remove-PSSession -Session $made -ErrorAction Ignore
        } else {
            $made.Dispose()
        }
    }
    $script:PSExportState.Made.Clear()
    $script:PSExportState.Runspace = $null
    $script:PSExportState.Session = $null
}
