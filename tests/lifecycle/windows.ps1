# Stand-ins with the parameters that New-PSSession and New-PSSessionOption have on
# Windows, but that a culture may be any here: they write down what they are called with, and give a session of this machine.
$calls = [System.Collections.ArrayList]::new()
function Write-Call($Name, $Bound) {
    $words = foreach ($key in $Bound.Keys | Sort-Object) {
        $value = $Bound[$key]
        if ($value -is [pscredential]) { $value = "credential of $($value.UserName)" }
        if ($key -ne 'ErrorAction') { "-$key`:$value" }
    }
    $null = $calls.Add((@($Name) + $words) -join ' ')
}
function global:New-PSSessionOption {
    [CmdletBinding()]
    param(
        [int] $MaximumRedirection, [switch] $NoCompression, [switch] $NoMachineProfile,
        [string] $Culture, [string] $UICulture,
        [int] $MaximumReceivedDataSizePerCommand, [int] $MaximumReceivedObjectSize,
        [string] $OutputBufferingMode, [int] $MaxConnectionRetryCount,
        [psprimitivedictionary] $ApplicationArguments, [int] $OpenTimeout,
        [int] $CancelTimeout, [int] $IdleTimeout,
        [System.Management.Automation.Remoting.ProxyAccessType] $ProxyAccessType,
        [string] $ProxyAuthentication, [pscredential] $ProxyCredential,
        [switch] $SkipCACheck, [switch] $SkipCNCheck, [switch] $SkipRevocationCheck,
        [int] $OperationTimeout, [switch] $NoEncryption, [switch] $UseUTF16,
        [switch] $IncludePortInSPN
    )
    Write-Call New-PSSessionOption $PSBoundParameters
    [System.Management.Automation.Remoting.PSSessionOption]::new()
}
function global:New-PSSession {
    [CmdletBinding(DefaultParameterSetName = 'ComputerName')]
    param(
        [Parameter(ParameterSetName = 'ComputerName')] [string] $ComputerName,
        [Parameter(ParameterSetName = 'Uri')] [uri] $ConnectionUri,
        [pscredential] $Credential, [string] $Name, [switch] $EnableNetworkAccess,
        [string] $ConfigurationName,
        [Parameter(ParameterSetName = 'ComputerName')] [int] $Port,
        [Parameter(ParameterSetName = 'ComputerName')] [switch] $UseSSL,
        [Parameter(ParameterSetName = 'ComputerName')] [string] $ApplicationName,
        [Parameter(ParameterSetName = 'Uri')] [switch] $AllowRedirection,
        [System.Management.Automation.Remoting.PSSessionOption] $SessionOption,
        [System.Management.Automation.Runspaces.AuthenticationMechanism] $Authentication,
        [string] $CertificateThumbprint
    )
    Write-Call New-PSSession $PSBoundParameters
    if ($global:failing) {
        $failure = $global:failing[0]
        $global:failing = @($global:failing | Select-Object -Skip 1)
        throw $failure
    }
    New-ProcessSession
}
function New-Credential($User) {
    [pscredential]::new($User, (ConvertTo-SecureString 'x' -AsPlainText -Force))
}
