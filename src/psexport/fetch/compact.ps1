# What psexport asks a host that is in full language mode: one read-only question.
#
# It lists commands, views, help and modules, as a person could with Get-Command,
# Get-FormatData and Get-Help, and answers in pieces of JSON text, compressed with gzip.
# It runs none of the commands that it lists, opens no connection, writes no file, and
# leaves no variable, function or preference behind. One trace stays: modules that it
# had to look into are imported in this session.
#
# docs/compact-road.md tells what is in the answer. Needs PowerShell 3 or later, and no
# cmdlets but Get-Command, Get-Module, Import-Module, Get-FormatData and Get-Help, which
# are called by their full names: the host may have something else by the short ones.

& {
    param(
        [string[]] $Name,               # commands, with wildcards; none: no commands
        [int] $CommandType,             # of these CommandTypes
        [string[]] $Module,             # from these modules, with wildcards
        [object[]] $FullModule,         # or from these: keys and values in turn
        [object[]] $ArgumentList,       # what dynamic parameters depend on
        [string[]] $FormatTypeName,     # types, with wildcards; none: no views
        [string] $ClientVersion,        # of the PowerShell that will show the views
        [bool] $Help                    # whether to tell the help of the commands
    )
    Microsoft.PowerShell.Core\Set-StrictMode -Off
    $ErrorActionPreference = 'Stop'
    $WarningPreference = $VerbosePreference = $DebugPreference = 'SilentlyContinue'
    $InformationPreference = $ProgressPreference = 'SilentlyContinue'
    $PSDefaultParameterValues = @{}
    $errorsBefore = $Error.ToArray()
    $invoke = $ExecutionContext.InvokeCommand

    # What follows are blocks in variables. Functions would be commands of the host
    # while this runs, be listed, and hide others.

    # ---- Text: JSON by hand, since no cmdlet that makes it is everywhere -------------

    $nul = "`0"

    $quote = {
        param($value)
        '"' + ([string] $value).Replace('\', '\\').Replace('"', '\"') + '"'
    }

    $quoteAll = {
        param($values)
        if ($values.Count -eq 0) { return '[]' }
        '[' + (& $quote ($values -join $nul)).Replace($nul, '","') + ']'
    }

    # An object as PowerShell itself would send it.
    $clixml = {
        param($object)
        & $quote ([Management.Automation.PSSerializer]::Serialize($object, 10))
    }

    # ---- Pieces: gzip's checksum tells of damage, numbers of loss and disorder -------

    $out = [Text.StringBuilder] ''
    $count = @{ piece = 0; command = 0; view = 0; help = 0; failed = 0 }

    $put = {
        param($kind, $fields)
        $null = $out.Append('["' + $kind + '",' + $fields + '],')
        if ($count.ContainsKey($kind)) { $count[$kind] += 1 }
    }

    # What went wrong is told, and the answer goes on.
    $putTrouble = {
        param($kind, $what, $trouble)
        & $put $kind (& $quoteAll $what, $trouble.Exception.GetBaseException().Message)
    }

    $flush = {
        $json = '{"psexport":1,"piece":' + $count.piece + ',"records":[' +
            $out.ToString().TrimEnd(',') + ']}'
        $bytes = [Text.Encoding]::UTF8.GetBytes($json)
        $memory = [Activator]::CreateInstance([IO.MemoryStream])
        $gzip = [Activator]::CreateInstance([IO.Compression.GZipStream],
            [object[]] @($memory, [IO.Compression.CompressionMode]::Compress))
        $gzip.Write($bytes, 0, $bytes.Length)
        $gzip.Close()
        $null = $out.Clear()
        $count.piece += 1
        , $memory.ToArray()
    }

    # ---- Which commands --------------------------------------------------------------

    $import = {
        param($it)
        try { Microsoft.PowerShell.Core\Import-Module @it -Global -DisableNameChecking }
        catch {
            $named = @($it.Values.ModuleName) + $it.Values
            & $putTrouble 'problem' @($named -ne $null)[0] $_
        }
    }

    # Imports the modules that are asked for, or else those that aliases lead to.
    $importModules = {
        foreach ($one in $Module) {
            # A wildcard means what is imported already, here as in Get-Command.
            $is = $one -match '[*?[]' -or $one -eq 'Microsoft.PowerShell.Core'
            if (-not $is) { $is = Microsoft.PowerShell.Core\Get-Module -Name $one }
            if (-not $is) { & $import @{ Name = $one } }
        }
        foreach ($one in $specifications) { & $import @{ FullyQualifiedName = $one } }
        if ($Module -or $specifications) { return }
        if (-not ($types -band 1)) { return }    # no aliases
        foreach ($pattern in $Name) {
            foreach ($one in $invoke.GetCommands($pattern, 'Alias', $true)) {
                # To look for a command by its name imports its module.
                $end = $invoke.GetCommand($one.Definition, 'All')
                if (-not $end) { $nowhere[$one.Name] = $true }
            }
        }
    }

    # What Get-Command -ListImported lists. That compares each command with all before,
    # half a second for 4,000, so wildcards go a shorter way where there is one.
    $findCommands = {
        $rest = @{ CommandType = $types; ListImported = $true }
        if ($Module) { $rest.Module = $Module }
        if ($specifications) { $rest.FullyQualifiedModule = $specifications }
        if ($ArgumentList.Count) { $rest.ArgumentList = $ArgumentList }
        $whole = $rest.Count -gt 2 -or $types -band 0x70    # scripts and programs
        foreach ($pattern in $Name) {
            if ($whole -or $pattern -notmatch '[*?[]') { $rest.Name += @($pattern) }
            else {
                # This way one kind of function brings the others along.
                $invoke.GetCommands($pattern, $types, $true)
            }
        }
        if (-not $rest.Name) { return }
        $troubles = $null
        Microsoft.PowerShell.Core\Get-Command @rest -ErrorAction SilentlyContinue `
            -ErrorVariable troubles
        foreach ($one in $troubles) {
            if ($one.CategoryInfo.Category -ne 'ObjectNotFound') {
                & $putTrouble 'problem' $one.TargetObject $one
            }
        }
    }

    # ---- Commands --------------------------------------------------------------------

    # Numbers a type, and tells it: name, values if it is an enum, whether they combine.
    $addType = {
        param($type)
        $enum = $type
        while ($enum.HasElementType) { $enum = $enum.GetElementType() }
        $inner = [Nullable]::GetUnderlyingType($enum)
        if ($inner) { $enum = $inner }
        $values = @()
        if ($enum.IsEnum) { $values = [Enum]::GetNames($enum) }
        $combine = [int] ($enum.IsEnum -and $enum.IsDefined([FlagsAttribute], $false))
        $typeNumbers[$type] = $typeNumbers.Count
        & $put 'type' ((& $quote $type.ToString()) + ',' + (& $quoteAll $values) + ',' +
            $combine)
        $typeNumbers[$type]
    }

    # What an attribute says of its parameter, by its type: nothing, all that there is
    # to say, or the name of what has details.
    $addKind = {
        param($attribute)
        $type = $attribute.GetType()
        $short = $kind = ''
        if ($type.Namespace -eq 'System.Management.Automation') {
            $short = $type.Name.Replace('Attribute', '')
        }
        if ('ValidateNotNull', 'ValidateNotNullOrEmpty', 'ValidateNotNullOrWhiteSpace',
            'AllowNull', 'AllowEmptyString', 'AllowEmptyCollection' -contains $short) {
            $kind = & $quoteAll $short
        }
        elseif ('ArgumentCompletions', 'ValidateSet', 'ValidateRange',
            'ValidatePattern', 'ValidateCount', 'ValidateLength' -contains $short) {
            $kind = $short
        }
        elseif ($attribute -is
            [Management.Automation.ArgumentTransformationAttribute]) {
            # Conversion to the declared type is PowerShell's own business.
            if ($short -ne 'ArgumentTypeConverter') { $kind = 'Transform' }
        }
        elseif ($attribute -is [Management.Automation.ValidateArgumentsAttribute] -or
            $attribute -is [Management.Automation.PSTypeNameAttribute]) {
            $kind = & $quoteAll 'HostOnly', $type.FullName
        }
        $kinds[$type] = $kind
        $kind
    }

    # Names of the parameters that PowerShell adds, by what a command says of itself.
    $addSkip = {
        param($says)
        $added = @{
            1 = [Management.Automation.Cmdlet]::CommonParameters
            2 = 'WhatIf', 'Confirm'
            4 = 'First', 'Skip', 'IncludeTotalCount'
            8 = 'UseTransaction'
        }
        $skips[$says] = @{}
        foreach ($bit in $added.Keys) {
            if ($says -band $bit) {
                foreach ($one in $added[$bit]) { $skips[$says][$one] = $true }
            }
        }
        $skips[$says]
    }

    # Tells the commands. Each parameter is told once, however many commands have one
    # just like it. There may be 50,000 parameters, and to call a block costs 30
    # microseconds or more: so this is long, and calls others only for what is rare.
    # A variable from outside costs ten times one of its own, and -join ten times Join.
    $addCommands = {
        param($found, $text, $nul)
        $typeNumbers, $kinds, $skips, $modules = @{}, @{}, @{}, @{}
        $parameterNumbers = [Activator]::CreateInstance([Collections.Hashtable],
            [object[]] @([StringComparer]::Ordinal))
        $invariant = [Globalization.CultureInfo]::InvariantCulture
        $formats = @{ Double = 'R'; Single = 'R'; DateTime = 'o' }
        # Not public, or not there before PowerShell 6: then they are null.
        $where = [Reflection.BindingFlags] 'Instance, Public, NonPublic'
        $generator = [Management.Automation.ValidateSetAttribute].GetField(
            'validValuesGenerator', $where)
        $rangeKind = [Management.Automation.ValidateRangeAttribute].GetProperty(
            'RangeKind', $where)

        foreach ($command in $found) { try {
            $target = $command
            $resolved = ''
            if ($command -is [Management.Automation.AliasInfo]) {
                $target = $null
                if (-not $nowhere[$command.Name]) { $target = $command.ResolvedCommand }
                if ($target) { $resolved = $target.Name }
            }

            # What the command says of itself.
            $binding = $null
            $says = 0
            if ($target -is [Management.Automation.CmdletInfo]) {
                $says = 1
                $class = $target.ImplementingType
                $binding = $class.GetCustomAttributes(
                    [Management.Automation.CmdletAttribute], $false)[0]
                if ($class.GetInterface('IDynamicParameters')) { $says += 16 }
            }
            elseif ($target.ScriptBlock) {
                foreach ($attribute in $target.ScriptBlock.Attributes) {
                    if ($attribute -is [Management.Automation.CmdletBindingAttribute]) {
                        $binding = $attribute
                    }
                }
                if ($binding -or $target.CmdletBinding) { $says = 1 }
                $body = $target.ScriptBlock.Ast
                if ($body.Body) { $body = $body.Body }
                if ($body.DynamicParamBlock) { $says += 16 }
            }
            if ($binding.SupportsShouldProcess) { $says += 2 }
            if ($binding.SupportsPaging) { $says += 4 }
            if ($binding.SupportsTransactions) { $says += 8 }
            if ($binding -and $binding.PositionalBinding -eq $false) { $says += 32 }
            $skip = $skips[$says]
            if ($null -eq $skip) { $skip = & $addSkip $says }

            # Its parameters, as their numbers.
            $all = $target.Parameters
            if ($null -eq $all -and $null -ne $target -and
                $target -isnot [Management.Automation.ApplicationInfo]) {
                # PowerShell says nothing of an error in a declaration; this throws it.
                $property = $target.GetType().GetProperty('Parameters')
                $all = $property.GetValue($target, $null)
            }
            $numbers = @(foreach ($parameter in $all.Values) {
                $names = $parameter.Name
                if ($skip.ContainsKey($names)) { continue }
                if ($parameter.Aliases.Count) {
                    $names += $nul + [string]::Join($nul,
                        [string[]] $parameter.Aliases)
                }
                $type = $typeNumbers[$parameter.ParameterType]
                if ($null -eq $type) { $type = & $addType $parameter.ParameterType }
                $places = $checks = $completions = ''
                $flags = 0
                if ($parameter.IsDynamic) { $flags = 1 }
                foreach ($attribute in $parameter.Attributes) {
                    if ($attribute -is [Management.Automation.ParameterAttribute]) {
                        $how = 0
                        if ($attribute.Mandatory) { $how = 1 }
                        if ($attribute.ValueFromPipeline) { $how += 2 }
                        if ($attribute.ValueFromPipelineByPropertyName) { $how += 4 }
                        if ($attribute.ValueFromRemainingArguments) { $how += 8 }
                        if ($attribute.DontShow) { $flags = $flags -bor 4 }
                        $set = $attribute.ParameterSetName.Replace('\', '\\')
                        if ($places) { $places += ',' }
                        $places += '["{0}",{1},{2}]' -f $set.Replace('"', '\"'),
                            ([string] $attribute.Position), $how
                        continue
                    }
                    $kind = $kinds[$attribute.GetType()]
                    if ($null -eq $kind) { $kind = & $addKind $attribute }
                    if (-not $kind) { continue }
                    if ($kind -eq 'Transform') { $flags = $flags -bor 2; continue }
                    if ($kind -eq 'ArgumentCompletions') {
                        $offered = $attribute.CompleteArgument('', '', '', $null, @{})
                        $completions = (& $quoteAll @(foreach ($one in $offered) {
                            $one.ListItemText
                        })).Trim('[', ']')
                        continue
                    }
                    if ($checks) { $checks += ',' }
                    if ($kind[0] -eq '[') { $checks += $kind; continue }
                    # Where only the host can tell, the attribute's name says that.
                    $takes = 'HostOnly', $attribute.GetType().FullName
                    if ($kind -eq 'ValidateSet') {
                        # Values that a class computes may be others tomorrow.
                        if (-not ($generator -and $generator.GetValue($attribute))) {
                            $case = [int] $attribute.IgnoreCase
                            $takes = @($kind, $case) + $attribute.ValidValues
                        }
                    }
                    elseif ($kind -eq 'ValidatePattern') {
                        $options = [int] $attribute.Options
                        $takes = $kind, $attribute.RegexPattern, $options
                    }
                    elseif ($kind -ne 'ValidateRange') {
                        $takes = $kind, $attribute.MinLength, $attribute.MaxLength
                    }
                    elseif ($null -ne $attribute.MinRange) {
                        $least = $attribute.MinRange
                        $most = $attribute.MaxRange
                        $of = $least.GetType()
                        # Two types of number compare as arithmetic promotes them.
                        if ($of -ne $most.GetType()) {
                            $of = ($least * 0 + $most * 0).GetType()
                        }
                        # Some languages write even a minus in another way.
                        $format = '{0:' + $formats[$of.Name] + '}'
                        $least = [string]::Format($invariant, $format, $least)
                        $most = [string]::Format($invariant, $format, $most)
                        $takes = $kind, $of.FullName, $least, $most
                    }
                    elseif ($rangeKind) {
                        $takes = $kind, $rangeKind.GetValue($attribute, $null)
                    }
                    $takes = [string]::Join($nul, $takes).Replace('\', '\\')
                    $checks += '["' + $takes.Replace('"', '\"').Replace(
                        $nul, '","') + '"]'
                }
                $names = $names.Replace('\', '\\').Replace('"', '\"')
                $record = '["parameter",["{0}"],{1},{2},[{3}],[{4}],[{5}]],' -f
                    $names.Replace($nul, '","'), $type, $flags, $places, $checks,
                    $completions
                $number = $parameterNumbers[$record]
                if ($null -eq $number) {
                    $number = $parameterNumbers.Count
                    $parameterNumbers[$record] = $number
                    $null = $text.Append($record)
                }
                $number
            })

            $outputs = '[]'
            if ($target.OutputType.Count) {
                $outputs = & $quoteAll @(foreach ($one in $target.OutputType) {
                    if ($one.Type) { $one.Type.ToString() } else { $one.Name }
                })
            }
            $texts = $command.Name, $command.ModuleName, $resolved, $binding.HelpUri,
                $binding.DefaultParameterSetName, $binding.ConfirmImpact
            $texts = [string]::Join($nul, $texts).Replace('\', '\\')
            $texts = $texts.Replace('"', '\"').Replace($nul, '","')
            $record = '["command",{0:d},{1},["{2}"],{3},[{4}]],' -f
                $command.CommandType, $says, $texts, $outputs,
                [string]::Join(',', $numbers)
            $null = $text.Append($record)
            $count.command += 1
            $from = $command.Module
            if ($from -and -not $modules[$from.Name]) {
                $modules[$from.Name] = $true
                & $put 'module' (& $quoteAll $from.Name, $from.Version, $from.Guid)
            }
            if ($text.Length -gt 32768) { & $flush }
        }
        catch { & $putTrouble 'failed' $command.Name $_ } }
    }

    # ---- Views -----------------------------------------------------------------------

    $addViews = {
        $how = @{ TypeName = $FormatTypeName }
        # Without a version a host leaves out what old clients cannot read.
        $asked = 'Microsoft.PowerShell.Utility\Get-FormatData'
        if ($invoke.GetCommand($asked, 'Cmdlet').Parameters['PowerShellVersion']) {
            $how.PowerShellVersion = $ClientVersion
        }
        foreach ($one in Microsoft.PowerShell.Utility\Get-FormatData @how) {
            try { & $put 'view' (& $clixml $one) }
            catch { & $putTrouble 'failed' $one.TypeName $_ }
            if ($out.Length -gt 262144) { & $flush }
        }
    }

    # ---- Help ------------------------------------------------------------------------

    # Turkish has two letters i.
    $mark = [regex] ('(?i)' + ('\.(synopsis|description|parameter|example|inputs|out' +
        'puts|notes|link|externalhelp|forwardhelptargetname)\b').Replace('i', '[iI]'))
    $commentBefore = [regex] '(<#((?!#>)[\s\S])*#>|(?m:^[ \t]*#[^\n]*\n)+)\s*\z'
    $helpFiles = @{}

    # The help in a function's comment; nothing if there is none. To find it, PowerShell
    # reads the whole file for each function, so it is given a file of just this one.
    $commentHelp = {
        param($ast, $file)
        $start = $ast.Extent.StartOffset
        $from = [Math]::Max(0, $start - 20000)
        $text = $commentBefore.Match($file.Substring($from, $start - $from)).Value +
            $ast.Extent.Text
        if (-not $mark.IsMatch($text)) { return }
        if ($ast -is [Management.Automation.Language.FunctionDefinitionAst]) {
            $tokens = $troubles = $null
            $ast = [Management.Automation.Language.Parser]::ParseInput(
                $text, [ref] $tokens, [ref] $troubles).EndBlock.Statements[0]
        }
        $ast.GetHelpContent()
    }

    # What a comment does not tell of parameters: name, default, whether wildcards go.
    $declared = {
        param($ast)
        $all = $ast.Parameters
        if ($ast.Body) { $ast = $ast.Body }
        if (-not $all) { $all = $ast.ParamBlock.Parameters }
        foreach ($one in $all) {
            $one.Name.VariablePath.UserPath
            $default = $one.DefaultValue.Value
            if ($null -eq $default) { $default = $one.DefaultValue.Extent.Text }
            [string] $default
            [string] [bool] ($one.Attributes -match '^\[SupportsWildcards')
        }
    }

    # Whether a module may have help in files: to ask for each function is slow.
    $hasHelpFiles = {
        param($of)
        $has = [bool] $of.HelpInfoUri
        try {
            # They are in a folder for each language.
            foreach ($folder in [IO.Directory]::GetDirectories($of.ModuleBase)) {
                $has = $has -or [IO.Directory]::GetFiles($folder, '*help.xml').Length
            }
        }
        catch { $has = $true }
        $helpFiles[$of.Name] = $has
        $has
    }

    # Tells the help of the commands; of most functions there is none.
    $addHelp = {
        param($found)
        $last = $marked = $null
        foreach ($command in $found) { try {
            if ($command.CommandType -match 'Alias|Application') { continue }
            $script = $command.ScriptBlock
            if ($script) {
                $told = $null
                $file = $script.Ast.Extent.StartScriptPosition.GetFullScript()
                if (-not [object]::ReferenceEquals($file, $last)) {
                    $last = $file
                    $marked = $mark.IsMatch($file)
                }
                if ($marked) { $told = & $commentHelp $script.Ast $file }
                $elsewhere = $told.MamlHelpFile -or $told.ForwardHelpTargetName
                if ($told -and -not $elsewhere) {
                    $count.help += 1
                    $more = & $quoteAll @(& $declared $script.Ast)
                    & $put 'comment' ((& $quote $command.Name) + ',' +
                        (& $clixml $told) + ',' + $more)
                }
                $files = $false
                if (-not $told -and $command.Module) {
                    $files = $helpFiles[$command.ModuleName]
                    if ($null -eq $files) { $files = & $hasHelpFiles $command.Module }
                }
                if (-not $elsewhere -and -not $files) { continue }
            }
            $what = [Management.Automation.WildcardPattern]::Escape($command.Name)
            if ($command.ModuleName) { $what = $command.ModuleName + '\' + $what }
            $category = $command.CommandType
            $topic = @(Microsoft.PowerShell.Core\Get-Help -Name $what `
                -Category $category -ErrorAction Ignore)
            # What PowerShell makes up from the syntax tells nothing new.
            if ($topic.Count -eq 1 -and
                $topic[0].PSTypeNames -contains 'MamlCommandHelpInfo') {
                & $put 'help' ((& $quote $command.Name) + ',' + (& $clixml $topic[0]))
            }
            if ($out.Length -gt 32768) { & $flush }
        }
        catch { & $putTrouble 'failed' $command.Name $_ } }
    }

    # ---- The answer ------------------------------------------------------------------

    try {
        $types = $CommandType -band [int] [Management.Automation.CommandTypes]::All
        $specifications = @(foreach ($one in $FullModule) {
            if ($one.Count -eq 2) { $one[1]; continue }    # just a name
            $specification = @{}
            for ($at = 0; $at -lt $one.Count; $at += 2) {
                $specification[$one[$at]] = $one[$at + 1]
            }
            $specification
        })
        $nowhere = @{}
        $seen = @{}
        $found = @()
        if ($Name -and $types) {
            & $importModules
            $found = @(foreach ($one in & $findCommands) {
                # A session may keep commands to itself.
                $is = $one.Visibility -eq 'Public' -and $one.CommandType -band $types
                $key = '{0} {1}\{2}' -f $one.CommandType, $one.ModuleName, $one.Name
                if ($is -and -not $seen[$key]) { $seen[$key] = $one; $one }
            })
        }
        & $put 'expect' ([string] $found.Count)
        & $addCommands $found $out $nul
        if ($FormatTypeName) { & $addViews }
        if ($Help) { & $addHelp $found }
        & $put 'end' ($count.command, $count.view, $count.help, $count.failed -join ',')
        & $flush
    }
    finally {
        # A full list forgets old errors for new ones, so it is put back as it was.
        $Error.Clear()
        $Error.AddRange($errorsBefore)
    }
} @args
