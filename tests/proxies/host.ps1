# The host of the call table: commands of every kind that a proxy has to stand for.

# Says what arrived, type and all, so that a change on the way is seen.
function global:Show-Value {
    param($Value, $Depth = 0)
    if ($null -eq $Value) { return 'null' }
    if ($Depth -gt 5) { return '...' }
    $base = $Value
    if ($Value -is [psobject]) { $base = $Value.psobject.BaseObject }
    if ($base -is [string]) { return "s'$base'" }
    if ($base -is [switch]) { return "switch:$([bool]$base)" }
    if ($base -is [datetime]) { return 'date:' + $base.ToUniversalTime().ToString('o') }
    if ($base -is [securestring]) {
        return 'secure:' + [System.Net.NetworkCredential]::new('', $base).Password
    }
    if ($base -is [pscredential]) {
        return "cred:$($base.UserName):$($base.GetNetworkCredential().Password)"
    }
    if ($base -is [scriptblock]) { return "block{$base}" }
    if ($base -is [System.Collections.IDictionary]) {
        $keys = @($base.Keys) | Sort-Object { "$_" }
        return '@{' + (@($keys | ForEach-Object {
                    "$_=" + (Show-Value $base[$_] ($Depth + 1)) }) -join ';') + '}'
    }
    if ($base -is [xml]) { return 'xml:' + $base.OuterXml }
    if ($base -is [System.Collections.IEnumerable]) {
        return '[' + (@(foreach ($one in $base) { Show-Value $one ($Depth + 1) }) -join ',') + ']'
    }
    if ($base.GetType().IsPrimitive -or $base -is [decimal] -or $base -is [enum]) {
        return "$($base.GetType().Name):" +
            ([System.IConvertible]$base).ToString([cultureinfo]::InvariantCulture)
    }
    if ($base.GetType().FullName -eq 'System.Management.Automation.PSCustomObject') {
        return '{' + (@($Value.psobject.Properties | ForEach-Object {
                    "$($_.Name)=" + (Show-Value $_.Value ($Depth + 1)) }) -join ';') + '}'
    }
    "$($base.GetType().FullName):$base"
}
function global:Show-Bound {
    param($Bound)
    (@($Bound.Keys | Sort-Object | ForEach-Object { "$_=" + (Show-Value $Bound[$_]) }) -join ' ')
}

# Simple ones.
function Get-Simple { "args=$(Show-Value $args)" }
function Get-SimpleNamed { param($First, $Second = 'two') "First=$(Show-Value $First) Second=$(Show-Value $Second) args=$(Show-Value $args)" }
function Get-SimpleTyped { param([int]$Number, [string]$Word, [switch]$Flag) "Number=$(Show-Value $Number) Word=$(Show-Value $Word) Flag=$(Show-Value $Flag) args=$(Show-Value $args)" }
function Get-SimpleInput { "input=$(Show-Value @($input)) args=$(Show-Value $args)" }
function Get-SimpleSplat { Get-SimpleTyped @args }
function Get-SimpleVerb { param($Var) "Var=$(Show-Value $Var) args=$(Show-Value $args)" }
filter Get-Filtered { "item=$(Show-Value $_)" }
filter Get-FilteredArgs { param($Prefix) "$Prefix$_ args=$(Show-Value $args)" }
function Get-Three { begin { 'begin' } process { "process $(Show-Value $_)" } end { 'end' } }
function Get-SimpleBlock { param($Block, $Value) & $Block $Value }
function Get-SimpleStreams { 'out'; Write-Error 'simple error' -ErrorId SimpleId; Write-Warning 'simple warning'; 'more' }
function Get-SimpleThrow { 'before'; throw 'simple throw' }
function Get-Nothing { }
function Get-NullValue { $null }
function Get-Arrays { , @(1, 2); , @(); , @(, 3); @(4, 5) }
function Get-Age { param($Age) "Age=$(Show-Value $Age) args=$(Show-Value $args)" }

# Advanced ones.
function Get-Adv { [CmdletBinding()] param([int]$Id, [string]$Name, [object]$Any) Show-Bound $PSBoundParameters }
function Get-Positional { [CmdletBinding()] param([Parameter(Position = 1)]$B, [Parameter(Position = 0)]$A, $C) Show-Bound $PSBoundParameters }
function Get-NoPosition { [CmdletBinding(PositionalBinding = $false)] param($A, $B) Show-Bound $PSBoundParameters }
function Get-Mandatory { [CmdletBinding()] param([Parameter(Mandatory)][string]$Name, [int]$Level) Show-Bound $PSBoundParameters }
function Get-AllowEmpty { [CmdletBinding()] param([Parameter(Mandatory)][AllowEmptyString()][string]$Text, [AllowNull()][Parameter(Mandatory)]$Thing) Show-Bound $PSBoundParameters }
function Get-Sets {
    [CmdletBinding(DefaultParameterSetName = 'ByName')]
    param([Parameter(ParameterSetName = 'ByName', Position = 0)][string]$Name,
        [Parameter(ParameterSetName = 'ById', Mandatory)][int]$Id, [switch]$Force)
    "$($PSCmdlet.ParameterSetName) $(Show-Bound $PSBoundParameters)"
}
function Get-TypeSets {
    [CmdletBinding()]
    param([Parameter(ParameterSetName = 'Number', Position = 0, Mandatory)][int]$Number,
        [Parameter(ParameterSetName = 'Date', Position = 0, Mandatory)][datetime]$Date)
    "$($PSCmdlet.ParameterSetName) $(Show-Bound $PSBoundParameters)"
}
function Get-OddTypeSets {
    [CmdletBinding()]
    param([Parameter(ParameterSetName = 'Day', Position = 0, Mandatory)][System.DayOfWeek]$Day,
        [Parameter(ParameterSetName = 'Word', Position = 0, Mandatory)][string]$Word)
    "$($PSCmdlet.ParameterSetName) $(Show-Bound $PSBoundParameters)"
}
function Get-Pipe { [CmdletBinding()] param([Parameter(ValueFromPipeline)]$InputObject, $Tag) begin { "begin $Tag" } process { "process $(Show-Value $InputObject)" } end { 'end' } }
function Get-PipeTyped { [CmdletBinding()] param([Parameter(ValueFromPipeline, Mandatory)][int]$Number) process { "n=$(Show-Value $Number)" } }
function Get-ByName { [CmdletBinding()] param([Parameter(ValueFromPipelineByPropertyName)][string]$Name, [Parameter(ValueFromPipelineByPropertyName)][Alias('Size')][int]$Length) process { "Name=$Name Length=$Length" } }
function Get-PipeSets {
    [CmdletBinding(DefaultParameterSetName = 'None')]
    param([Parameter(ParameterSetName = 'Obj', ValueFromPipeline)][version]$Version,
        [Parameter(ParameterSetName = 'Text', ValueFromPipeline)][string]$Text)
    process { "$($PSCmdlet.ParameterSetName) $(Show-Bound $PSBoundParameters)" }
}
function Get-Rest { [CmdletBinding()] param([Parameter(Position = 0)]$First, [Parameter(ValueFromRemainingArguments)]$Others) "First=$(Show-Value $First) Others=$(Show-Value $Others)" }
function Get-RestTyped { [CmdletBinding()] param([Parameter(ValueFromRemainingArguments)][string[]]$Names) "Names=$(Show-Value $Names)" }
function Get-Aliased { [CmdletBinding()] param([Alias('CN', 'Server')][string]$ComputerName, [Alias('n')]$Number) Show-Bound $PSBoundParameters }
function Get-Valid {
    [CmdletBinding()]
    param([ValidateSet('One', 'Two', 'Three Words')][string]$Choice, [ValidateRange(1, 10)][int]$Range,
        [ValidateLength(2, 4)][string]$Length, [ValidatePattern('^a+$')][string]$Pattern,
        [ValidateCount(1, 2)][string[]]$Count, [ValidateNotNullOrEmpty()][string]$Filled,
        [ValidateScript({ $_ -gt 5 })][int]$Script, [ValidateNotNull()]$Some)
    Show-Bound $PSBoundParameters
}
function Get-Enum { [CmdletBinding()] param([System.DayOfWeek]$Day, [System.IO.FileAttributes]$Attributes, [System.ConsoleColor[]]$Colors) Show-Bound $PSBoundParameters }
function Get-Types {
    [CmdletBinding()]
    param([bool]$Bool, [byte]$Byte, [long]$Long, [double]$Double, [decimal]$Decimal, [char]$Char,
        [datetime]$Date, [timespan]$Span, [guid]$Guid, [uri]$Uri, [version]$Version, [xml]$Xml,
        [hashtable]$Table, [int[]]$Numbers, [string[]]$Words, [byte[]]$Bytes, [scriptblock]$Block,
        [Nullable[int]]$Maybe, [regex]$Regex, [bigint]$Big, [psobject]$Object, [switch]$Switch,
        [pscredential]$Credential, [securestring]$Secret, [ipaddress]$Address, [type]$Type, [array]$List)
    Show-Bound $PSBoundParameters
}
function Get-Dynamic {
    [CmdletBinding()] param([string]$Kind)
    dynamicparam {
        $all = [System.Management.Automation.RuntimeDefinedParameterDictionary]::new()
        if ($Kind -eq 'extra') {
            $attributes = [System.Collections.ObjectModel.Collection[System.Attribute]]::new()
            $attributes.Add([System.Management.Automation.ParameterAttribute]::new())
            $all.Add('Extra', [System.Management.Automation.RuntimeDefinedParameter]::new('Extra', [string], $attributes))
        }
        $all
    }
    end { Show-Bound $PSBoundParameters }
}
function Get-Paged { [CmdletBinding(SupportsPaging)] param() "First=$($PSCmdlet.PagingParameters.First) Skip=$($PSCmdlet.PagingParameters.Skip) Total=$($PSCmdlet.PagingParameters.IncludeTotalCount)" }
function Remove-Thing { [CmdletBinding(SupportsShouldProcess, ConfirmImpact = 'Medium')] param([string]$Name) if ($PSCmdlet.ShouldProcess($Name, 'Remove')) { "removed $Name" } else { "kept $Name" } }
function Remove-HighThing { [CmdletBinding(SupportsShouldProcess, ConfirmImpact = 'High')] param([string]$Name) if ($PSCmdlet.ShouldProcess($Name)) { "removed $Name" } else { "kept $Name" } }
function Get-Streams { [CmdletBinding()] param([int]$Times = 1) foreach ($i in 1..$Times) { "out $i"; Write-Warning "warning $i"; Write-Verbose "verbose $i"; Write-Error "error $i" -ErrorId "Id$i" -Category ObjectNotFound -TargetObject "target $i"; Write-Information "info $i"; "after $i" } }
function Get-Terminating { [CmdletBinding()] param() 'before'; $PSCmdlet.ThrowTerminatingError([System.Management.Automation.ErrorRecord]::new([System.InvalidOperationException]::new('terminated'), 'TermId', 'InvalidOperation', 'the target')) }
function Get-Thrown { [CmdletBinding()] param() 'before'; throw 'thrown text' }
function Get-ThrownType { [CmdletBinding()] param() throw [System.ArgumentException]::new('bad argument') }
function Get-NonTerminating { [CmdletBinding()] param() 'one'; Write-Error 'first' -ErrorId One; 'two'; Write-Error 'second' -ErrorId Two; 'three' }
function Get-DivideByZero { [CmdletBinding()] param() 'x'; 1 / 0; 'y' }
function Get-Objects { [CmdletBinding()] param([int]$Count = 2) foreach ($i in 1..$Count) { [pscustomobject]@{ Name = "n$i"; Value = $i; Inner = [pscustomobject]@{ Deep = $i } } } }
function Get-Numbers { [CmdletBinding()] param([int]$Count = 5) foreach ($i in 1..$Count) { $i } }
function Get-Counted { [CmdletBinding()] param() foreach ($i in 1..2000) { $global:Counted = $i; $i; Start-Sleep -Milliseconds 5 } }
function Get-CountedSoFar { $global:Counted }
function Get-Endless { [CmdletBinding()] param([Parameter(ValueFromPipeline)]$InputObject) process { $InputObject } }
function Get-Übergröße { [CmdletBinding()] param([string]$Größe) "Größe=$Größe ✓" }
function Get-OddNames { [CmdletBinding()] param($PSItem, $Matches, $Error_, $Call, $Name_) Show-Bound $PSBoundParameters }
function Get-Prefixes { [CmdletBinding()] param([string]$Alpha, [string]$Assets, [string]$Parallel, [string]$PSPathLike) Show-Bound $PSBoundParameters }
function Do-Something { 'bad verb' }
function Get-Dotted.Name { "dotted $(Show-Value $args)" }
function tool.exe { "tool $(Show-Value $args)" }
function Get-Job { 'the host''s Get-Job' }
function Where-Object { 'the host''s Where-Object' }
function Get-Splatted { [CmdletBinding()] param($A, $B, [switch]$C) Show-Bound $PSBoundParameters }
function Get-Defaulted { [CmdletBinding()] param($A = 'host default', $B = (1 + 1)) "A=$(Show-Value $A) B=$(Show-Value $B)" }
function Get-Formatted { [CmdletBinding()] param() [pscustomobject]@{ PSTypeName = 'Test.Formatted'; A = 1; B = 'two' } }
function Get-Nested { [CmdletBinding()] param([Parameter(ValueFromPipeline)]$X) process { "nested $X" } }
function Get-ConstrainedRest { [CmdletBinding()] param([Parameter(Mandatory, Position = 0)][string]$Verb, [Parameter(ValueFromRemainingArguments)][object[]]$Rest) "Verb=$Verb Rest=$(Show-Value $Rest)" }
# What a list, an enum or a big number has become on the way shows in its type alone.
function Get-Kinds {
    [CmdletBinding()]
    param([Parameter(ValueFromPipeline, Position = 0)]$Any, [System.Collections.Generic.List[int]]$List)
    begin {
        function Show-Kind($Value) {
            if ($null -eq $Value) { return 'null' }
            if ($Value -is [psobject]) { $Value = $Value.psobject.BaseObject }
            $kind = $Value.GetType().Name
            if ($Value -is [System.Collections.IDictionary]) {
                return $kind + '{' + (@($Value.Keys | Sort-Object | ForEach-Object { "$_=" + (Show-Kind $Value[$_]) }) -join ';') + '}'
            }
            if ($Value -is [string] -or $Value -isnot [System.Collections.IEnumerable]) { return "$kind`:$Value" }
            $kind + '(' + (@(foreach ($one in $Value) { Show-Kind $one }) -join ',') + ')'
        }
    }
    process { "$(Show-Kind $Any) $(Show-Kind $List)" }
}
function Get-SimpleKinds { "$($args.Length) $($args[0].Length) $($args[0] -is [array])" }
function Get-StopInside { [CmdletBinding()] param() Write-Error 'stop inside' -ErrorAction Stop; 'after' }
function Get-StopPreference { [CmdletBinding()] param() $ErrorActionPreference = 'Stop'; 1 / 0; 'after' }
function Get-SimpleCommon { param($Verbose, $Other, $ErrorAction, $wv) "Verbose=$Verbose Other=$Other ErrorAction=$ErrorAction wv=$wv args=$args" }
function Get-SimpleDivide { 1 / 0; 'after' }
Set-Alias gsimple Get-Simple
Set-Alias gadv Get-Adv
