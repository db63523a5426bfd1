"""What New-PSSession would be called with on Windows; where credentials come from."""

from __future__ import annotations

from pathlib import Path

import pytest

from psexport.connection import Connection, Value, parse

from .workshop import host, run, write_module

pytestmark = pytest.mark.engine

WINDOWS = Path(__file__).with_name("windows.ps1").read_text("utf-8")
_OPTION = "-SessionOption:System.Management.Automation.Remoting.PSSessionOption"


def calls(module: Path, script: str) -> list[str]:
    """What the stand-ins were called with, and what the script said."""
    return run(f"{WINDOWS}\n{script}\n$calls", module)


USER = "@{ Credential = New-Credential admin }"

#: Session, its parameters, settings → the calls. The last is New-PSSession's.
WSMAN: list[tuple[str, dict[str, Value], str, list[str]]] = [
    ("winrm://srv", {}, "@{}", ["-ComputerName:srv -Name:Far -Port:5985"]),
    (
        "winrms://srv:444",
        {},
        "@{}",
        ["-ComputerName:srv -Name:Far -Port:444 -UseSSL:True"],
    ),
    (
        "winrm://srv",
        {
            "ApplicationName": "app",
            "ConfigurationName": "Conf",
            "Authentication": "NTLM",
        },
        "@{}",
        [
            "-ApplicationName:app -Authentication:Negotiate -ComputerName:srv"
            " -ConfigurationName:Conf -Name:Far -Port:5985"
        ],
    ),
    (
        "winrm://admin@srv",
        {"Authentication": "Kerberos"},
        USER,
        [
            "-Authentication:Kerberos -ComputerName:srv -Credential:credential of admin"
            " -Name:Far -Port:5985"
        ],
    ),
    (
        "winrms://srv",
        {"SkipCACheck": True, "SkipCNCheck": True, "OpenTimeout": 5000},
        "@{ SkipRevocationCheck = 'yes'; Culture = 'de-DE' }",
        [
            "New-PSSessionOption -Culture:de-DE -OpenTimeout:5000 -SkipCACheck:True"
            " -SkipCNCheck:True -SkipRevocationCheck:True",
            f"-ComputerName:srv -Name:Far -Port:5986 {_OPTION} -UseSSL:True",
        ],
    ),
    (
        "winrms://srv",
        {"ProxyUri": "http://proxy:8080", "OperationTimeout": 7000},
        "@{ ProxyAuthentication = 'Digest'; ProxyCredential = New-Credential px;"
        " NoCompression = 1; IdleTimeout = 60000; CancelTimeout = 2;"
        " MaximumRedirection = 3; MaxConnectionRetryCount = 4; NoEncryption = $true;"
        " NoMachineProfile = $true; UICulture = 'fr-FR'; IncludePortInSPN = $true;"
        " MaximumReceivedObjectSize = 9; MaximumReceivedDataSizePerCommand = 8;"
        " OutputBufferingMode = 'Drop'; ApplicationArguments = @{ a = 1 } }",
        [
            "New-PSSessionOption"
            " -ApplicationArguments:System.Management.Automation.PSPrimitiveDictionary"
            " -CancelTimeout:2 -IdleTimeout:60000 -IncludePortInSPN:True"
            " -MaxConnectionRetryCount:4 -MaximumReceivedDataSizePerCommand:8"
            " -MaximumReceivedObjectSize:9 -MaximumRedirection:3 -NoCompression:True"
            " -NoEncryption:True -NoMachineProfile:True -OperationTimeout:7000"
            " -OutputBufferingMode:Drop -ProxyAccessType:IEConfig"
            " -ProxyAuthentication:Digest -ProxyCredential:credential of px"
            " -UICulture:fr-FR",
            f"-ComputerName:srv -Name:Far -Port:5986 {_OPTION} -UseSSL:True",
        ],
    ),
    (
        "winrm://srv",
        {},
        "@{}, ([System.Management.Automation.Remoting.PSSessionOption]::new())",
        [f"-ComputerName:srv -Name:Far -Port:5985 {_OPTION}"],
    ),
    (
        "https://srv/powershell",
        {},
        "@{}",
        ["-ConnectionUri:https://srv/powershell -Name:Far"],
    ),
    (
        "https://srv/powershell",
        {"AllowRedirection": True},
        "@{}",
        ["-AllowRedirection:True -ConnectionUri:https://srv/powershell -Name:Far"],
    ),
    (
        "winrms://srv",
        {"Authentication": "Certificate", "CertificatePem": "user.pem"},
        "@{ CertificateThumbprint = 'AB12' }",
        [
            "-CertificateThumbprint:AB12 -ComputerName:srv -Name:Far -Port:5986"
            " -UseSSL:True"
        ],
    ),
    (
        "pwsh:",
        {},
        "@{ ComputerName = 'other'; UseSSL = $true }",
        ["-ComputerName:other -Name:Far -UseSSL:True"],
    ),
]


def test_wsman(tmp_path: Path) -> None:
    script = "$session = New-ProcessSession\n"
    script += "function global:New-ProcessSession { $session }\n"
    for number, (spec, parameters, settings, _) in enumerate(WSMAN):
        home = tmp_path / str(number)
        home.mkdir()
        module = write_module(home, parse(spec, parameters))
        script += f"Import-Module '{module}' -ArgumentList {settings}\n"
        script += "$null = far 1 6>$null; $null = $calls.Add('--')\n"
    lines = iter(calls(module, script))
    for spec, parameters, _, expected in WSMAN:
        found = list(iter(lambda: next(lines), "--"))
        expected = [*expected[:-1], f"New-PSSession {expected[-1]}"]
        assert found == expected, (spec, parameters)


def test_only_what_this_edition_has(tmp_path: Path) -> None:
    """The cmdlets of a Unix: no culture, and no WSMan at all, and it says so."""
    module = write_module(tmp_path, parse("winrms://srv", {"SkipCACheck": True}))
    lines = run(
        """
        if ((Get-Command New-PSSessionOption).Parameters.ContainsKey('Culture')) {
            'skip'; return
        }
        Import-Module $Module -ArgumentList @{ Culture = 'de-DE'; NoCompression = 1 }
        try { far 1 -Verbose 4>&1 6>$null | ForEach-Object { "$_" } } catch {
            Format-Id $_
            "$_"
        }
        """,
        module,
    )
    if lines == ["skip"]:
        pytest.skip("this PowerShell has WSMan")
    *said, id, message = lines
    assert any("-Culture" in line for line in said)
    assert any("-NoCompression" in line for line in said)
    assert id == "PSExportNoSession"
    assert "HostName" in message
    assert "no supported WSMan client" in message


def test_what_has_no_cmdletbinding_gets_it_all(tmp_path: Path) -> None:
    module = write_module(tmp_path, parse("winrms://srv", {}))
    assert run(
        """
        function global:New-PSSession {
            $global:got = "$args"
            New-ProcessSession
        }
        Import-Module $Module
        far 1 6>$null
        $got -match '-ComputerName: srv' -and $got -match '-Port: 5986'
        """,
        module,
    ) == ["1", "True"]


def test_a_redirection_to_http_is_not_followed(tmp_path: Path) -> None:
    connection = parse("https://srv/ps", {"AllowRedirection": True})
    module = write_module(tmp_path, connection)
    assert run(
        """
        $far = Import-Module $Module -PassThru
        foreach ($uri in 'https://other/ps', 'https://srv/ps', 'http://other/ps') {
            $has = [System.Management.Automation.Runspaces.WSManConnectionInfo]::new(
                [uri] $uri)
            $runspace = [pscustomobject] @{
                ConnectionInfo = $has
                RunspaceStateInfo = @{ State = 'Opened' }
            }
            $session = @{ Runspace = $runspace; Session = $null; Process = $null }
            $runspace.psobject.Methods.Add(
                [System.Management.Automation.PSScriptMethod]::new('Dispose', {
                    $global:closed = "$uri" }))
            Get-Id { & $far { Test-PSExportRedirection $args[0] } $session }
        }
        $closed
        """,
        module,
    ) == ["none", "none", "PSExportUnsafeRedirection", "http://other/ps"]


#: The export, the session there is: its address, and whether they are the same.
SAME = [
    # New-PSSession -ComputerName tells the scheme's own port, and goes to 5985.
    ("winrm://srv", "@{ ComputerName = 'srv'; Port = 0 }", True),
    ("winrm://srv", "@{ ComputerName = 'srv'; Port = 5985 }", True),
    ("winrms://srv", "@{ ComputerName = 'srv'; Port = 0; Scheme = 'https' }", True),
    ("winrms://srv", "@{ ComputerName = 'srv'; Port = 0 }", False),
    ("winrm://srv:81", "@{ ComputerName = 'srv'; Port = 0 }", False),
    ("winrm://srv:81", "@{ ComputerName = 'srv'; Port = 81 }", True),
    ("winrm://srv", "@{ ComputerName = 'srv'; Port = 81 }", False),
    ("winrm://srv", "@{ ComputerName = 'other'; Port = 0 }", False),
    ("https://srv/ps", "[uri] 'https://srv/ps'", True),
    ("https://srv/ps", "[uri] 'https://srv/other'", False),
]


def test_a_session_to_the_same_endpoint_is_known(tmp_path: Path) -> None:
    script = """
        $session = New-ProcessSession
        $field = $session.Runspace.GetType().GetField('_connectionInfo',
            'Instance, NonPublic')
        """
    for number, (spec, address, _) in enumerate(SAME):
        home = tmp_path / str(number)
        home.mkdir()
        module = write_module(home, parse(spec))
        script += f"""
        $has = {address}
        $has = if ($has -is [uri]) {{
            [System.Management.Automation.Runspaces.WSManConnectionInfo]::new($has)
        }} else {{ [System.Management.Automation.Runspaces.WSManConnectionInfo] $has }}
        $field.SetValue($session.Runspace, $has)
        $far = Import-Module '{module}' -PassThru
        & $far {{ Test-PSExportEndpoint $args[0] }} $session
        """
    found = run(script, tmp_path)
    assert found == [str(same) for *_, same in SAME]


def failure(code: int) -> str:
    kind = "System.Management.Automation.Remoting.PSRemotingTransportException"
    return f"(& {{ $e = [{kind}]::new('no'); $e.ErrorCode = {code}; $e }})"


def test_retries_but_never_a_wrong_password(tmp_path: Path) -> None:
    module = write_module(tmp_path, parse("winrm://srv"))
    script = f"""
        Import-Module $Module -ArgumentList @{{ Retries = 1 }}
        $global:failing = @({failure(0)})
        far 'ok' 6>$null
        $global:failing = @({failure(0)}, {failure(0)}, {failure(0)})
        Import-Module $Module -ArgumentList @{{ Retries = 1 }} -Force
        Get-Id {{ far 1 }}
        $global:failing = @({failure(5)}, {failure(0)})
        try {{ far 1 6>$null }} catch {{ "$_" }}
        # Denied by the package that logs on: 0x8009030C.
        $global:failing = @({failure(-2146893044)}, {failure(0)})
        try {{ far 1 6>$null }} catch {{ "$_" }}
        "$($calls.Count) calls"
        $calls.Clear()
        """.replace("far 'ok'", "far '\"ok\"'")
    lines = calls(module, script)
    assert lines[:2] == ["ok", "PSExportNoSession"]
    assert all("not tried again" in line for line in lines[2:4])
    assert lines[4:] == ["6 calls"]


def test_credentials(tmp_path: Path) -> None:
    connection = parse("winrm://admin@srv", {})
    asks = write_module(tmp_path, connection)
    lines = calls(
        asks,
        """
        # Nobody can be asked: a clear error at once.
        Import-Module $Module
        $watch = [Diagnostics.Stopwatch]::StartNew()
        try { far 1 6>$null } catch { Format-Id $_; "$_" }
        "$($watch.ElapsedMilliseconds -lt 5000) $($calls.Count)"
        # A script block is asked for each session.
        $global:asked = 0
        Import-Module $Module -Force -ArgumentList @{ Credential = {
                $global:asked++; New-Credential "user$global:asked" } }
        $null = far 1 6>$null
        $far = Get-Module Far
        & $far { Close-PSExportSession }
        $null = far 1 6>$null
        Import-Module $Module -Force -ArgumentList @{ Credential = { 'admin' } }
        Get-Id { far 1 }
        Remove-Module Far
        """,
    )
    assert lines[0] == "PSExportNoCredential"
    assert "nobody can be asked here" in lines[1]
    assert lines[2:4] == ["True 0", "PSExportNoCredential"]
    assert ["credential of user1" in call for call in lines[4:]] == [True, False]
    assert "credential of user2" in lines[5]


def test_a_secret(tmp_path: Path) -> None:
    connection = parse("winrm://admin@srv", {})
    module = write_module(tmp_path, connection, secret="srv admin")
    lines = calls(
        module,
        f"""
        Import-Module $Module
        try {{ far 1 6>$null }} catch {{ Format-Id $_; "$_" }}
        function global:Get-Secret {{
            [CmdletBinding()] param($Name)
            $global:secrets += @("get $Name")
            if ($secrets.Count -gt 1) {{ return New-Credential other }}
            ConvertTo-SecureString 'x' -AsPlainText -Force
        }}
        # A wrong one is not kept.
        $global:failing = @({failure(1326)})
        Get-Id {{ far 1 }}
        $null = far 1 6>$null
        $secrets
        """,
    )
    assert lines[0] == "PSExportNoCredential"
    assert "Microsoft.PowerShell.SecretManagement" in lines[1]
    assert lines[2:5] == ["PSExportNoSession", "get srv admin", "get srv admin"]
    assert "credential of admin" in lines[5]
    assert "credential of other" in lines[6]
    assert len(lines) == 7


def test_a_vault_that_is_only_installed_is_found(tmp_path: Path) -> None:
    name = "Microsoft.PowerShell.SecretManagement"
    installed = tmp_path / "modules" / name
    installed.mkdir(parents=True)
    (installed / f"{name}.psm1").write_text(
        "function Get-Secret { [CmdletBinding()] param($Name)"
        " New-Object pscredential vault, (ConvertTo-SecureString x -AsPlainText -Force)"
        " }",
        "utf-8",
    )
    module = write_module(tmp_path, parse("winrm://admin@srv"), secret="srv")
    lines = calls(
        module,
        f"""
        $sign = [IO.Path]::PathSeparator
        $env:PSModulePath = '{installed.parent}' + $sign + $env:PSModulePath
        Import-Module $Module
        $null = far 1 6>$null
        """,
    )
    assert ["-Credential:credential of vault" in line for line in lines] == [True]


def test_no_secret_of_the_export_is_in_the_files(tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text("correct horse")
    connection: Connection = parse("winrm://admin@srv", {"PasswordFile": str(password)})
    module = write_module(tmp_path, connection)
    for file in module.parent.iterdir():
        text = file.read_text("utf-8")
        assert "correct horse" not in text
        assert str(password) not in text


def test_a_local_powershell_that_is_none(tmp_path: Path) -> None:
    module = write_module(tmp_path)
    said = run(
        """
        Import-Module $Module -ArgumentList @{ Path = '/no/such/program' }
        try { far 1 } catch { Format-Id $_; "$_" }
        $sleeper = Join-Path (Split-Path $Module) 'sleeper'
        Set-Content $sleeper "#!/bin/sh`nexec sleep 60"
        & chmod +x $sleeper
        $settings = @{ Path = $sleeper; OpenTimeout = 300 }
        Import-Module $Module -Force -ArgumentList $settings
        try { far 1 } catch { Format-Id $_; "$_" -match 'OpenTimeout' }
        "$(@(Get-Process sleep -ErrorAction Ignore | Where-Object {
            $_.Parent.Id -eq $PID }).Count)"
        """,
        module,
    )
    assert said[0::2] == ["PSExportNoSession", "PSExportNoSession", "0"]
    assert "directory. Name another: Import-Module Far -Force" in said[1]


def test_the_line_of_windows_powershell(tmp_path: Path) -> None:
    """There is no list of arguments in .NET Framework, and a -Version in the line."""
    module = write_module(tmp_path, parse("pwsh:"), about=host(version="7.6.1"))
    assert run(
        r"""
        $settings = @{ Path = '/opt/pwsh'; Arguments = '-a', 'b c', 'd"e', 'f\"g\' }
        $far = Import-Module $Module -PassThru -ArgumentList $settings
        $start = [pscustomobject] @{ FileName = 'C:\v1.0\powershell.exe'
            Arguments = '-Version 5.1 -s -NoLogo -NoProfile' }
        & $far { Set-PSExportStart $args[0] } $start
        $start.FileName
        $start.Arguments
        $start.FileName = 'C:\v1.0\powershell.exe'
        $start.Arguments = '-s'
        # The export's host was no Windows PowerShell.
        $far = Import-Module $Module -Force -PassThru
        & $far { Set-PSExportStart $args[0] } $start
        $start.FileName
        $start.Arguments
        """,
        module,
    ) == [
        "/opt/pwsh",
        r'-s -NoLogo -NoProfile "-a" "b c" "d\"e" "f\\\"g\\"',
        "pwsh",
        "-s",
    ]


def test_windows_powershell_gets_its_own_modules(tmp_path: Path) -> None:
    module = write_module(tmp_path)
    assert run(
        r"""
        foreach ($path in 'powershell.exe', 'C:\v1.0\powershell', 'pwsh', '/bin/pwsh') {
            $start = [Diagnostics.ProcessStartInfo]::new()
            $start.ArgumentList.Add('-s')
            $settings = @{ Path = $path }
            $far = Import-Module $Module -Force -PassThru -ArgumentList $settings
            & $far { Set-PSExportStart $args[0] } $start
            $start.EnvironmentVariables.ContainsKey('PSModulePath')
        }
        """,
        module,
    ) == ["False", "False", "True", "True"]
