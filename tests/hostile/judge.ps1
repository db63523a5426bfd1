# What the engine finds in modules that were made of a hostile host's answers.
#
# $Modules: a JSON array of folders, and how many texts are printed of each; $Runtime: the
# text of the runtime, which is ours and not looked at; $Out: a line of JSON for each
# module. Nothing is decided here.
param([string] $Modules, [string] $Runtime, [string] $Out)

$ours = [IO.File]::ReadAllText($Runtime)

# True for every node, compiled: a block would be called 300,000 times.
$node = [Linq.Expressions.Expression]::Parameter([Management.Automation.Language.Ast])
$every = [Linq.Expressions.Expression]::Lambda(
    [Func[Management.Automation.Language.Ast, bool]],
    [Linq.Expressions.Expression]::Constant($true),
    [Linq.Expressions.ParameterExpression[]] @($node)).Compile()
$looked = @{
    StringConstantExpressionAst = 1; ParameterAst = 2; ExpandableStringExpressionAst = 3
    CommandAst = 4; InvokeMemberExpressionAst = 5
}

# What the script of a module is made of, beside the runtime.
function Read-Script([string] $Path) {
    $tokens = $errors = $null
    $ast = [Management.Automation.Language.Parser]::ParseFile(
        $Path, [ref] $tokens, [ref] $errors)
    $text = $ast.Extent.Text
    $start = $text.IndexOf($ours, [StringComparison]::Ordinal)
    $end = $start + $ours.Length
    $found = @{
        errors = @($errors | Select-Object -First 5 | ForEach-Object { "$_" })
        runtime = $start
        blocks = @($ast.ParamBlock.Extent.Text, [bool] $ast.BeginBlock,
            [bool] $ast.ProcessBlock, [bool] $ast.DynamicParamBlock,
            $ast.UsingStatements.Count, $ast.EndBlock.Traps.Count)
    }
    $nodes = @{}; $words = @{}
    $strings = [System.Collections.Generic.HashSet[string]]::new()
    $shapes = [System.Collections.Generic.HashSet[string]]::new()
    foreach ($statement in $ast.EndBlock.Statements) {
        $from = $statement.Extent.StartOffset
        if ($from -ge $start -and $from -lt $end) { continue }
        # The text without strings and names: what is left must be the generator's own.
        $holes = [System.Collections.Generic.SortedDictionary[int, object]]::new()
        if ($statement -is [Management.Automation.Language.FunctionDefinitionAst]) {
            $at = $text.IndexOf($statement.Name, $from + 8, [StringComparison]::Ordinal)
            $holes[$at] = ($at + $statement.Name.Length), '~'
        }
        foreach ($node in $statement.FindAll($every, $true)) {
            $kind = $node.GetType().Name
            $nodes[$kind] = $true
            switch ($looked[$kind]) {
                1 {
                    $isKey = $node.Parent -is [Management.Automation.Language.HashtableAst]
                    if ($node.StringConstantType -eq 'BareWord' -and -not $isKey) {
                        $words["word $($node.Value)"] = $true
                    } else {
                        $null = $strings.Add($node.Value)
                        $extent = $node.Extent
                        $holes[$extent.StartOffset] = $extent.EndOffset, "''"
                    }
                }
                2 {
                    $extent = $node.Name.Extent
                    $holes[$extent.StartOffset] = $extent.EndOffset, '$~'
                    $null = $strings.Add($node.Name.VariablePath.UserPath)
                }
                3 { $words["expands $($node.Extent)"] = $true }
                4 { $words["command $($node.GetCommandName())"] = $true }
                5 { $words["method $($node.Member)"] = $true }
            }
        }
        $shape = [Text.StringBuilder]::new()
        $at = $from
        foreach ($hole in $holes.GetEnumerator()) {
            if ($hole.Key -lt $at) { continue }
            $null = $shape.Append($text, $at, $hole.Key - $at).Append($hole.Value[1])
            $at = $hole.Value[0]
        }
        $null = $shape.Append($text, $at, $statement.Extent.EndOffset - $at)
        foreach ($line in $shape.ToString().Split("`n")) { $null = $shapes.Add($line) }
    }
    # Between the statements there are comments only, and each is where it should be.
    $found.comments = @($tokens | Where-Object {
        $_.Kind -eq 'Comment' -and
            ($_.Extent.StartOffset -lt $start -or $_.Extent.StartOffset -ge $end)
    } | ForEach-Object { $_.Text })
    $found.nodes = @($nodes.Keys)
    $found.words = @($words.Keys)
    $found.strings = @($strings)
    $found.shapes = @($shapes)
    $found
}

# The manifest, read as data: one table of constants, or an error.
function Read-Manifest([string] $Path) {
    $tokens = $errors = $null
    $ast = [Management.Automation.Language.Parser]::ParseFile(
        $Path, [ref] $tokens, [ref] $errors)
    if ($errors) { throw "$errors" }
    if ($ast.EndBlock.Statements.Count -ne 1) { throw 'more than one statement' }
    $ast.EndBlock.Statements[0].PipelineElements[0].Expression.SafeGetValue()
}

# What a completer offers, as far as it would be more than one constant when typed.
function Find-Unquoted($Command) {
    foreach ($parameter in $Command.Parameters.Values) {
        foreach ($attribute in $parameter.Attributes) {
            if ($attribute -isnot [ArgumentCompleter]) { continue }
            foreach ($one in & $attribute.ScriptBlock 'c' 'p' '' $null @{}) {
                $tokens = $errors = $null
                $ast = [Management.Automation.Language.Parser]::ParseInput(
                    "x $one", [ref] $tokens, [ref] $errors)
                $typed = $ast.EndBlock.Statements.PipelineElements.CommandElements
                $is = $typed.Count -eq 2 -and
                    $typed[1] -is [Management.Automation.Language.ConstantExpressionAst]
                if ($errors -or -not $is) { "$($Command.Name): $one" }
            }
        }
    }
}

$writer = [IO.StreamWriter]::new($Out)
foreach ($made in ConvertFrom-Json ([IO.File]::ReadAllText($Modules))) {
    $folder = $made.folder
    $name = [IO.Path]::GetFileName($folder)
    $result = @{ module = $folder }
    try {
        $result.script = Read-Script "$folder/$name.psm1"
        $result.manifest = Read-Manifest "$folder/$name.psd1"
        $env:PSEXPORT_CANARY = "$folder.canary"
        $before = @(Get-Variable -Scope Global | ForEach-Object Name)
        $module = Import-Module "$folder/$name.psd1" -PassThru -ErrorAction Stop `
            -DisableNameChecking -WarningVariable warnings -WarningAction SilentlyContinue
        $result.functions = @($module.ExportedFunctions.Keys)
        $result.aliases = @($module.ExportedAliases.Keys)
        $result.warnings = @($warnings | ForEach-Object { "$_" })
        $result.unusable = @(foreach ($command in $module.ExportedFunctions.Values) {
            try { if (-not $command.ParameterSets) { "$($command.Name): no sets" } }
            catch { "$($command.Name): $_" }
        })
        $result.unquoted = @(foreach ($command in $module.ExportedFunctions.Values) {
            Find-Unquoted $command
        })
        # Prints: help of what has some, and objects through the views.
        $documented = @($module.ExportedFunctions.Keys) -like 'Test-*Said*'
        $result.help = @($documented | Select-Object -First ($made.printed / 4) | ForEach-Object {
            (Get-Help $_ -Full | Out-String).Length
        })
        $result.printed = 0
        for ($i = 0; $i -lt $made.printed; $i++) {
            $object = [pscustomobject] @{ Name = 'n' }
            $object.psobject.TypeNames.Insert(0, "Hostile.Type$i")
            foreach ($how in 'Format-Table', 'Format-List', 'Format-Wide', 'Format-Custom') {
                try { $result.printed += ($object | & $how | Out-String).Length } catch { }
            }
        }
        $after = @(Get-Variable -Scope Global | ForEach-Object Name)
        $result.variables = @($after | Where-Object { $before -notcontains $_ })
        Remove-Module $name -ErrorAction Stop
        $result.canary = Test-Path -LiteralPath $env:PSEXPORT_CANARY
    } catch { $result.failed = "$_" }
    $writer.WriteLine((ConvertTo-Json $result -Depth 8 -Compress))
}
$writer.Close()
