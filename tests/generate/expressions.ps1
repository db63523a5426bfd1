# What the tests of expressions ask the engine.
#
#   -Compare FILE  values of every kind, by a script and by the rewritten one
#   -Inspect FILE  what is in rewritten scripts that should not be there
#
# FILE is JSON: pairs of a script and its rewritten text, or texts.
param([string] $Compare, [string] $Inspect)

function Test-Shape([string[]] $Texts) {
    $allowed = 'ScriptBlockAst', 'NamedBlockAst', 'PipelineAst', 'CommandExpressionAst',
        'IfStatementAst', 'StatementBlockAst', 'SubExpressionAst', 'ParenExpressionAst',
        'MemberExpressionAst', 'InvokeMemberExpressionAst', 'VariableExpressionAst',
        'StringConstantExpressionAst', 'ConstantExpressionAst', 'BinaryExpressionAst',
        'UnaryExpressionAst', 'ConvertExpressionAst', 'TypeConstraintAst', 'IndexExpressionAst',
        'TypeExpressionAst', 'ArrayLiteralAst'
    foreach ($text in $Texts) {
        $errors = $null
        $ast = [Management.Automation.Language.Parser]::ParseInput($text, [ref]$null, [ref]$errors)
        if ($errors) { "ERROR $text" }
        foreach ($node in $ast.FindAll({ $true }, $true)) {
            $name = $node.GetType().Name
            if ($allowed -notcontains $name) { "$name $text" }
            if ($name -eq 'VariableExpressionAst' -and
                $node.VariablePath.UserPath -notin '_', 'null', 'true', 'false') { "VARIABLE $text" }
            if ($name -eq 'InvokeMemberExpressionAst' -and ($node.Static -or
                $node.Member.Value -notmatch '^(To|Replace$|Trim)')) { "METHOD $text" }
        }
    }
}

if ($Inspect) {
    Test-Shape ([IO.File]::ReadAllText($Inspect) | ConvertFrom-Json)
    'done'
    return
}

$pairs = [IO.File]::ReadAllText($Compare) | ConvertFrom-Json
Invoke-Expression 'enum Own { Zero; One; Two }; [Flags()] enum OwnFlags { A = 1; B = 2 }'
class Named { [int] $A = 5; [string] ToString() { return 'Named!' } }
function New-List([type] $Type, [object[]] $Items) {
    $list = ([Collections.Generic.List`1].MakeGenericType($Type))::new()
    foreach ($item in $Items) { $list.Add($item) }
    , $list
}
$table = [Collections.Generic.Dictionary[string, int]]::new(); $table['k'] = 1
$values = @(
    $null, '', 'one', 'some text', 0, 1, -3, 1234567, 2.5, [decimal]3.5, [single]0.25,
    [long]5000000000, $true, $false, [char]'x', [datetime]'2024-02-03T04:05:06',
    [timespan]'1.02:03:04', [guid]::Empty, [version]'1.2.3', [uri]'http://a/b',
    [Own]::Zero, [Own]::One, [Own]::Two, [OwnFlags]3, [switch] $true, [switch] $false,
    [datetimeoffset]'2024-03-01 12:00', [bigint]0, [bigint]77, [Named]::new(),
    [ipaddress]'1.2.3.4', [int], @(), @('one'), @('one', 'two'), @($false), @{ a = 1 },
    $table, (New-List ([string]) @()), (New-List ([int]) @(0)), [byte[]](1, 2),
    [pscustomobject]@{ A = 1; B = [Own]::One }
)
# Numbers and dates as no invariant culture has them.
$culture = [cultureinfo]::InvariantCulture.Clone()
$culture.NumberFormat.NumberDecimalSeparator = ','
$culture.DateTimeFormat.ShortDatePattern = 'dd.MM.yyyy'
[Threading.Thread]::CurrentThread.CurrentCulture = $culture

function Get-Text($Object, [string] $Script) {
    $block = [scriptblock]::Create($Script)
    # As the formatter does it: errors give nothing, one value stands alone.
    $result = try { $Object | ForEach-Object $block 2>$null } catch { $null }
    $text = [pscustomobject]@{ r = $result } | Format-List | Out-String -Width 300
    ($text.Trim() -replace '^r\s*:\s?').Trim()
}
$at = 0
foreach ($value in $values) {
    foreach ($depth in 1, 2) {
        $here = [pscustomobject]@{ X = $value; N = 3; O = [pscustomobject]@{ X = $value } }
        $text = [Management.Automation.PSSerializer]::Serialize($here, $depth)
        $there = [Management.Automation.PSSerializer]::Deserialize($text)
        foreach ($pair in $pairs) {
            $printed = Get-Text $here $pair.script
            $client = Get-Text $there $pair.rewritten
            [ordered]@{
                value = $at; type = "$(if ($null -ne $value) { $value.GetType() })"
                depth = $depth; script = $pair.script; host = $printed; client = $client
            } | ConvertTo-Json -Compress
        }
    }
    $at++
}
