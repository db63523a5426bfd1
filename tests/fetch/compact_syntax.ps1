# What the compact road's script is written with, so that a test can say whether the
# oldest PowerShell that it is for knows all of it.
param([string] $File)
$tokens = $errors = $null
$ast = [System.Management.Automation.Language.Parser]::ParseFile(
    $File, [ref] $tokens, [ref] $errors)
function All([type] $type, [scriptblock] $what) {
    $found = $ast.FindAll({ $args[0] -is $type }.GetNewClosure(), $true)
    @($found | ForEach-Object $what | Sort-Object -Unique)
}
@{
    errors = @($errors | ForEach-Object Message)
    nodes = All ([System.Management.Automation.Language.Ast]) { $_.GetType().Name }
    tokens = @($tokens | ForEach-Object { [string] $_.Kind } | Sort-Object -Unique)
    commands = All ([System.Management.Automation.Language.CommandAst]) {
        $_.GetCommandName() }
    types = @(
        All ([System.Management.Automation.Language.TypeExpressionAst]) {
            $_.TypeName.FullName }
        All ([System.Management.Automation.Language.TypeConstraintAst]) {
            $_.TypeName.FullName }
    )
    members = All ([System.Management.Automation.Language.MemberExpressionAst]) {
        $call = if ($_ -is [System.Management.Automation.Language.InvokeMemberExpressionAst]) { '()' }
        $of = if ($_.Static) { "$($_.Expression)::" }
        "$of$($_.Member.Value)$call"
    }
    modules = All ([System.Management.Automation.Language.ScriptBlockAst]) {
        $_.ScriptRequirements } | ForEach-Object { [string] $_ }
} | ConvertTo-Json -Depth 3 -Compress
