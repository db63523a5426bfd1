# Walks the syntax tree of PowerShell files and names what breaks a rule, a line each.
#
# -Edition: what Windows PowerShell 5.1 cannot read or does not have.
# -Style: what PSScriptAnalyzer would remark on.
param([string[]] $Path, [switch] $Edition, [switch] $Style)

$language = 'System.Management.Automation.Language'

# Tokens, tree nodes and escapes that came after 5.1.
$newTokens = 'QuestionMark', 'QuestionQuestion', 'QuestionQuestionEquals', 'QuestionDot',
    'QuestionLBracket', 'AndAnd', 'OrOr', 'Ampersand', 'Clean'
$newNodes = 'TernaryExpressionAst', 'PipelineChainAst'
# Types of .NET that a plain Windows PowerShell 5.1 has, by full name or as a shortcut.
$oldTypes = -split @'
array bool byte char cultureinfo datetime double guid hashtable int long object ordered
powershell pscredential psobject pscustomobject ref regex scriptblock securestring string
switch type uri version void xml Environment Console Math WildcardPattern enum decimal single
System.Boolean System.Byte System.Char System.DateTime System.Decimal System.Double
System.Guid System.Int16 System.Int32 System.Int64 System.SByte System.Single
System.TimeSpan System.UInt16 System.UInt32 System.UInt64 sbyte timespan ipaddress
initialsessionstate runspacefactory Nullable
CmdletBinding Parameter Alias OutputType AllowNull AllowEmptyString AllowEmptyCollection
ValidateNotNull ValidateNotNullOrEmpty ValidateCount ValidateLength ValidateRange
ValidatePattern ArgumentCompleter Diagnostics.CodeAnalysis.SuppressMessageAttribute
System.Collections.ArrayList System.Collections.IDictionary System.Collections.IList
System.Collections.Concurrent.BlockingCollection
System.Collections.Specialized.OrderedDictionary System.DllNotFoundException
System.EventHandler`1 System.Func`3 System.Linq.Expressions.Expression
System.Linq.Expressions.ParameterExpression System.StringComparer System.Threading.Thread
System.NotImplementedException System.Tuple
'@
# Namespaces that 5.1 has, as far as the runtime uses them, by its own reference pages.
$oldTypes += -split @'
CmdletBindingAttribute CommandInfo DataAddedEventArgs ErrorCategory ErrorRecord Job
PSDataCollection PSInvocationSettings PSInvocationStateChangedEventArgs PSNoteProperty
RemoteException RuntimeException
Host.PSHost Language.ScriptExtent Language.ScriptPosition
Remoting.PSRemotingTransportException Remoting.PSSessionOption
Runspaces.PSSession Runspaces.PowerShellProcessInstance
'@ | ForEach-Object { "System.Management.Automation.$_" }
# Of the commands that the runtime calls, the parameters that 5.1 does not have.
$newParameters = 'Parallel', 'ProgressAction', 'AsByteStream', 'NullTerminated', 'HostName'

# Numbers as 5.1 writes them: no 1u, 1y, 1s, 1n, 0b1.
$oldNumber = '^-?(0x[0-9a-f]+|[0-9]*\.?[0-9]*(e[-+]?[0-9]+)?)[dl]?([kmgtp]b)?$'
# Methods and how many arguments they are called with, each looked up in the reference
# of .NET Framework 4.5 or of Windows PowerShell 5.1. One that is new here is looked up
# before it is added: of many, .NET has more overloads now.
$oldMethods = -split @'
Add/1 AddArgument/1 AddCommand/1 AddMilliseconds/1 AddParameter/2 AddRange/1 AddScript/2
add_DataAdded/1 add_InvocationStateChanged/1 BeginInvoke/5 BeginStop/2 Call/2 Call/3
Clear/0 CloseAsync/0 Compile/0 Complete/0 Contains/1 ContainsKey/1 Convert/2 Create/0
Create/1 CreateOutOfProcessRunspace/2 CreateRunspace/1 Dispose/0 EndsWith/1 Equals/2
Escape/1 Exists/1 GetApplicationPrivateData/0 GetBaseException/0 GetCommandLineArgs/0
GetCommands/3 GetEnvironmentVariables/0 GetMethod/1 GetMethod/2 GetMethods/0
GetParameters/0 GetType/0 GetValue/1 GetVariable/1 Invoke/0 Invoke/2 Lambda/3
MakeGenericMethod/2 MakeGenericType/1 MakeGenericType/3 Max/2 Min/2 new/0 new/1 new/2
new/4 Open/0 OpenAsync/0 Parameter/2 PromptForCredential/4 Property/2 ReferenceEquals/2
Remove/1 Remove/2 RemoveAt/1 Set/2 Sleep/1 Sort/1 Split/1 StartsWith/2 SubscribeEvent/7
Substring/1 ThrowTerminatingError/1 ToArray/0 ToString/2 ToUpperInvariant/0 Trim/1
TrimEnd/0 TrimEnd/1 TrimEnd/2 TryParse/2 TryTake/2 UnsubscribeEvent/1 WaitOne/1
WriteDebug/1 WriteError/1 WriteInformation/1 WriteObject/2 WriteProgress/1
WriteVerbose/1 WriteWarning/1
'@
# Commands of 5.1 and their parameters, in the same way.
$oldCommands = @{
    'Microsoft.PowerShell.Core\Export-ModuleMember' = 'Function', 'Alias'
    'Microsoft.PowerShell.Core\Get-PSSession' = @()
    'Microsoft.PowerShell.Core\Import-Module' = 'Name', 'ErrorAction'
    'Microsoft.PowerShell.Core\Invoke-Command' = @()
    'Microsoft.PowerShell.Core\Remove-PSSession' = @('Session')
    'Microsoft.PowerShell.Core\Set-StrictMode' = @('Off')
    'Microsoft.PowerShell.Utility\Set-Alias' = 'Name', 'Value', 'Scope'
    'Microsoft.PowerShell.Utility\Write-Information' = @('Tags')
    'Microsoft.PowerShell.Utility\Write-Verbose' = @()
    'Microsoft.PowerShell.Utility\Write-Warning' = @('WarningAction')
}

$automatic = -split @'
args ConsoleFileName error event EventArgs EventSubscriber ExecutionContext false foreach
home host input LastExitCode matches MyInvocation NestedPromptLevel PID profile
PSBoundParameters PSCmdlet PSCommandPath PSCulture PSDebugContext PSHome PSItem
PSScriptRoot PSSenderInfo PSUICulture PSVersionTable pwd sender ShellId StackTrace switch
this true
'@
$verbs = foreach ($group in -split 'Common Data Lifecycle Diagnostic Communications Security Other') {
    ([type] "System.Management.Automation.Verbs$group").GetFields().Name
}

foreach ($file in $Path) {
    $tokens = $null
    $errors = $null
    $tree = [System.Management.Automation.Language.Parser]::ParseFile(
        $file, [ref] $tokens, [ref] $errors)
    $name = [IO.Path]::GetFileName($file)
    function Say($Extent, $What) { "${name}:$($Extent.StartLineNumber): $What" }
    foreach ($one in $errors) { Say $one.Extent $one.Message }
    $all = $tree.FindAll({ $true }, $true)
    $own = @($all | Where-Object { $_ -is "$language.FunctionDefinitionAst" })

    if ($Edition) {
        $before = 'NewLine'
        foreach ($token in $tokens) {
            if ("$($token.Kind)" -eq 'Pipe' -and "$before" -eq 'NewLine') {
                Say $token.Extent 'a line that starts with |'
            }
            if ("$($token.Kind)" -ne 'Comment') { $before = $token.Kind }
            if ("$($token.Kind)" -eq 'Number' -and $token.Text -notmatch $oldNumber) {
                Say $token.Extent "number $($token.Text)"
            }
            if ("$($token.Kind)" -in $newTokens -and -not ("$($token.Kind)" -eq 'Ampersand' -and
                    $token.TokenFlags -band 'SpecialOperator')) { Say $token.Extent $token.Kind }
            if ($token -is "$language.StringExpandableToken" -and
                $token.Text -match '^[^`]*(``|`[^`eu])*`(e|u\{)') { Say $token.Extent 'escape' }
        }
        foreach ($node in $all) {
            $type = $node.GetType().Name
            if ($type -in $newNodes) { Say $node.Extent $type }
            if ($node -is "$language.PipelineAst" -and $node.Background) {
                Say $node.Extent 'background'
            }
            if ($node -is "$language.ScriptBlockAst" -and $node.CleanBlock) {
                Say $node.Extent 'clean block'
            }
            if ($node -is "$language.MemberExpressionAst" -and $node.NullConditional) {
                Say $node.Extent '?.'
            }
            if ($node -is "$language.InvokeMemberExpressionAst") {
                $method = "$($node.Member.Value)/$($node.Arguments.Count + 0)"
                if ($method -notin $oldMethods) { Say $node.Extent "method $method" }
                if ($node.GenericTypeArguments) { Say $node.Extent 'type arguments' }
            }
            if ($node -is "$language.BinaryExpressionAst" -and
                "$($node.Operator)" -eq 'DotDot' -and
                $node.Left -is "$language.StringConstantExpressionAst") {
                Say $node.Extent 'range of characters'
            }
            if ($node -is "$language.CommandAst" -and
                $node.GetCommandName() -match '\\') {
                $command = $node.GetCommandName()
                if (-not $oldCommands.ContainsKey($command)) {
                    Say $node.Extent "command $command"
                }
                foreach ($element in $node.CommandElements) {
                    if ($element -is "$language.CommandParameterAst" -and
                        $element.ParameterName -notin $oldCommands[$command]) {
                        Say $element.Extent "$command -$($element.ParameterName)"
                    }
                }
            }
            if ($node -is "$language.CommandParameterAst" -and
                $node.ParameterName -in $newParameters) {
                Say $node.Extent "-$($node.ParameterName)"
            }
            if ($node -is "$language.TypeExpressionAst" -or
                $node -is "$language.TypeConstraintAst" -or
                $node -is "$language.AttributeAst") {
                foreach ($word in $node.TypeName.FullName -split '[][, ]+' -ne '') {
                    if ($word -notin $oldTypes) { Say $node.Extent "type $word" }
                }
            }
        }
    }

    if ($Style) {
        $text = [IO.File]::ReadAllText($file)
        if ($text -match '[^\x00-\x7f]') { "${name}: not ASCII" }
        if ($text -match '(?m)[ \t]+$') { "${name}: white space at an end" }
        foreach ($node in $all) {
            if ($node -is "$language.CommandAst") {
                $word = $node.GetCommandName()
                $called = "$word" -replace '^.*\\'
                if ($word -and (Get-Alias $called -ErrorAction Ignore)) {
                    Say $node.Extent "alias $word"
                }
                if ($called -in 'Write-Host', 'Invoke-Expression') { Say $node.Extent $word }
                if ($word -and $word -notin $own.Name -and $word -notmatch '\\' -and
                    $word -notmatch '^Get-PSExport') { Say $node.Extent "bare $word" }
                $places = 0
                $taken = $false
                foreach ($element in $node.CommandElements | Select-Object -Skip 1) {
                    if ($element -is "$language.CommandParameterAst") {
                        $taken = -not $element.Argument
                    } else {
                        if (-not $taken) { $places++ }
                        $taken = $false
                    }
                }
                # The runtime's own calls of three are told apart by their order.
                if ($word -and $places -gt 3) { Say $node.Extent "$places positions" }
            }
            if ($node -is "$language.FunctionDefinitionAst") {
                if ($node.Name -notmatch '^(\w+)-\w+$' -or $Matches[1] -notin $verbs) {
                    Say $node.Extent "verb of $($node.Name)"
                }
                $help = $node.GetHelpContent()
                if (-not $help -or -not $help.Synopsis) { Say $node.Extent "$($node.Name): no help" }
                $used = @($node.Body.FindAll({ $args[0] -is
                            [System.Management.Automation.Language.VariableExpressionAst] }, $true) |
                        ForEach-Object { $_.VariablePath.UserPath })
                foreach ($parameter in $node.Body.ParamBlock.Parameters) {
                    $variable = $parameter.Name.VariablePath.UserPath
                    if (@($used -eq $variable).Count -lt 2) {
                        Say $parameter.Extent "-$variable of $($node.Name) is not used"
                    }
                }
            }
            if ($node -is "$language.CatchClauseAst" -and -not $node.Body.Statements) {
                Say $node.Extent 'empty catch'
            }
            if ($node -is "$language.AssignmentStatementAst" -and
                $node.Left -is "$language.VariableExpressionAst") {
                $variable = $node.Left.VariablePath.UserPath -replace '^script:'
                if ($variable -in $automatic) { Say $node.Extent "assigns `$$variable" }
                if ($node.Left.VariablePath.UserPath -like 'global:*') {
                    Say $node.Extent 'global variable'
                }
            }
            if ($node -is "$language.BinaryExpressionAst" -and
                "$($node.Operator)" -match 'eq$|ne$' -and $node.Right.Extent.Text -eq '$null') {
                Say $node.Extent '$null on the right'
            }
        }
    }
}
