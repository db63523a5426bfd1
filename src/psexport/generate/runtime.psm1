# The runtime of a module that psexport wrote: how its commands reach their host.
#
# It is one file because it is part of one file in every module. A proxy has three lines:
# it starts a call, hands over each input object, and completes the call. The rest is
# here, in three parts:
#
# Calls       Start-PSExportCall      what was bound becomes a pipeline of the host
#             Send-PSExportInput      one input object for it
#             Complete-PSExportCall   no more input; wait for what is still to come
# Settings    Initialize-PSExport     what the importer and the environment say
# Sessions    Get-PSExportRunspace    which session a call runs in
#             New-PSExportRunspace    making one, when there is none
#             Close-PSExportSession   closing those, and no others
#
# The text keeps to what Windows PowerShell 5.1 can read, and to ASCII. Built-in commands
# are called by their full names: the host may have a command of the same name, and then
# a proxy does.
[Diagnostics.CodeAnalysis.SuppressMessageAttribute(
    'PSUseShouldProcessForStateChangingFunctions', '',
    Justification = 'Only proxies call these; a proxy asks before it begins, or its host.')]
param([object] $PSSessionOverride, [object] $PSSessionOptionOverride)
# Here each module has its own settings.

# Where the policy of a computer (AppLocker, App Control) does not trust this file, every
# other line fails, but does not end the import.
if ("$($ExecutionContext.SessionState.LanguageMode)" -ne 'FullLanguage') {
    throw "The module $($script:PSExport.Name) cannot run in " +
        "$($ExecutionContext.SessionState.LanguageMode) mode. Export it again with " +
        '-Certificate, signed by whom the policy of this computer trusts.'
}

# The strict mode and defaults of whoever imports this are for their code.
Microsoft.PowerShell.Core\Set-StrictMode -Off
$script:PSDefaultParameterValues = @{}

$script:PSExportState = @{
    # The session that the importer gave; the one at hand, which may be the same.
    Given = $null
    Runspace = $null
    Session = $null
    # What this module made: tables of Runspace, Session and Process.
    Made = [System.Collections.ArrayList]::new()
    # Calls that have not ended, oldest first.
    Calls = [System.Collections.ArrayList]::new()
    Started = 0
    # Whether the host was compared with what it was.
    Checked = $false
    # A credential that was asked for, or came from a vault.
    Secret = $null
    # What is made once and used again.
    Recorder = $null
    QuietHost = $null
    # What is outside of the module: an event's subscription, functions.
    Exiting = $null
    Control = [System.Collections.ArrayList]::new()
}

# Client-side common parameters: the engine serves them on the proxy itself.
$script:PSExportClientSide = 'ErrorVariable', 'WarningVariable', 'InformationVariable',
    'OutVariable', 'OutBuffer', 'PipelineVariable', 'AsJob'
# Those of both sides that an older host does not know, and since when they are there.
$script:PSExportSince = @{ InformationAction = '5.0'; ProgressAction = '7.4' }

# What a host in full language mode runs where CLIXML makes something else of a value:
# a script block becomes text, an enum a number, an array a list. With the values come
# their places, inner ones first, and what is to be there again.
$script:PSExportRestore = @'
$restore = {
    param($all, $places)
    foreach ($place in $places) {
        $in = $all
        foreach ($key in $place.In) { $in = $in[$key] }
        $at = $place.At
        $text = $place.Text
        $type = $place.Type -as [type]
        if ($place.As -eq 'Block') {
            $in[$at] = [scriptblock]::Create($text)
        } elseif ($place.As -eq 'Name') {
            $token = [psobject] $text
            $token.psobject.Properties.Add((New-Object `
                System.Management.Automation.PSNoteProperty '<CommandParameterName>',
                $text.TrimStart([char[]]'-').TrimEnd([char[]]':')))
            $in[$at] = $token
        } elseif ($place.As -eq 'Array') {
            if (-not $type) { $type = [object[]] }
            $in[$at] = $in[$at] -as $type
        } elseif ($type.IsEnum) {
            $in[$at] = [enum]::Parse($type, $text)
        } elseif ($place.As -eq 'Parsed' -and $type) {
            $in[$at] = $type::Parse($text, [cultureinfo]::InvariantCulture)
        } elseif ($type) {
            $in[$at] = $text -as $type
        }
    }
}
$all = @{ Bound = $Bound; Rest = $Rest }
. $restore $all $Places
$Rest = [object[]] $all.Rest
'@
$script:PSExportScript = "param(`$Name, `$Bound, `$Rest, `$Places)
$script:PSExportRestore
& `$Name @Bound @Rest"
$script:PSExportScriptWithInput = "param(`$Name, `$Bound, `$Rest, `$Places)
begin {
$script:PSExportRestore
`$step = { & `$Name @Bound @Rest }.GetSteppablePipeline()
`$step.Begin(`$true, `$ExecutionContext)
}
process {
    if (`$MyInvocation.ExpectingInput) {
        `$given = `$_
        if (`$given -is [hashtable] -and `$given.Contains('psexport:places')) {
            . `$restore `$given `$given['psexport:places']
            `$given = `$given.Value
        }
        `$step.Process(`$given)
    }
}
end { `$step.End() }"
# Types of values that a host can make again from text, and how that is written.
$script:PSExportParsed = @{
    'System.Numerics.BigInteger' = 'R'
    'System.DateTimeOffset' = 'o'
    'System.DateOnly' = 'o'
    'System.TimeOnly' = 'o'
}
$script:PSExportSpelled = 'System.Text.RegularExpressions.Regex', 'System.RuntimeType',
    'System.Management.Automation.SemanticVersion'


# Calls: from what was bound to what comes back.

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
        $source = $x::Parameter([object], 'source')
        $data = $x::Parameter($argsType, 'data')
        $taken = & $item $source $data
        $pair = $x::Call($tuple, [System.Linq.Expressions.Expression[]]@($kind, $taken))
        $add = $x::Call($queue, $queueType.GetMethod('Add', [type[]]@([object])),
            [System.Linq.Expressions.Expression[]]@($pair))
        $handler = [System.EventHandler`1].MakeGenericType($argsType)
        $inner = $x::Lambda($handler, $add,
            [System.Linq.Expressions.ParameterExpression[]]@($source, $data))
        $factory = [System.Func`3].MakeGenericType($queueType, [int], $handler)
        $x::Lambda($factory, $inner,
            [System.Linq.Expressions.ParameterExpression[]]@($queue, $kind)).Compile()
    }
    $data = & $make ([System.Management.Automation.DataAddedEventArgs]) {
        param($source, $data)
        $x::Call($x::Convert($source, $list), $list.GetMethod('get_Item'),
            [System.Linq.Expressions.Expression[]]@($x::Property($data, 'Index')))
    }
    $state = & $make ([System.Management.Automation.PSInvocationStateChangedEventArgs]) {
        param($source, $data)
        $null = $source
        $x::Convert($x::Property($data, 'InvocationStateInfo'), [object])
    }
    $script:PSExportState.Recorder = @{ Data = $data; State = $state }
    $script:PSExportState.Recorder
}


function Add-PSExportPlace {
    <#
    .SYNOPSIS
    Lists the places in a value where something arrives as what it was not.
    .PARAMETER Places
    The list to add to; inner places come first.
    .PARAMETER In
    How to get to what the value is in: keys and indices.
    .PARAMETER At
    Key or index of the value there.
    .PARAMETER Typed
    The host makes an array of the value by itself.
    #>
    [CmdletBinding()]
    param(
        [System.Collections.IList] $Places,
        [object[]] $In,
        [object] $At,
        [AllowNull()] [object] $Value,
        [bool] $Typed
    )
    if ($Value -is [scriptblock]) {
        $null = $Places.Add(@{ In = $In; At = $At; As = 'Block'; Text = "$Value" })
    } elseif ($Value -is [System.Collections.IDictionary]) {
        if ($In.Count -ge 8) { return }
        $path = $In + $At
        foreach ($key in @($Value.Keys)) {
            # A number is no key of an ordered dictionary, but an index.
            if ($key -is [string] -or $Value -is [hashtable]) {
                Add-PSExportPlace $Places $path -At $key -Value $Value[$key]
            }
        }
    } elseif ($Value -is [System.Collections.IList]) {
        if ($Value -is [byte[]] -or $In.Count -ge 8) { return }
        if ($Value -is [array] -and $Value.Rank -ne 1) { return }
        $path = $In + $At
        for ($i = 0; $i -lt $Value.Count; $i++) {
            $one = $Value[$i]
            # Most are text or numbers; to call a function for each would take long.
            if ($null -eq $one -or $one -is [string] -or $one -is [int]) { continue }
            Add-PSExportPlace $Places $path -At $i -Value $one
        }
        if ($Value -is [array] -and -not $Typed) {
            $type = $Value.GetType().FullName
            $null = $Places.Add(@{ In = $In; At = $At; As = 'Array'; Type = $type })
        }
    } elseif ($null -ne $Value) {
        $type = $Value.GetType().FullName
        $place = @{ In = $In; At = $At; As = 'Text'; Type = $type; Text = "$Value" }
        if ($script:PSExportParsed.ContainsKey($type)) {
            $place.As = 'Parsed'
            $place.Text = $Value.ToString($script:PSExportParsed[$type],
                [cultureinfo]::InvariantCulture)
        } elseif ($Value -is [type]) {
            $place.Type = 'System.Type'
            $place.Text = $Value.FullName
        } elseif ($Value -isnot [enum] -and ($type -notin $script:PSExportSpelled -or
                ($Value -is [regex] -and "$($Value.Options)" -ne 'None'))) {
            return
        }
        $null = $Places.Add($place)
    }
}


function Get-PSExportPlace {
    <#
    .SYNOPSIS
    The places in the arguments of a call where something arrives as what it was not.
    #>
    [CmdletBinding()]
    [OutputType([System.Collections.ArrayList])]
    param([hashtable] $Call)
    $places = [System.Collections.ArrayList]::new()
    $known = $null
    if ($Call.Cmdlet) { $known = $Call.Cmdlet.MyInvocation.MyCommand.Parameters }
    foreach ($key in $Call.Bound.Keys) {
        $value = $Call.Bound[$key]
        if ($null -eq $value -or $value -is [string] -or $value -is [int]) { continue }
        $typed = $known -and $known.ContainsKey($key) -and
            $known[$key].ParameterType -ne [object] -and
            $known[$key].ParameterType -ne [psobject]
        Add-PSExportPlace $places @('Bound') -At $key -Value $value -Typed $typed
    }
    for ($i = 0; $i -lt $Call.Rest.Count; $i++) {
        $one = $Call.Rest[$i]
        if ($one -is [hashtable] -and $one.ContainsKey('psexport:name')) { continue }
        Add-PSExportPlace $places @('Rest') -At $i -Value $one
    }
    , $places
}


function Get-PSExportScript {
    <#
    .SYNOPSIS
    A call as a script that restores its arguments: the text, and what it takes.
    #>
    [CmdletBinding()]
    [OutputType([hashtable])]
    param([hashtable] $Call, [System.Collections.ArrayList] $Places)
    $rest = [object[]] $Call.Rest
    for ($i = 0; $i -lt $rest.Count; $i++) {
        if ($rest[$i] -is [hashtable] -and $rest[$i].ContainsKey('psexport:name')) {
            $name = $rest[$i]['psexport:name']
            $null = $Places.Add(@{ In = @('Rest'); At = $i; As = 'Name'; Text = $name })
        }
    }
    $text = $script:PSExportScript
    if ($Call.ExpectingInput) { $text = $script:PSExportScriptWithInput }
    @{ Text = $text; Arguments = $Call.Name, $Call.Bound, $rest, $Places }
}


function ConvertTo-PSExportInput {
    <#
    .SYNOPSIS
    An input object as it is, or with the places in it that the host is to restore.
    #>
    [CmdletBinding()]
    param([hashtable] $Call, [AllowNull()] [object] $InputObject)
    $places = [System.Collections.ArrayList]::new()
    Add-PSExportPlace $places @() -At 'Value' -Value $InputObject
    if ($null -eq $Call.Restores) { $Call.Restores = [bool] $places.Count }
    if (-not $places.Count) { return , $InputObject }
    @{ Value = $InputObject; 'psexport:places' = $places }
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
        NoInput = $false
        Restores = $null
        Scripted = $false
        AsJob = $asJob
        Input = $null
        PowerShell = $null
        Before = 0
        Queue = $null
        Ended = $false
    }
    $call.Prompts = Test-PSExportPrompt $call
    try {
        $call.Runspace = Get-PSExportRunspace $asJob
    } catch {
        # A throw alone would be passed over under -ErrorAction SilentlyContinue.
        if ($Cmdlet) { $Cmdlet.ThrowTerminatingError($_) }
        $PSCmdlet.ThrowTerminatingError($_)
    }
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
    [CmdletBinding()]
    param([object] $Cmdlet, [hashtable] $Values)
    foreach ($key in $script:PSExportClientSide) { $Values.Remove($key) }
    foreach ($key in $script:PSExportSince.Keys) {
        if (-not $Values.ContainsKey($key)) { continue }
        $was = $script:PSExport.HostVersion -replace '[^\d.].*' -as [version]
        if ($was -and $was -lt $script:PSExportSince[$key]) { $Values.Remove($key) }
    }
    # Only errors that are ignored are kept nowhere.
    $silent = @{ ErrorAction = @('SilentlyContinue') }
    $silent.WarningAction = $silent.InformationAction = 'SilentlyContinue', 'Ignore'
    foreach ($key in $silent.Keys) {
        if ("$($Values[$key])" -in $silent[$key]) { $Values.Remove($key) }
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
    if ($script:PSExport.Endpoint['Prompt']) { return $true }
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
    [CmdletBinding()]
    param([hashtable] $Call)
    $shell = [powershell]::Create()
    $shell.Runspace = $Call.Runspace
    $places = $null
    if ($script:PSExport.FullLanguage) { $places = Get-PSExportPlace $Call }
    if ($null -ne $places -and
        ($places.Count -or $Call.NoInput -or $Call.Restores)) {
        $Call.Scripted = -not $Call.ExpectingInput
        $script = Get-PSExportScript $Call $places
        $null = $shell.AddScript($script.Text, $true)
        foreach ($one in $script.Arguments) { $null = $shell.AddArgument($one) }
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
        throw (New-PSExportError PSExportSessionBroken (
            "The session to $($script:PSExport.Target) does not take '$($Call.Name)': " +
            "$(ConvertTo-PSExportSentence $_.Exception) The next call gets a new one.") `
            -Category ConnectionError -Target $Call.Name)
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
    # The first input object decides whether the host runs a script that restores them.
    if ($script:PSExport.FullLanguage -and $Call.Restores -ne $false) {
        $InputObject = ConvertTo-PSExportInput $Call $InputObject
    }
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
    if (-not $Call.PowerShell -and -not $Call.Ended) {
        # Started before its input is closed: else the host would see no pipeline at all.
        # A quick one may do so all the same, and only a script can tell it otherwise.
        $Call.NoInput = $Call.ExpectingInput -and $Call.Input.Count -eq 0
        Start-PSExportPipeline $Call
    }
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
                    if (Test-PSExportOpen $Call.Runspace) { continue }
                    Write-PSExportFailure $Call $null $to
                }
            }
            $record = $pair.Item2
            switch ($pair.Item1) {
                1 {
                    if ($script:PSExport.ShowOrigin) { Add-PSExportOrigin $Call $record }
                    $to.WriteObject($record, $false)
                }
                2 {
                    Set-PSExportPosition $record
                    if ($Call.Scripted -and $record.CategoryInfo.Reason -like
                        'ParameterBinding*Exception' -and
                        $record.CategoryInfo.Activity -eq $Call.Name) {
                        # In the script around it, it ended but a statement.
                        $to.ThrowTerminatingError($record)
                    }
                    Set-PSExportActivity $Call $record
                    $to.WriteError($record)
                }
                3 {
                    if ($Call.Bound['Debug']) {
                        # By itself the engine would now ask whether to go on.
                        Microsoft.PowerShell.Utility\Write-Warning $record.Message `
                            -WarningAction $WarningPreference
                    } else {
                        $to.WriteWarning($record.Message)
                    }
                }
                4 { if (-not $Call.Prompts) { $to.WriteVerbose($record.Message) } }
                5 { if (-not $Call.Prompts) { $to.WriteDebug($record.Message) } }
                6 { $to.WriteInformation($record) }
                7 { $to.WriteProgress($record) }
                0 {
                    if ("$($record.State)" -in 'Completed', 'Failed', 'Stopped') {
                        $Call.Ended = $true
                        Stop-PSExportCall $Call
                        if ("$($record.State)" -ne 'Completed') {
                            Write-PSExportFailure $Call $record.Reason $to
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
    param([hashtable] $Call, [AllowNull()] [object] $Reason, [object] $To)
    if ($Reason -is [System.Management.Automation.RemoteException]) {
        $record = $Reason.ErrorRecord
        Set-PSExportPosition $record
        $thrown = $null
        if ($Reason.SerializedRemoteException) {
            $thrown = $Reason.SerializedRemoteException.psobject.Properties[
                'WasThrownFromThrowStatement']
        }
        # What a command ends with by itself has its own name, and ends a statement; an
        # error of something in it, or that -ErrorAction made one, ends the script.
        # The engine does the latter by itself where it knows of the Stop.
        $stop = "$($Call.Bound['ErrorAction'])" -eq 'Stop'
        if ($stop -and $To.MyInvocation.BoundParameters.ContainsKey('ErrorAction')) {
            $To.WriteError($record)
        }
        $inside = -not $stop -and $record.CategoryInfo.Activity -ne $Call.Name
        if ($inside -or ($thrown -and $thrown.Value)) { throw $record }
        Set-PSExportActivity $Call $record
        $To.ThrowTerminatingError($record)
    }
    # All that a host without a user interface does not know is to end, or to pause.
    if ($Reason -and $Reason.GetBaseException() -is [System.NotImplementedException] -and
        (Test-PSExportOpen $Call.Runspace)) {
        $To.ThrowTerminatingError((New-PSExportError PSExportExit (
            "'$($Call.Name)' called exit, or for a nested prompt: it has ended, and the " +
            "session to $($script:PSExport.Target) goes on.") `
            -Category InvalidOperation -Target $Call.Name))
    }
    if ($script:PSExportState.Runspace -eq $Call.Runspace) {
        $script:PSExportState.Runspace = $null
        $script:PSExportState.Session = $null
    }
    $why = 'its host is gone.'
    if ($Reason) { $why = ConvertTo-PSExportSentence $Reason }
    $To.ThrowTerminatingError((New-PSExportError PSExportSessionBroken (
        "The session to $($script:PSExport.Target) broke while '$($Call.Name)' ran: $why " +
        'What it had done by then is done; it is not repeated. The next call gets a new ' +
        'session.') `
        -Category ConnectionError -Target $Call.Name))
}


function Set-PSExportPosition {
    <#
    .SYNOPSIS
    Keeps the host's position in an error record: the engine would put the proxy's.
    #>
    [CmdletBinding()]
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


function Set-PSExportActivity {
    <#
    .SYNOPSIS
    Names the command in an error that names none: the engine would put a function of
    this file.
    #>
    [CmdletBinding()]
    param([hashtable] $Call, [System.Management.Automation.ErrorRecord] $Record)
    $about = $Record.CategoryInfo
    if (-not $about.Activity) { $about.Activity = $Call.Name }
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
    [CmdletBinding()]
    param([hashtable] $Call)
    $script:PSExportState.Calls.Remove($Call)
    if ($Call.PowerShell) {
        $shell = $Call.PowerShell
        $Call.PowerShell = $null
        $Call.Ended = $true
        if ("$($shell.InvocationStateInfo.State)" -eq 'Running') {
            # A host that is gone, or does not even stop, is left alone: to dispose of
            # what runs there would take as long as a connection may take to close.
            if (-not (Test-PSExportOpen $Call.Runspace)) { return }
            if (-not $shell.BeginStop($null, $null).AsyncWaitHandle.WaitOne(5000)) { return }
        }
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
            try {
                $alive = $null -ne $older.Cmdlet.MyInvocation.MyCommand
            } catch {
                $alive = $false
            }
        }
        if (-not $alive) {
            Stop-PSExportCall $older
            continue
        }
        $to = $Call.Cmdlet
        if (-not $to) { $to = $PSCmdlet }
        $to.ThrowTerminatingError((New-PSExportError PSExportSessionBusy (
            "The session to $($script:PSExport.Target) is waiting for the input of " +
            "'$($older.Name)', so '$($Call.Name)' cannot run in it. Put what comes before " +
            "'$($older.Name)' in parentheses, so that it ends first.") `
            -Category ResourceBusy -Target $Call.Name))
    }
}


function Start-PSExportJob {
    <#
    .SYNOPSIS
    Runs a call as a background job.
    #>
    [CmdletBinding()]
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
        $script = Get-PSExportScript $Call (Get-PSExportPlace $Call)
        $parameters.ScriptBlock = [scriptblock]::Create($script.Text)
        $parameters.ArgumentList = $script.Arguments
    }
    if (-not $Call.Input.Count) {
        return Microsoft.PowerShell.Core\Invoke-Command @parameters
    }
    # As its InputObject they would be one object.
    $Call.Input | Microsoft.PowerShell.Core\Invoke-Command @parameters
}


function ConvertTo-PSExportSentence {
    <#
    .SYNOPSIS
    What an exception says at its root, to go on behind it.
    #>
    [CmdletBinding()]
    [OutputType([string])]
    param([object] $Problem)
    $Problem.GetBaseException().Message.TrimEnd() -replace '(?<![.!?])$', '.'
}


function New-PSExportError {
    <#
    .SYNOPSIS
    An error record of this module's own.
    #>
    [CmdletBinding()]
    [OutputType([System.Management.Automation.ErrorRecord])]
    param(
        [string] $Id,
        [string] $Message,
        [System.Management.Automation.ErrorCategory] $Category,
        [object] $Target = $script:PSExport.Target
    )
    [System.Management.Automation.ErrorRecord]::new(
        [System.Management.Automation.RuntimeException]::new($Message),
        $Id, $Category, $Target)
}


# Settings: what the importer and the environment say.

# Setting -> what it takes, the kinds of endpoint that it means something to, and whether
# it is one of New-PSSessionOption's.
$script:PSExportKnown = @{
    Session = 'Session', 'Any'
    SessionOption = 'SessionOption', 'WSMan'
    InstanceId = 'Text', 'Any'
    Target = 'Text', 'Any'
    Commands = 'Switch', 'Any'
    Prompt = 'Switch', 'Any'
    Retries = 'Number', 'Any'
    Path = 'Text', 'Process'
    Arguments = 'List', 'Process'
    HostName = 'Text', 'SSH'
    KeyFilePath = 'Text', 'SSH'
    Subsystem = 'Text', 'SSH'
    Options = 'Table', 'SSH'
    UserName = 'Text', 'WSMan SSH'
    Port = 'Number', 'WSMan SSH'
    ComputerName = 'Text', 'WSMan'
    ConnectionUri = 'Text', 'WSMan'
    ApplicationName = 'Text', 'WSMan'
    UseSSL = 'Switch', 'WSMan'
    AllowRedirection = 'Switch', 'WSMan'
    ConfigurationName = 'Text', 'WSMan'
    Authentication = 'Text', 'WSMan'
    CertificateThumbprint = 'Text', 'WSMan'
    Credential = 'Credential', 'WSMan'
    Secret = 'Text', 'WSMan'
    AskCredential = 'Switch', 'WSMan'
    OpenTimeout = 'Number', 'WSMan SSH Process', 'Option'
    OperationTimeout = 'Number', 'WSMan', 'Option'
    CancelTimeout = 'Number', 'WSMan', 'Option'
    IdleTimeout = 'Number', 'WSMan', 'Option'
    Culture = 'Text', 'WSMan', 'Option'
    UICulture = 'Text', 'WSMan', 'Option'
    MaximumRedirection = 'Number', 'WSMan', 'Option'
    MaxConnectionRetryCount = 'Number', 'WSMan', 'Option'
    MaximumReceivedDataSizePerCommand = 'Number', 'WSMan', 'Option'
    MaximumReceivedObjectSize = 'Number', 'WSMan', 'Option'
    OutputBufferingMode = 'Text', 'WSMan', 'Option'
    ProxyAccessType = 'Text', 'WSMan', 'Option'
    ProxyAuthentication = 'Text', 'WSMan', 'Option'
    ProxyCredential = 'Credential', 'WSMan', 'Option'
    ApplicationArguments = 'Table', 'WSMan', 'Option'
    IncludePortInSPN = 'Switch', 'WSMan', 'Option'
    NoCompression = 'Switch', 'WSMan', 'Option'
    NoEncryption = 'Switch', 'WSMan', 'Option'
    NoMachineProfile = 'Switch', 'WSMan', 'Option'
    SkipCACheck = 'Switch', 'WSMan', 'Option'
    SkipCNCheck = 'Switch', 'WSMan', 'Option'
    SkipRevocationCheck = 'Switch', 'WSMan', 'Option'
}
# Setting that says where -> kind of endpoint.
$script:PSExportAddress = @{
    ComputerName = 'WSMan'
    ConnectionUri = 'WSMan'
    HostName = 'SSH'
    Path = 'Process'
}


function Initialize-PSExport {
    <#
    .SYNOPSIS
    Takes what the environment and the importer say about the session.
    .PARAMETER Override
    A PSSession to run in, or a hashtable of settings.
    .PARAMETER Option
    Session options for sessions that the module makes, or a hashtable of settings.
    #>
    [CmdletBinding()]
    param([AllowNull()] [object] $Override, [AllowNull()] [object] $Option)
    try {
        # To look first is quicker than a table of no settings, at each import.
        if ([Environment]::GetEnvironmentVariables().Keys -like (
                $script:PSExport.Environment + '*')) {
            Set-PSExportSetting (Get-PSExportEnvironment) 'environment variable'
        }
        foreach ($given in $Override, $Option) {
            if ($null -ne $given) { Set-PSExportSetting (ConvertTo-PSExportTable $given) }
        }
    } catch {
        # Where errors are passed over, no call may go to a host that was not meant.
        $script:PSExport.Endpoint = @{ Transport = 'None' }
        throw
    }
    if ($script:PSExport.Endpoint['Commands']) {
        Register-PSExportCleanup
        Add-PSExportControl
    }
}


function Get-PSExportEnvironment {
    <#
    .SYNOPSIS
    The settings in environment variables PSEXPORT_<module>_<setting>.
    #>
    [CmdletBinding()]
    [OutputType([hashtable])]
    param()
    $found = @{}
    $prefix = $script:PSExport.Environment
    $variables = [Environment]::GetEnvironmentVariables()
    foreach ($variable in @($variables.Keys)) {
        if (-not "$variable".StartsWith($prefix, 'OrdinalIgnoreCase')) { continue }
        $name = "$variable".Substring($prefix.Length)
        if ($script:PSExportKnown.ContainsKey($name)) {
            if ($variables[$variable]) { $found[$name] = $variables[$variable] }
        } elseif (-not $name.Contains('_')) {
            # With another _ in it, it may belong to a module whose name is longer.
            Microsoft.PowerShell.Utility\Write-Warning (
                "The environment variable $variable is not used: there is no setting " +
                "$name$(Find-PSExportNear $name)")
        }
    }
    $found
}


function ConvertTo-PSExportTable {
    <#
    .SYNOPSIS
    One argument of the import as a table of settings.
    #>
    [CmdletBinding()]
    [OutputType([System.Collections.IDictionary])]
    param([object] $Given)
    if ($Given -is [psobject]) { $Given = $Given.psobject.BaseObject }
    if ($Given -is [System.Collections.IDictionary]) { return $Given }
    if ($Given -is [System.Management.Automation.Runspaces.PSSession]) {
        return @{ Session = $Given }
    }
    if ($Given -is [System.Management.Automation.Remoting.PSSessionOption]) {
        return @{ SessionOption = $Given }
    }
    throw (New-PSExportError PSExportBadArgument (
        "Import-Module $($script:PSExport.Name) -ArgumentList takes a PSSession, a " +
        "PSSessionOption or a hashtable of settings, not a $($Given.GetType().Name).") `
        -Category InvalidArgument -Target $Given)
}


function Set-PSExportSetting {
    <#
    .SYNOPSIS
    Puts settings over those that are there, or refuses them with a reason.
    .DESCRIPTION
    A setting that says where the host is replaces the one that did so before. If it
    means another kind of endpoint, all that was known of the old one goes with it.
    .PARAMETER Source
    What to call these settings in messages.
    #>
    [CmdletBinding()]
    param([System.Collections.IDictionary] $Given, [string] $Source = 'setting')
    $settings = @{}
    foreach ($name in @($Given.Keys)) {
        $known = @($script:PSExportKnown.Keys) -eq "$name"
        if (-not $known) {
            throw (New-PSExportError PSExportBadSetting (
                "The module $($script:PSExport.Name) has no $Source " +
                "$name$(Find-PSExportNear "$name")") `
                -Category InvalidArgument -Target "$name")
        }
        $settings[$known[0]] = ConvertTo-PSExportSetting $known[0] $Given[$name] `
            -Source $Source
    }
    $endpoint = $script:PSExport.Endpoint
    $where = @($script:PSExportAddress.Keys | & { process {
                if ($settings[$_]) { $_ } } })
    if ($where.Count -gt 1) {
        throw (New-PSExportError PSExportBadSetting (
            "The settings $($where -join ' and ') both say where the host of the module " +
            "$($script:PSExport.Name) is. Give one of them.") `
            -Category InvalidArgument -Target $where[1])
    }
    if ($where) {
        $kind = $script:PSExportAddress[$where[0]]
        if ($endpoint.Transport -ne $kind) { $endpoint = @{ Transport = $kind } }
        $old = @($script:PSExportAddress.Keys)
        if ($endpoint.Contains('ConnectionUri') -or $where[0] -eq 'ConnectionUri') {
            $old += 'Port', 'UseSSL', 'ApplicationName'
        }
        foreach ($name in $old) { $endpoint.Remove($name) }
        $script:PSExport.Target = "$($settings[$where[0]])"
    }
    foreach ($name in $settings.Keys) {
        $kinds = -split $script:PSExportKnown[$name][1]
        if ($null -eq $settings[$name]) {
            $endpoint.Remove($name)
        } elseif ($kinds -contains 'Any' -or $kinds -contains $endpoint.Transport) {
            $endpoint[$name] = $settings[$name]
        } else {
            throw (New-PSExportError PSExportBadSetting (
                "The $Source $name means nothing here: the module $($script:PSExport.Name) " +
                "reaches its host by $($endpoint.Transport), and $name is for " +
                "$($kinds -join ' or ').") -Category InvalidArgument -Target $name)
        }
    }
    $script:PSExport.Endpoint = $endpoint
    if ($settings['Target']) { $script:PSExport.Target = $settings['Target'] }
    if ($settings['Session']) { $script:PSExportState.Given = $settings['Session'] }
}


function ConvertTo-PSExportSetting {
    <#
    .SYNOPSIS
    The value of a setting as what it is; text of the environment is read.
    #>
    [CmdletBinding()]
    param([string] $Name, [AllowNull()] [object] $Value, [string] $Source)
    if ($null -eq $Value) { return $null }
    if ($Value -is [psobject]) { $Value = $Value.psobject.BaseObject }
    switch ($script:PSExportKnown[$Name][0]) {
        'Text' {
            $takes = 'a text'
            if ($Value -is [string] -or $Value -is [uri] -or $Value -is [guid] -or
                $Value -is [cultureinfo] -or $Value -is [enum]) {
                if ("$Value") { return "$Value" }
            }
        }
        'Number' {
            $takes = 'a whole number'
            $number = 0
            if ("$Value" -match '^\d{1,10}$' -and
                [int]::TryParse("$Value", [ref] $number)) { return $number }
        }
        'Switch' {
            $takes = '$true or $false'
            if ($Value -is [bool] -or $Value -is [switch]) { return [bool] $Value }
            if ("$Value" -in '1', 'true', '$true', 'yes') { return $true }
            if ("$Value" -in '0', 'false', '$false', 'no') { return $false }
        }
        'List' {
            $takes = 'a list of texts'
            if ($Value -is [string] -or $Value -is [array]) { return , [string[]] $Value }
        }
        'Table' {
            $takes = 'a hashtable'
            if ($Value -is [System.Collections.IDictionary]) { return $Value }
        }
        'Credential' {
            $takes = 'a PSCredential, or a script block that returns one'
            if ($Value -is [pscredential] -or $Value -is [scriptblock]) { return $Value }
        }
        'Session' {
            $takes = 'a PSSession'
            if ($Value -is [System.Management.Automation.Runspaces.PSSession]) {
                return $Value
            }
        }
        'SessionOption' {
            $takes = 'what New-PSSessionOption returns'
            if ($Value -is [System.Management.Automation.Remoting.PSSessionOption]) {
                return $Value
            }
        }
    }
    throw (New-PSExportError PSExportBadSetting (
        "The $Source $Name of the module $($script:PSExport.Name) takes $takes, not a " +
        "$($Value.GetType().Name).") -Category InvalidArgument -Target $Name)
}


function Find-PSExportNear {
    <#
    .SYNOPSIS
    The known names that somebody may have meant, as the end of a sentence.
    #>
    [CmdletBinding()]
    [OutputType([string])]
    param([string] $Name)
    $known = [string[]] $script:PSExportKnown.Keys
    [array]::Sort($known)
    $part = "*$([WildcardPattern]::Escape($Name))*"
    $near = foreach ($distance in 0..2) {
        foreach ($one in $known) {
            $away = Measure-PSExportDistance $Name $one
            if ($one -like $part) { $away = 0 }
            if ($away -eq $distance) { $one }
        }
    }
    if (-not $near) { return ". There are: $($known -join ', ')" }
    ", did you mean $(@($near)[0..2] -join ' or ')?"
}


function Measure-PSExportDistance {
    <#
    .SYNOPSIS
    How many letters differ between two names.
    #>
    [CmdletBinding()]
    [OutputType([int])]
    param([string] $From, [string] $To)
    $from_ = $From.ToUpperInvariant()
    $to_ = $To.ToUpperInvariant()
    $row = 0..$to_.Length
    for ($i = 1; $i -le $from_.Length; $i++) {
        $diagonal = $row[0]
        $row[0] = $i
        for ($j = 1; $j -le $to_.Length; $j++) {
            $best = $diagonal
            if ($from_[$i - 1] -ne $to_[$j - 1]) {
                $best = 1 + [Math]::Min($diagonal, [Math]::Min($row[$j], $row[$j - 1]))
            }
            $diagonal = $row[$j]
            $row[$j] = $best
        }
    }
    $row[$to_.Length]
}


# Sessions: which one a call runs in, how one is made, and how they end.

function Get-PSExportRunspace {
    <#
    .SYNOPSIS
    The runspace that the next call runs in.
    .DESCRIPTION
    The session that the importer gave; the one at hand; a session of this process with
    the InstanceId from the settings, else one to the same endpoint that is idle; a
    disconnected one, reconnected; a new one. None that somebody else made is ever
    closed here.
    .PARAMETER ForJob
    For a job, which shares its session with nothing else while it runs.
    #>
    [CmdletBinding()]
    param([bool] $ForJob)
    $state = $script:PSExportState
    $given = $state.Given
    if ($given -and "$($given.State)" -in 'Closed', 'Broken') { $state.Given = $null }
    if ($given -and (Test-PSExportOpen $given.Runspace)) {
        # The host lets a call wait for the one before it, but no job.
        if ($ForJob) { Wait-PSExportRunspace $given.Runspace }
        return Use-PSExportRunspace $given.Runspace $given
    }
    if (-not $state.Given -and (Test-PSExportUsable $state.Runspace $ForJob)) {
        return Use-PSExportRunspace $state.Runspace $state.Session
    }
    $there = @(Get-PSExportCandidate)
    foreach ($one in $there) {
        if (Test-PSExportUsable $one.Runspace $ForJob) {
            return Use-PSExportRunspace $one.Runspace $one.Session
        }
    }
    foreach ($one in $there) {
        if ($one.Session -and "$($one.Session.State)" -eq 'Disconnected') {
            $again = Connect-PSExportSession $one.Session
            if ($again) { return Use-PSExportRunspace $again.Runspace $again }
        }
    }
    New-PSExportRunspace
}


function Use-PSExportRunspace {
    <#
    .SYNOPSIS
    Makes a runspace the one at hand, and gives it back.
    #>
    [CmdletBinding()]
    param([object] $Runspace, [AllowNull()] [object] $Session)
    $state = $script:PSExportState
    $state.Runspace = $Runspace
    $state.Session = $Session
    if (-not $state.Checked) {
        Register-PSExportCleanup
        Test-PSExportHost $Runspace.GetApplicationPrivateData()
    }
    $Runspace
}


function Test-PSExportOpen {
    <#
    .SYNOPSIS
    Whether a runspace can take a call.
    #>
    [CmdletBinding()]
    [OutputType([bool])]
    param([AllowNull()] [object] $Runspace)
    if ($null -eq $Runspace -or "$($Runspace.RunspaceStateInfo.State)" -ne 'Opened') {
        return $false
    }
    # PowerShell does not notice the end of a process that it started itself.
    foreach ($made in $script:PSExportState.Made) {
        if ($made.Runspace -eq $Runspace) {
            return -not $made.Process -or -not $made.Process.HasExited
        }
    }
    $true
}


function Test-PSExportUsable {
    <#
    .SYNOPSIS
    Whether a runspace can take a call now: it is idle, or busy with calls of ours that
    this one belongs to.
    #>
    [CmdletBinding()]
    [OutputType([bool])]
    param([AllowNull()] [object] $Runspace, [bool] $ForJob)
    if (-not (Test-PSExportOpen $Runspace)) { return $false }
    $ours = $false
    foreach ($call in $script:PSExportState.Calls) {
        if ($call.Runspace -eq $Runspace) { $ours = $true }
    }
    if ($ours) { return -not $ForJob }
    "$($Runspace.RunspaceAvailability)" -eq 'Available'
}


function Wait-PSExportRunspace {
    <#
    .SYNOPSIS
    Waits until a runspace is idle.
    #>
    [CmdletBinding()]
    param([object] $Runspace)
    while ((Test-PSExportOpen $Runspace) -and
        "$($Runspace.RunspaceAvailability)" -eq 'Busy') {
        foreach ($call in $script:PSExportState.Calls) {
            if ($call.Runspace -ne $Runspace) { continue }
            throw (New-PSExportError PSExportSessionBusy (
                "The session to $($script:PSExport.Target) is busy with " +
                "'$($call.Name)', and a job needs it for itself. Put what comes before " +
                'the job in parentheses, so that it ends first.') `
                -Category ResourceBusy -Target $call.Name)
        }
        [System.Threading.Thread]::Sleep(20)
    }
}


function Get-PSExportCandidate {
    <#
    .SYNOPSIS
    The sessions that a call may run in, the best first, with their runspaces.
    #>
    [CmdletBinding()]
    param()
    $state = $script:PSExportState
    $sessions = @(Microsoft.PowerShell.Core\Get-PSSession)
    if ($state.Given) { $sessions = @($state.Given) + $sessions }
    $id = $script:PSExport.Endpoint['InstanceId']
    foreach ($session in $sessions) {
        if ($id -and "$($session.InstanceId)" -eq $id) {
            @{ Runspace = $session.Runspace; Session = $session }
        }
    }
    $state.Made
    foreach ($session in $sessions) {
        if ($state.Given -eq $session -or (Test-PSExportEndpoint $session)) {
            @{ Runspace = $session.Runspace; Session = $session }
        }
    }
}


function Test-PSExportEndpoint {
    <#
    .SYNOPSIS
    Whether a session of this process goes where this module's would, as the same user.
    #>
    [CmdletBinding()]
    [OutputType([bool])]
    param([System.Management.Automation.Runspaces.PSSession] $Session)
    $want = $script:PSExport.Endpoint
    $has = $Session.Runspace.ConnectionInfo
    if (-not $has) { return $false }
    $user = $want['UserName']
    if ($want['Credential'] -is [pscredential]) { $user = $want['Credential'].UserName }
    if ($want.Transport -eq 'SSH' -and $has.GetType().Name -eq 'SSHConnectionInfo') {
        $port = $want['Port']
        if (-not $port) { $port = 22 }
        return $has.ComputerName -eq $want['HostName'] -and
            [int] $has.Port -in 0, $port -and
            (-not $user -or $has.UserName -eq $user) -and
            (-not $want['Subsystem'] -or $has.Subsystem -eq $want['Subsystem'])
    }
    if ($want.Transport -ne 'WSMan' -or $has.GetType().Name -ne 'WSManConnectionInfo') {
        return $false
    }
    $shell = $want['ConfigurationName']
    if (-not $shell) { $shell = 'Microsoft.PowerShell' }
    if ("$($has.ShellUri)".Split('/')[-1] -ne $shell) { return $false }
    if ($user -and $has.Credential -and $has.Credential.UserName -ne $user) {
        return $false
    }
    if ($want['ConnectionUri']) {
        return "$($has.ConnectionUri)".TrimEnd('/') -eq
            $want['ConnectionUri'].TrimEnd('/')
    }
    $scheme = 'http'
    # Of a session that was made without a port, PowerShell tells the one of its scheme,
    # but goes to the one of WS-Management.
    $ports = 5985, 80
    if ($want['UseSSL']) { $scheme = 'https'; $ports = 5986, 443 }
    if ($want['Port'] -and $want['Port'] -ne $ports[0]) { $ports = @($want['Port']) }
    $has.ComputerName -eq $want['ComputerName'] -and $has.Scheme -eq $scheme -and
        [int] $has.Port -in $ports
}


function Connect-PSExportSession {
    <#
    .SYNOPSIS
    Reconnects a disconnected session; nothing if that cannot be.
    #>
    [CmdletBinding()]
    param([System.Management.Automation.Runspaces.PSSession] $Session)
    # Only Windows has the command.
    $command = Get-PSExportCommand 'Connect-PSSession'
    if (-not $command) { return }
    try {
        & $command -Session $Session -ErrorAction Stop
    } catch {
        Microsoft.PowerShell.Utility\Write-Verbose (
            "Session $($Session.Name) could not be reconnected: $_")
    }
}


function New-PSExportRunspace {
    <#
    .SYNOPSIS
    Makes a session to the endpoint, says so, and makes it the one at hand.
    #>
    [CmdletBinding()]
    param()
    $state = $script:PSExportState
    $endpoint = $script:PSExport.Endpoint
    foreach ($old in $state.Made.ToArray()) {
        if (-not (Test-PSExportOpen $old.Runspace)) { Close-PSExportRunspace $old }
    }
    Microsoft.PowerShell.Utility\Write-Information (
        "Making a new session to $($script:PSExport.Target) for the module " +
        "$($script:PSExport.Name).") -Tags 'PSExport'
    $made = $null
    for ($try = 0; -not $made; $try++) {
        try {
            switch ($endpoint.Transport) {
                'WSMan' { $made = New-PSExportWSManSession }
                'SSH' { $made = New-PSExportSSHSession }
                'Process' { $made = New-PSExportProcess }
                default {
                    throw (New-PSExportError PSExportNoEndpoint (
                        "The module $($script:PSExport.Name) was exported from " +
                        "$($script:PSExport.Target), which cannot be reached again. " +
                        'Import it with a session: Import-Module ' +
                        "$($script:PSExport.Name) -ArgumentList `$session -Force") `
                        -Category InvalidOperation)
                }
            }
        } catch {
            # A wrong password is not tried again: that locks accounts.
            if ("$($_.CategoryInfo.Category)" -ne 'OpenError' -or
                $try -ge $endpoint['Retries']) { throw }
            [System.Threading.Thread]::Sleep(500 * ($try + 1))
        }
    }
    $null = $state.Made.Add($made)
    $null = Use-PSExportRunspace $made.Runspace $made.Session
    Import-PSExportModule $made.Runspace
    $made.Runspace
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
        if ($command.ModuleName -eq $script:PSExport.Name) { continue }
        $data = $null
        if ($command.Module) { $data = $command.Module.PrivateData }
        if ($data -is [hashtable] -and $data['ImplicitRemoting']) { continue }
        return $command
    }
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
    # A function without CmdletBinding takes what it does not declare, as $args.
    $all = "$($Command.CommandType)" -eq 'Function' -and -not $Command.CmdletBinding
    foreach ($key in $Parameters.Keys) {
        if ($null -eq $Parameters[$key]) { continue }
        if ($all -or $Command.Parameters.ContainsKey($key)) {
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
    [CmdletBinding()]
    [OutputType([hashtable])]
    param()
    $endpoint = $script:PSExport.Endpoint
    $parameters = @{
        Name = $script:PSExport.Name
        ConfigurationName = $endpoint['ConfigurationName']
        Authentication = $endpoint['Authentication']
        SessionOption = Get-PSExportSessionOption
    }
    if ($endpoint['ConnectionUri']) {
        $parameters.ConnectionUri = [uri] $endpoint['ConnectionUri']
        if ($endpoint['AllowRedirection']) { $parameters.AllowRedirection = $true }
    } else {
        $parameters.ComputerName = $endpoint['ComputerName']
        $parameters.ApplicationName = $endpoint['ApplicationName']
        $parameters.Port = $endpoint['Port']
        if ($endpoint['UseSSL']) { $parameters.UseSSL = $true }
    }
    if ($endpoint['CertificateThumbprint']) {
        $parameters.CertificateThumbprint = $endpoint['CertificateThumbprint']
        $parameters.Authentication = $null
    } elseif ($parameters.Authentication -eq 'Certificate') {
        throw (New-PSExportError PSExportNoCredential (
            "$($script:PSExport.Target) wants a client certificate. Import-Module " +
            "$($script:PSExport.Name) -Force -ArgumentList @{ CertificateThumbprint = " +
            "'...' }, of one in Cert:\CurrentUser\My.") -Category AuthenticationError)
    } else {
        $parameters.Credential = Get-PSExportCredential
    }
    $command = Get-PSExportCommand 'New-PSSession'
    $parameters = Select-PSExportParameter $command $parameters
    try {
        $session = & $command @parameters -ErrorAction Stop
    } catch {
        throw (Get-PSExportWSManError $_)
    }
    $made = @{ Runspace = $session.Runspace; Session = $session; Process = $null }
    if ($parameters['AllowRedirection']) { Test-PSExportRedirection $made }
    $made
}


function Test-PSExportRedirection {
    <#
    .SYNOPSIS
    Closes a session that was redirected to where nothing is encrypted by TLS.
    #>
    [CmdletBinding()]
    param([hashtable] $Made)
    $has = $Made.Runspace.ConnectionInfo
    if (-not $has -or $has.GetType().Name -ne 'WSManConnectionInfo') { return }
    $uri = $has.ConnectionUri
    if ($uri.Scheme -eq 'https' -or "$uri".TrimEnd('/') -eq
        "$([uri] $script:PSExport.Endpoint['ConnectionUri'])".TrimEnd('/')) { return }
    Close-PSExportRunspace $Made
    throw (New-PSExportError PSExportUnsafeRedirection (
        "$($script:PSExport.Target) redirected to $uri, which is not https. Connect " +
        'there yourself if you trust it, and import the module with that session.') `
        -Category SecurityError -Target "$uri")
}


function Get-PSExportWSManError {
    <#
    .SYNOPSIS
    Why there is no session over WS-Management, and what to do about it.
    #>
    [CmdletBinding()]
    [OutputType([System.Management.Automation.ErrorRecord])]
    param([System.Management.Automation.ErrorRecord] $Problem)
    $category = 'OpenError'
    $hint = 'Check that the host is on and allows remoting: Test-WSMan there, psexport ' +
        'doctor here.'
    $code = 0
    if ($Problem.Exception -is
        [System.Management.Automation.Remoting.PSRemotingTransportException]) {
        $code = $Problem.Exception.ErrorCode
    }
    if ($Problem.Exception.InnerException -is [System.DllNotFoundException]) {
        $category = 'NotInstalled'
        $hint = 'There is no WS-Management client on this platform. Name an SSH endpoint ' +
            "of the host instead: Import-Module $($script:PSExport.Name) -Force " +
            "-ArgumentList @{ HostName = '...'; UserName = '...' }, or import the module " +
            'with a session of your own.'
    } elseif ($code -in 5, 86, 1326, 1327, 1328, 1329, 1330, 1331, 1385, 1793, 1907, 1909,
        0x8007052E, 0x8009030C) {
        # Access denied, and Windows' ways to refuse a log on.
        $category = 'AuthenticationError'
        $hint = 'The user, the password or the right to use the endpoint is wrong. It is ' +
            'not tried again by itself.'
        $script:PSExportState.Secret = $null
    }
    New-PSExportError PSExportNoSession (
        "No session to $($script:PSExport.Target): $($Problem.Exception.Message) $hint") `
        -Category $category
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
    foreach ($name in $script:PSExportKnown.Keys) {
        if ($script:PSExportKnown[$name] -contains 'Option' -and $endpoint[$name]) {
            $options[$name] = $endpoint[$name]
        }
    }
    if ($options['ProxyCredential'] -is [scriptblock]) {
        $options.ProxyCredential = & $options.ProxyCredential
    }
    if ($options.Count -eq 0) { return }
    $command = Get-PSExportCommand 'New-PSSessionOption'
    $options = Select-PSExportParameter $command $options
    & $command @options
}


function New-PSExportSSHSession {
    <#
    .SYNOPSIS
    Makes a session over SSH.
    #>
    [CmdletBinding()]
    [OutputType([hashtable])]
    param()
    $endpoint = $script:PSExport.Endpoint
    $command = Get-PSExportCommand 'New-PSSession'
    $target = $script:PSExport.Target
    if (-not $command.Parameters.ContainsKey('HostName')) {
        throw (New-PSExportError PSExportNoSession (
            "No session to $($target): Windows PowerShell has no SSH remoting. Use " +
            'PowerShell 7, or name a WS-Management endpoint of the host: Import-Module ' +
            "$($script:PSExport.Name) -Force -ArgumentList @{ ComputerName = '...' }") `
            -Category NotInstalled)
    }
    $options = @{}
    if ($endpoint['Options']) {
        foreach ($key in $endpoint.Options.Keys) {
            $options[$key] = $endpoint.Options[$key]
        }
    }
    if (-not (Test-PSExportInteractive) -and -not $options.ContainsKey('BatchMode')) {
        # Else ssh would ask, where nobody answers.
        $options.BatchMode = 'yes'
    }
    $parameters = @{
        Name = $script:PSExport.Name
        HostName = $endpoint['HostName']
        Port = $endpoint['Port']
        UserName = $endpoint['UserName']
        KeyFilePath = $endpoint['KeyFilePath']
        Subsystem = $endpoint['Subsystem']
        ConnectingTimeout = Get-PSExportTimeout
    }
    if ($options.Count) { $parameters.Options = $options }
    $parameters = Select-PSExportParameter $command $parameters
    try {
        $session = & $command @parameters -ErrorAction Stop
    } catch {
        $category = 'OpenError'
        if ("$_" -match 'Permission denied|Too many authentication failures') {
            $category = 'AuthenticationError'
        }
        throw (New-PSExportError PSExportNoSession (
            "No session to $($target): $($_.Exception.Message) To see why: ssh -v -s " +
            "$($endpoint['HostName']) powershell") -Category $category)
    }
    @{ Runspace = $session.Runspace; Session = $session; Process = $null }
}


function New-PSExportProcess {
    <#
    .SYNOPSIS
    Starts a local PowerShell and opens a runspace in it.
    #>
    [CmdletBinding()]
    [OutputType([hashtable])]
    param()
    $endpoint = $script:PSExport.Endpoint
    $made = @{ Runspace = $null; Session = $null; Process = $null }
    $opened = $false
    try {
        $made.Process =
            [System.Management.Automation.Runspaces.PowerShellProcessInstance]::new()
        Set-PSExportStart $made.Process.Process.StartInfo
        $made.Runspace =
            [runspacefactory]::CreateOutOfProcessRunspace($null, $made.Process)
        $made.Runspace.OpenAsync()
        $limit = [datetime]::UtcNow.AddMilliseconds((Get-PSExportTimeout))
        while ("$($made.Runspace.RunspaceStateInfo.State)" -in 'BeforeOpen', 'Opening') {
            if ([datetime]::UtcNow -gt $limit) {
                throw 'it did not answer in time (see the setting OpenTimeout).'
            }
            [System.Threading.Thread]::Sleep(5)
        }
        if (-not (Test-PSExportOpen $made.Runspace)) {
            throw $made.Runspace.RunspaceStateInfo.Reason
        }
        $opened = $true
    } catch {
        throw (New-PSExportError PSExportNoSession (
            "No session to $($script:PSExport.Target), a PowerShell of this machine: " +
            "$(ConvertTo-PSExportSentence $_.Exception) Name another: Import-Module " +
            "$($script:PSExport.Name) -Force -ArgumentList @{ Path = '...' }") `
            -Category OpenError)
    } finally {
        if (-not $opened) { Close-PSExportRunspace $made }
    }
    $made
}


function Set-PSExportStart {
    <#
    .SYNOPSIS
    Which program a local session runs in, and what it is started with.
    #>
    [CmdletBinding()]
    param([object] $Start)
    $endpoint = $script:PSExport.Endpoint
    $path = $endpoint['Path']
    # .NET Framework, and so Windows PowerShell, has only a line.
    $list = $Start.psobject.Properties['ArgumentList']
    $was = $script:PSExport.HostVersion
    if (-not $list -and -not $path -and $was -match '^([6-9]|\d\d)\.') {
        # By itself it would start another Windows PowerShell.
        $path = 'pwsh'
    }
    if ($path) { $Start.FileName = $path }
    if ($list -and $path -match '(^|[\\/])powershell(\.exe)?$') {
        # Else Windows PowerShell would take modules of PowerShell 7 for its own.
        $Start.EnvironmentVariables.Remove('PSModulePath')
    }
    if ($list -and $Start.ArgumentList.Count) {
        foreach ($one in $endpoint['Arguments']) { $Start.ArgumentList.Add($one) }
        return
    }
    # With its own -Version before the rest, a pwsh would say its version and end.
    $line = "$($Start.Arguments)" -replace '^\s*-Version\s+\S+\s*'
    foreach ($one in $endpoint['Arguments']) {
        # Backslashes mean themselves, but before a quotation mark, as at the end.
        $line += ' "' + ($one -replace '(\\*)"', '$1$1\"' -replace '(\\+)$', '$1$1') + '"'
    }
    $Start.Arguments = $line
}


function Get-PSExportTimeout {
    <#
    .SYNOPSIS
    How many milliseconds opening a session may take.
    #>
    [CmdletBinding()]
    [OutputType([int])]
    param()
    if ($script:PSExport.Endpoint['OpenTimeout']) {
        return $script:PSExport.Endpoint.OpenTimeout
    }
    # As long as New-PSSession waits for WS-Management.
    180000
}


function Get-PSExportSession {
    <#
    .SYNOPSIS
    The PSSession around a runspace, as a job needs it.
    #>
    [CmdletBinding()]
    param([object] $Runspace)
    $state = $script:PSExportState
    if ($state.Session -and $state.Session.Runspace -eq $Runspace) {
        return $state.Session
    }
    $create = [System.Management.Automation.Runspaces.PSSession].GetMethod('Create')
    if (-not $create) {
        throw (New-PSExportError PSExportNoJob (
            'Windows PowerShell cannot run a job in a local process. Import the module with ' +
            'a session.') -Category NotImplemented -Target $null)
    }
    $state.Session = $create.Invoke($null, @($Runspace, 'Process', $PSCmdlet))
    $state.Session.Name = $script:PSExport.Name
    # A runspace becomes a session only once.
    foreach ($made in $state.Made) {
        if ($made.Runspace -eq $Runspace) { $made.Session = $state.Session }
    }
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
    $state = $script:PSExportState
    $given = $endpoint['Credential']
    if ($given -is [scriptblock]) {
        # Asked for each session, so that it may change.
        $given = & $given
        if ($given -isnot [pscredential]) {
            throw (New-PSExportError PSExportNoCredential (
                "The script block in the setting Credential of the module " +
                "$($script:PSExport.Name) returned no PSCredential.") `
                -Category AuthenticationError)
        }
    }
    if ($given) { return $given }
    if (-not $state.Secret) {
        if ($endpoint['Secret']) {
            $state.Secret = Get-PSExportSecret $endpoint['Secret']
        } elseif ($endpoint['AskCredential']) {
            $state.Secret = Read-PSExportCredential
        }
    }
    $state.Secret
}


function Get-PSExportSecret {
    <#
    .SYNOPSIS
    The credential that a SecretManagement vault keeps under a name.
    #>
    [CmdletBinding()]
    [OutputType([pscredential])]
    param([string] $Name)
    try {
        $command = Get-PSExportCommand 'Get-Secret'
        if (-not $command) {
            # What is only installed is not found that way, and nothing is imported.
            Microsoft.PowerShell.Core\Import-Module -ErrorAction Ignore `
                -Name Microsoft.PowerShell.SecretManagement
            $command = Get-PSExportCommand 'Get-Secret'
        }
        if (-not $command) { throw 'there is no Get-Secret here.' }
        $found = & $command -Name $Name -ErrorAction Stop
        if ($found -is [securestring]) {
            $found = [pscredential]::new($script:PSExport.Endpoint['UserName'], $found)
        }
        if ($found -isnot [pscredential]) { throw 'it is no credential.' }
        $found
    } catch {
        throw (New-PSExportError PSExportNoCredential (
            "The secret '$Name' could not be had: $($_.Exception.Message) Install " +
            'Microsoft.PowerShell.SecretManagement and unlock the vault, or give a ' +
            'Credential in the settings.') -Category AuthenticationError -Target $Name)
    }
}


function Read-PSExportCredential {
    <#
    .SYNOPSIS
    Asks for the credential of a new session, where somebody can be asked.
    #>
    [CmdletBinding()]
    [OutputType([pscredential])]
    param()
    $why = 'nobody can be asked here'
    if (Test-PSExportInteractive) {
        try {
            $typed = $Host.UI.PromptForCredential($script:PSExport.Name,
                "For a new session to $($script:PSExport.Target)",
                "$($script:PSExport.Endpoint['UserName'])", '')
            if ($typed) { return $typed }
            $why = 'none was given'
        } catch [System.Management.Automation.RuntimeException] {
            $why = "it could not be asked for: $($_.Exception.GetBaseException().Message)"
        }
    }
    throw (New-PSExportError PSExportNoCredential (
        "A new session to $($script:PSExport.Target) needs a credential, and $why. " +
        "Import-Module $($script:PSExport.Name) -Force -ArgumentList @{ Credential = " +
        '$credential }, or with a session.') -Category AuthenticationError)
}


function Test-PSExportInteractive {
    <#
    .SYNOPSIS
    Whether there is somebody who can be asked.
    #>
    [CmdletBinding()]
    [OutputType([bool])]
    param()
    if (-not $Host.UI -or -not [Environment]::UserInteractive) { return $false }
    if ($Host.Name -ne 'ConsoleHost') { return $true }
    -not [Console]::IsInputRedirected -and
        -not @([Environment]::GetCommandLineArgs() -match '^[-/]noni')
}


function Import-PSExportModule {
    <#
    .SYNOPSIS
    Imports on a new session the modules whose commands were asked for.
    .DESCRIPTION
    Each on its own, so that one that fails does not cost the others. A restricted
    endpoint has what it has.
    #>
    [CmdletBinding()]
    param([object] $Runspace)
    if (-not $script:PSExport.FullLanguage) { return }
    foreach ($module in $script:PSExport.Modules) {
        $parameter = 'Name'
        if ($module -is [hashtable]) { $parameter = 'FullyQualifiedName' }
        $shell = [powershell]::Create()
        $shell.Runspace = $Runspace
        $problem = $null
        try {
            $null = $shell.AddCommand('Import-Module').AddParameter($parameter, $module)
            $null = $shell.Invoke()
            $problem = $shell.Streams.Error | & { process { $_ } }
        } catch {
            $problem = $_.Exception.GetBaseException().Message
        } finally {
            $shell.Dispose()
        }
        if ($problem) {
            Microsoft.PowerShell.Utility\Write-Warning (
                "$($script:PSExport.Target) could not import a module that commands of " +
                "this one come from: $problem")
        }
    }
}


function Test-PSExportHost {
    <#
    .SYNOPSIS
    Warns, once, when the host is not what it was at the export.
    .DESCRIPTION
    What one of the two did not tell is no difference.
    #>
    [CmdletBinding()]
    param([AllowNull()] [System.Collections.IDictionary] $PrivateData)
    $script:PSExportState.Checked = $true
    if (-not $PrivateData) { return }
    $changes = @()
    $remoting = $PrivateData['ImplicitRemoting']
    if ($remoting -is [System.Collections.IDictionary] -and $script:PSExport.Hash) {
        $hash = "$($remoting['Hash'])"
        if ($hash -and $hash -ne $script:PSExport.Hash) {
            $changes += 'its list of commands'
        }
    }
    $table = $PrivateData['PSVersionTable']
    if ($table -is [System.Collections.IDictionary]) {
        $was = "$($script:PSExport.HostVersion)"
        $is = "$($table['PSVersion'])"
        # Windows' updates change the fourth number; a preview has its name only here
        # or there.
        $three = '^\d+(\.\d+){0,2}'
        if ($was -match $three) {
            $before = $Matches[0]
            if ($is -match $three -and $Matches[0] -ne $before) {
                $changes += "its PowerShell ($was, now $is)"
            }
        }
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
    [CmdletBinding()]
    param([hashtable] $Aliases)
    foreach ($name in $Aliases.Keys) {
        # GetCommand would look for modules that have it, and so import this one again.
        $there = @($ExecutionContext.InvokeCommand.GetCommands($name, 'Alias', $false))
        if ($there -and "$($there[0].Options)" -match 'ReadOnly|Constant|AllScope') {
            Microsoft.PowerShell.Utility\Write-Verbose (
                "The alias '$name' of this shell cannot be replaced; it stays.")
            continue
        }
        Microsoft.PowerShell.Utility\Set-Alias -Name $name -Value $Aliases[$name] `
            -Scope Script
    }
}


function Register-PSExportCleanup {
    <#
    .SYNOPSIS
    Closes the module's sessions when it is removed, or its shell or runspace ends.
    .DESCRIPTION
    Not before there is something to close: an import is to be quick.
    #>
    [CmdletBinding()]
    param()
    $module = $ExecutionContext.SessionState.Module
    if (-not $module -or $script:PSExportState.Exiting) { return }
    $module.OnRemove = { Unregister-PSExportCleanup }
    $exiting = $ExecutionContext.Events.SubscribeEvent($null, 'PowerShell.Exiting',
        'PowerShell.Exiting', $null, { & $close }, $true, $false)
    # The action runs in a module of its own, which does not know ours.
    $exiting.Action.Module.SessionState.PSVariable.Set('close', { Close-PSExportSession })
    $script:PSExportState.Exiting = $exiting
}


function Unregister-PSExportCleanup {
    <#
    .SYNOPSIS
    Takes back what the module has put outside of itself.
    #>
    [CmdletBinding()]
    param()
    if ($script:PSExportState.Exiting) {
        $ExecutionContext.Events.UnsubscribeEvent($script:PSExportState.Exiting)
    }
    Remove-PSExportControl
    Close-PSExportSession
}


function Close-PSExportSession {
    <#
    .SYNOPSIS
    Closes the sessions that this module made, and no others.
    #>
    [CmdletBinding()]
    param()
    $state = $script:PSExportState
    foreach ($call in $state.Calls.ToArray()) { Stop-PSExportCall $call }
    foreach ($made in $state.Made.ToArray()) { Close-PSExportRunspace $made }
    $state.Runspace = $null
    $state.Session = $null
    $state.Given = $null
    $state.Secret = $null
}


function Close-PSExportRunspace {
    <#
    .SYNOPSIS
    Closes one session that this module made, with the process behind it.
    #>
    [CmdletBinding()]
    param([hashtable] $Made)
    $alive = Test-PSExportOpen $Made.Runspace
    $script:PSExportState.Made.Remove($Made)
    try {
        if ($Made.Session -and ($alive -or -not $Made.Process)) {
            Microsoft.PowerShell.Core\Remove-PSSession -Session $Made.Session
        } elseif ($alive) {
            $Made.Runspace.Dispose()
        } elseif ($Made.Runspace) {
            # Nobody is there to say that it is closed; waiting would take a minute.
            $Made.Runspace.CloseAsync()
        }
    } catch {
        Microsoft.PowerShell.Utility\Write-Verbose "A session did not close: $_"
    } finally {
        if ($Made.Process) { $Made.Process.Dispose() }
    }
}


function Add-PSExportControl {
    <#
    .SYNOPSIS
    Gives the caller's session the commands that handle the session by hand.
    .DESCRIPTION
    They are not among the module's exports, which are known without running it.
    #>
    [CmdletBinding()]
    param()
    $noun = $script:PSExport.Name -replace '[^\p{L}\p{Nd}_]'
    $control = [ordered]@{
        "Connect-$noun" = ${function:Connect-PSExportEndpoint}
        "Get-$($noun)Session" = ${function:Get-PSExportState}
        "Disconnect-$noun" = ${function:Disconnect-PSExportEndpoint}
    }
    foreach ($name in $control.Keys) {
        $path = "function:global:$name"
        if ($ExecutionContext.InvokeProvider.Item.Exists($path)) {
            Microsoft.PowerShell.Utility\Write-Warning (
                "There is a function $name already; it stays.")
            continue
        }
        $null = $ExecutionContext.InvokeProvider.Item.Set($path, $control[$name])
        $null = $script:PSExportState.Control.Add($path)
    }
}


function Remove-PSExportControl {
    <#
    .SYNOPSIS
    Takes these commands away again.
    #>
    [CmdletBinding()]
    param()
    foreach ($path in $script:PSExportState.Control) {
        if ($ExecutionContext.InvokeProvider.Item.Exists($path)) {
            $ExecutionContext.InvokeProvider.Item.Remove($path, $false)
        }
    }
    $script:PSExportState.Control.Clear()
}


function Connect-PSExportEndpoint {
    <#
    .SYNOPSIS
    Opens the session of an exported module now.
    .PARAMETER Setting
    A PSSession, session options, or a hashtable of settings, as for Import-Module
    -ArgumentList: from now on they apply.
    .OUTPUTS
    The state of the session.
    #>
    [CmdletBinding()]
    param([Parameter(Position = 0)] [object] $Setting)
    try {
        if ($null -ne $Setting) {
            $settings = ConvertTo-PSExportTable $Setting
            Close-PSExportSession
            Set-PSExportSetting $settings
        }
        $null = Get-PSExportRunspace
    } catch {
        $PSCmdlet.ThrowTerminatingError($_)
    }
    Get-PSExportState
}


function Get-PSExportState {
    <#
    .SYNOPSIS
    Tells which session the calls of an exported module run in.
    #>
    [CmdletBinding()]
    param()
    $state = $script:PSExportState
    $runspace = $state.Runspace
    if (-not $runspace -and $state.Given) { $runspace = $state.Given.Runspace }
    $about = [ordered]@{
        Module = $script:PSExport.Name
        Target = $script:PSExport.Target
        Transport = $script:PSExport.Endpoint.Transport
        State = 'None'
        Availability = 'None'
        Origin = 'None'
        InstanceId = $null
    }
    if ($runspace) {
        $about.State = "$($runspace.RunspaceStateInfo.State)"
        $about.Availability = "$($runspace.RunspaceAvailability)"
        $about.InstanceId = $runspace.InstanceId
        $about.Origin = 'Found'
        foreach ($made in $state.Made) {
            if ($made.Runspace -eq $runspace) { $about.Origin = 'Made' }
        }
        if ($state.Given -and $state.Given.Runspace -eq $runspace) {
            $about.Origin = 'Given'
        }
    }
    [pscustomobject] $about
}


function Disconnect-PSExportEndpoint {
    <#
    .SYNOPSIS
    Closes what an exported module opened, and lets go of what it was given.
    #>
    [CmdletBinding()]
    param()
    Close-PSExportSession
}
