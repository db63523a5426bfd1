# What Get-Help says of commands, as JSON: run where they are, and through a module.
param([string] $Source, [string] $Names)

. {
    if ($Source.EndsWith('.psd1')) { Import-Module $Source } else { . $Source }
}
function text($paragraphs) {
    $texts = foreach ($one in $paragraphs) {
        if ($one.psobject.Properties['Text']) { $one.Text } else { "$one" }
    }
    ($texts -join "`n").Trim()
}
foreach ($name in $Names.Split(',')) {
    $Error.Clear()
    $help = Get-Help $name -Full
    $shown = $help | Out-String -Width 200
    $null = Get-Help $name -Detailed | Out-String
    $written = [bool] ($help.PSTypeNames -like 'MamlCommandHelpInfo*')
    @{
        name = $help.Name
        written = $written
        synopsis = "$($help.Synopsis)".Trim() -replace '\s*\n\s*', "`n"
        description = text $help.description
        syntax = @(($shown -split '(?m)^SYNTAX$')[1] -split '(?m)^[A-Z]+$' |
                Select-Object -First 1 | ForEach-Object { $_.Trim() -replace '\s+', ' ' })
        parameters = @(foreach ($one in $help.parameters.parameter) {
                @{
                    name = $one.name
                    description = text $one.description
                    required = $one.required
                    position = $one.position
                    input = $one.pipelineInput
                    default = "$($one.defaultValue)"
                    globbing = "$($one.globbing)"
                    aliases = "$($one.aliases)"
                    type = $one.type.name
                    shown = (Get-Help $name -Parameter $one.name | Out-String).Trim() -ne ''
                }
            })
        inputs = @($help.inputTypes.inputType | ForEach-Object { "$($_.type.name)".Trim() })
        outputs = @($help.returnValues.returnValue | ForEach-Object { "$($_.type.name)".Trim() })
        notes = text $help.alertSet.alert
        examples = @(foreach ($one in $help.examples.example) {
                @{
                    title = $one.title.Trim()
                    prompt = text $one.introduction
                    code = $one.code
                    remarks = text $one.remarks
                }
            })
        examplesShown = (Get-Help $name -Examples | Out-String) -match 'EXAMPLE 1'
        links = @(foreach ($one in $help.relatedLinks.navigationLink) {
                "$($one.linkText)|$($one.uri)"
            })
        filters = "$($help.Component)|$($help.Role)|$($help.Functionality)"
        errors = @($Error | ForEach-Object { "$_" })
    } | ConvertTo-Json -Depth 6 -Compress
}
