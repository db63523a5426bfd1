# Commands of a host, documented in every way that there is.

function Get-Full {
    <#
    .SYNOPSIS
    Gets things,
    all of them.
    .DESCRIPTION
    The first line
    goes on here.

        Get-Full | indented code

    Another paragraph: <angle> & amp; "quoted" 'single'.
    .PARAMETER Name
    Whose thing.
    A second line.
    .PARAMETER Day
    When.
    .PARAMETER Nowhere
    Documented, but not declared.
    .EXAMPLE
    Get-Full -Name x

    Gets x.

    And says so.
    .EXAMPLE
    PS C:\> Get-Full y |
        Get-Full

    Twice.
    .EXAMPLE
    Get-Full
    .INPUTS
    System.String
    .INPUTS
    System.Int32. The count.
    .OUTPUTS
    A thing
    on two lines
    .NOTES
    One note
      indented.
    .LINK
    https://example.org/full
    .LINK
    Get-Before
    .LINK
    file:///etc/passwd
    .COMPONENT
    Compo
    .ROLE
    Reader
    .FUNCTIONALITY
    Reading
    #>
    [CmdletBinding(DefaultParameterSetName = 'ByName', SupportsShouldProcess)]
    param(
        [Parameter(Mandatory, Position = 0, ValueFromPipeline, ParameterSetName = 'ByName')]
        [Alias('N', 'Nm')] [string[]] $Name,
        [Parameter(Mandatory, ParameterSetName = 'ByCount')] [int] $Count = 3,
        [Parameter(ValueFromPipelineByPropertyName)] [SupportsWildcards()] [DayOfWeek] $Day,
        [string] $Path = 'a b',
        [switch] $Force
    )
    process { }
}

# .SYNOPSIS
# Comes before.
# .PARAMETER X
# An x.
function Get-Before { param($X, [switch] $Y) }

function Get-End {
    param([long] $Big)
    'x'
    <#
    .DESCRIPTION
    Only a description, at the end.
    #>
}

filter Select-Filtered {
    # .SYNOPSIS
    # Filters.
    # .EXAMPLE
    # 1, 2 | Select-Filtered
    $_
}

function Get-Unicode {
    <#
    .SYNOPSIS
    Grüße, 日本語, 😀, ‘quotes’ and “more”.
    .NOTES
    Zeile…
    #>
    [CmdletBinding()] param([string] $Größe)
}

function Get-Bare { param($A, [int] $B = 2, [switch] $C) }

function Get-Sets {
    [CmdletBinding(DefaultParameterSetName = 'Second', SupportsShouldProcess)]
    [OutputType([string], [int])]
    param(
        [Parameter(Mandatory, ParameterSetName = 'First')] [Alias('Id')] [guid] $Key,
        [Parameter(Position = 1, ParameterSetName = 'First')]
        [Parameter(Mandatory, Position = 0, ParameterSetName = 'Second')] [string] $Value,
        [Parameter(ValueFromPipeline)] [System.IO.FileInfo[]] $File,
        [ValidateSet('a', 'b')] [string] $Letter,
        [ConsoleColor[]] $Color,
        [Nullable[int]] $Maybe,
        [System.Collections.Generic.Dictionary[string, int]] $Table
    )
}
