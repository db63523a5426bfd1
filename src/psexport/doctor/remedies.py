"""What each warning and fault means, and what to do about it: there and here.

One table, which is why this is longer than a module should be. Lines for the host are
PowerShell, to be run there as an administrator, unless they begin with ``#``; what
stands in braces is filled in, quoted as PowerShell wants it. Lines for this side are
sentences.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..connection import Kind
from ..pslang import Quoted
from .findings import Advice, Fact, Finding


@dataclass(frozen=True, slots=True)
class Remedy:
    """A row: what is wrong, and what helps."""

    text: str
    on_host: tuple[str, ...] = ()
    here: tuple[str, ...] = ()


_CHECK_LISTENER = "Get-ChildItem WSMan:\\localhost\\Listener"
_ENABLE = "Enable-PSRemoting -Force"
_FIREWALL = "Enable-NetFirewallRule -DisplayGroup 'Windows Remote Management'"
_NEW_LISTENER = (
    "$certificate = New-SelfSignedCertificate -DnsName {host} "
    "-CertStoreLocation Cert:\\LocalMachine\\My",
    "Get-ChildItem WSMan:\\localhost\\Listener | "
    "Where-Object Keys -contains 'Transport=HTTPS' | Remove-Item -Recurse",
    "New-Item WSMan:\\localhost\\Listener -Transport HTTPS -Address * "
    "-CertificateThumbPrint $certificate.Thumbprint -Force",
    "Export-Certificate -Cert $certificate -FilePath C:\\winrm.cer",
)
_RESYNC = "w32tm /resync"
_ADD_USER = "Add-LocalGroupMember -Group 'Remote Management Users' -Member {user}"
_SUBSYSTEM = (
    "# In its sshd_config (on Windows $env:ProgramData\\ssh\\sshd_config):",
    "#   Subsystem {subsystem:plain} /usr/bin/pwsh -sshs -NoLogo -NoProfile",
    "#   Subsystem {subsystem:plain} c:/progra~1/powershell/7/pwsh.exe -sshs -NoLogo "
    "-NoProfile",
    "Restart-Service sshd  # on Linux: systemctl restart sshd",
)

_TABLE: dict[str, Remedy] = {
    # getting there
    "NameUnknown": Remedy(
        "The name {name} is not known to this machine's name servers.",
        here=(
            "Check the spelling, and try the full name with its domain.",
            "Or give the host's address; then use NTLM or a certificate for it, "
            "since Kerberos and TLS want names.",
        ),
    ),
    "NameServerSilent": Remedy(
        "This machine's name servers do not answer.",
        here=("Check this machine's network and VPN.",),
    ),
    "PortRefused": Remedy(
        "The host is there, but nothing listens on port {port}.",
        on_host=(_ENABLE, _CHECK_LISTENER),
        here=("Check the port: WinRM has 5985, with TLS 5986.",),
    ),
    "PortSilent": Remedy(
        "Nothing answers on port {port}: the host is off, or a firewall drops it.",
        on_host=(_FIREWALL, "Test-NetConnection localhost -Port {port}"),
        here=("Check the address, the network, and the firewalls between.",),
    ),
    "NetworkUnreachable": Remedy(
        "There is no way through the network to the host.",
        here=("Check this machine's network, VPN and routes.",),
    ),
    "OtherPort": Remedy(
        "Nothing listens on port {port}, but WinRM's other port, {other}, is open.",
        here=("Use {scheme}{host} instead.",),
    ),
    "AddressDead": Remedy(
        "One of the host's addresses is dead; each connection may first wait for it.",
        here=("Take {address} out of the name service, or give a good address.",),
    ),
    # proxies
    "ProxyUnreachable": Remedy(
        "The proxy {proxy} cannot be reached.",
        here=("Check -ProxyUri, or leave it out to go without a proxy.",),
    ),
    "ProxyAuthentication": Remedy(
        "The proxy {proxy} wants a user and a password, which psexport does not give.",
        here=(
            "Have the proxy let this machine through, or leave out -ProxyUri to go "
            "around it.",
        ),
    ),
    "ProxyRefuses": Remedy(
        "The proxy {proxy} does not let anybody through to the host.",
        here=(
            "Have the proxy allow CONNECT to the host's port, or leave out -ProxyUri "
            "to go around it.",
        ),
    ),
    "ProxyCannotReach": Remedy(
        "The proxy {proxy} does not reach the host: it is off, or not to be seen "
        "from there.",
        here=("Check host and port, or leave out -ProxyUri to go around the proxy.",),
    ),
    "ProxyBroken": Remedy(
        "What is at {proxy} is no HTTP proxy.",
        here=("Check -ProxyUri.",),
    ),
    # TLS
    "NotTls": Remedy(
        "The port is open, but it is not TLS that is spoken there.",
        on_host=_NEW_LISTENER,
        here=("Use winrm:// for a listener without TLS, and check the port.",),
    ),
    "TlsExpected": Remedy(
        "The port speaks TLS, and the session does not.",
        here=("Use winrms:// or https://, or add -UseSSL.",),
    ),
    "TlsVersion": Remedy(
        "The host's TLS is too old for this machine, or the other way round.",
        on_host=(
            "# Enable TLS 1.2 in SCHANNEL, and restart WinRM:",
            "Restart-Service WinRM",
        ),
    ),
    "TlsSilent": Remedy(
        "The host accepts connections and then says nothing: it hangs, or "
        "something between swallows TLS.",
        on_host=("Restart-Service WinRM",),
        here=("Look for a firewall that inspects TLS.",),
    ),
    "TlsCut": Remedy(
        "The host cuts the connection when TLS begins: its listener has no usable "
        "certificate, or something between does not want TLS.",
        on_host=(_CHECK_LISTENER, *_NEW_LISTENER),
    ),
    "TlsFailed": Remedy("TLS fails.", on_host=(_CHECK_LISTENER,)),
    "CertificateExpired": Remedy(
        "The host's certificate has expired.",
        on_host=_NEW_LISTENER,
        here=("Check this machine's clock, too.",),
    ),
    "CertificateNotYetValid": Remedy(
        "The host's certificate is not valid yet: one of the clocks is wrong, or the "
        "certificate is for later.",
        on_host=(_RESYNC, "Get-Date"),
        here=("Check this machine's clock.",),
    ),
    "CertificateExpires": Remedy(
        "The host's certificate expires soon.", on_host=_NEW_LISTENER
    ),
    "CertificateName": Remedy(
        "The host's certificate is for another name: {names:plain}.",
        on_host=_NEW_LISTENER,
        here=(
            "Use a name that the certificate has.",
            "Or add -SkipCNCheck, if you know that this is the right host.",
        ),
    ),
    "CertificateSelfSigned": Remedy(
        "The host's certificate is its own witness, and this machine does not trust "
        "it.",
        on_host=(
            "Get-ChildItem Cert:\\LocalMachine\\My | Export-Certificate "
            "-FilePath C:\\winrm.cer",
        ),
        here=(
            "Get the certificate over a safe way, turn it into PEM, and give it with "
            "-CAFile.",
            "-SkipCACheck would trust anybody, also somebody between.",
        ),
    ),
    "CertificateIssuer": Remedy(
        "This machine does not know who issued the host's certificate.",
        here=(
            "Give your organization's root certificate, as PEM, with -CAFile.",
            "-SkipCACheck would trust anybody, also somebody between.",
        ),
    ),
    "CertificateUnreadable": Remedy(
        "The host's certificate is damaged.", on_host=_NEW_LISTENER
    ),
    "NotChecked": Remedy(
        "The host's certificate is not checked: whoever is between may be the host.",
        here=("Leave out {parameter:plain} once the certificate is right.",),
    ),
    "OwnFileUnusable": Remedy(
        "A file on this side cannot be used.",
        here=("Give {parameter:plain} a PEM file; a key in it may have no password.",),
    ),
    # WinRM
    "NotWinRm": Remedy(
        "Something answers there, but it is not WinRM.",
        on_host=(_ENABLE, _CHECK_LISTENER),
        here=(
            "Check the port (5985, with TLS 5986) and -ApplicationName (wsman; "
            "for Exchange PowerShell/).",
        ),
    ),
    "NotHttp": Remedy(
        "Something answers there, but it does not speak HTTP.",
        here=("Check the port: WinRM has 5985, with TLS 5986.",),
    ),
    "HostSilent": Remedy(
        "The host accepts connections and never answers: WinRM hangs there, or the "
        "host is out of breath.",
        on_host=("Restart-Service WinRM", "Get-Process | Sort-Object CPU -Descending"),
        here=("Look for a firewall between that inspects HTTP.",),
    ),
    "HostCuts": Remedy(
        "The host, or something between, cuts the connection instead of answering.",
        on_host=(
            "Restart-Service WinRM",
            "Get-WinEvent Microsoft-Windows-WinRM/Operational -MaxEvents 20",
        ),
        here=("Look for a firewall or a proxy between.",),
    ),
    "ServiceUnavailable": Remedy(
        "The host's WinRM service does not run, or is overrun.",
        on_host=("Set-Service WinRM -StartupType Automatic", "Restart-Service WinRM"),
    ),
    "Redirected": Remedy(
        "The host sends this session elsewhere: {location:plain}.",
        here=(
            "If you trust that address, use it as -ConnectionUri; -AllowRedirection "
            "follows the host there.",
        ),
    ),
    "ClockSkew": Remedy(
        "The clocks of host and this machine differ too much for Kerberos, which "
        "allows five minutes.",
        on_host=(_RESYNC, "Get-Date"),
        here=("Set this machine's clock: 'chronyc makestep', or 'w32tm /resync'.",),
    ),
    "ClockDiffers": Remedy(
        "The clocks of host and this machine differ.", on_host=(_RESYNC,)
    ),
    # logging on
    "MethodOff": Remedy(
        "The host has {method:plain} switched off.",
        on_host=(
            "Set-Item WSMan:\\localhost\\Service\\Auth\\{method:plain} $true",
            "Restart-Service WinRM",
        ),
        here=("Or use one that it offers with -Authentication: {offers:plain}.",),
    ),
    "MethodNotOffered": Remedy(
        "The host does not take {method:plain}.",
        here=("Use one that it offers with -Authentication: {offers:plain}.",),
    ),
    "BasicUnencrypted": Remedy(
        "The host takes Basic over TLS only, which is right: without, everybody "
        "between can read the password.",
        on_host=(
            *_NEW_LISTENER,
            "Set-Item WSMan:\\localhost\\Service\\Auth\\Basic $true",
        ),
        here=("Use winrms://, or leave out -Authentication Basic.",),
    ),
    "LogonRefused": Remedy(
        "The host does not take this user or this password.",
        on_host=(
            "Get-LocalUser {user}  # for a local user: there, enabled, not locked?",
            "New-ItemProperty HKLM:\\SOFTWARE\\Microsoft\\Windows\\CurrentVersion\\"
            "Policies\\System LocalAccountTokenFilterPolicy -Value 1 -Force"
            "  # lets local administrators in",
        ),
        here=(
            "Check user and password; write DOMAIN\\user, user@domain or HOST\\user.",
            "PSEXPORT_PASSWORD wins over -PasswordFile, and that over the keyring.",
        ),
    ),
    "PasswordMissing": Remedy(
        "There is no password to log on with.",
        here=("Set PSEXPORT_PASSWORD, use -PasswordFile, or run this at a terminal.",),
    ),
    "UserMissing": Remedy(
        "Nobody said who is to log on.",
        here=("Give -Credential USER, or get a Kerberos ticket with kinit.",),
    ),
    "NoTicket": Remedy(
        "Kerberos has no ticket for this, and could not get one.",
        here=(
            "Run 'kinit user@REALM', then 'klist' to see the ticket.",
            "Use the host's full name, which Kerberos knows it by.",
        ),
    ),
    "TicketExpired": Remedy(
        "The Kerberos ticket, or the password, has expired.",
        here=("Get a new ticket with kinit, or change the password.",),
    ),
    "TicketRefused": Remedy(
        "The host does not take the Kerberos ticket.",
        on_host=("setspn -L $env:COMPUTERNAME", _RESYNC),
        here=(
            "Use the host's full name, as it is in its domain.",
            "If WinRM runs under an account there, give -ServicePrincipalName.",
        ),
    ),
    "NoDomainController": Remedy(
        "Kerberos finds no domain controller.",
        here=(
            "Check /etc/krb5.conf, and the DNS records _kerberos._tcp of the domain.",
            "Or use -Authentication NTLM with a password.",
        ),
    ),
    "KeytabUnusable": Remedy(
        "The file of Kerberos keys cannot be used.",
        here=("Check -KeytabFile; 'klist -k FILE' shows whose keys are in it.",),
    ),
    "ClientCertificateRefused": Remedy(
        "The host does not take the client certificate.",
        on_host=(
            "Set-Item WSMan:\\localhost\\Service\\Auth\\Certificate $true",
            "Get-ChildItem WSMan:\\localhost\\ClientCertificate",
            "New-Item WSMan:\\localhost\\ClientCertificate -Subject {user} -URI * "
            "-Issuer (Get-ChildItem Cert:\\LocalMachine\\Root | "
            "Out-GridView -OutputMode Single).Thumbprint -Credential (Get-Credential) "
            "-Force",
        ),
        here=("Give a certificate for client authentication that has not expired.",),
    ),
    "Unencrypted": Remedy(
        "Messages go over the network as they are, and so may the password.",
        here=("Use winrms://, and leave out -NoEncryption.",),
    ),
    "ErrorHostUnreachable": Remedy(
        "The host stopped answering.", on_host=("Restart-Service WinRM",)
    ),
    "ServiceUnknown": Remedy(
        "Kerberos does not know a service of this host.",
        on_host=(
            "setspn -L $env:COMPUTERNAME",
            "setspn -S HTTP/{host:plain} $env:COMPUTERNAME",
        ),
        here=("Use the host's full name, as it is in its domain.",),
    ),
    "LibraryMissing": Remedy(
        "A Python package for this way of logging on is not installed.",
        here=("pip install '{package:plain}'",),
    ),
    "ErrorLogonFailed": Remedy(
        "The log on failed.",
        here=(
            "Check user and password; write DOMAIN\\user, user@domain or HOST\\user.",
        ),
    ),
    "ErrorEncryptionRequired": Remedy(
        "The host takes encrypted messages only.",
        on_host=_NEW_LISTENER,
        here=(
            "Use winrms://, or -Authentication Negotiate, Kerberos or Credssp, which "
            "encrypt by themselves.",
        ),
    ),
    "ErrorAccessDenied": Remedy(
        "The host knows the user, but lets it not use {configuration}.",
        on_host=(
            _ADD_USER,
            "Set-PSSessionConfiguration -Name {configuration} "
            "-ShowSecurityDescriptorUI -Force",
        ),
    ),
    # the endpoint
    "ErrorConfigurationNotFound": Remedy(
        "The host has no session configuration {configuration}.",
        on_host=(
            "Get-PSSessionConfiguration | Format-Table Name, Permission",
            _ENABLE,
            "Register-PSSessionConfiguration -Name {configuration} -Force",
        ),
        here=("Check -ConfigurationName, or leave it out for the usual one.",),
    ),
    "winrs:ErrorConfigurationNotFound": Remedy(
        "The host allows no WinRM shells.",
        on_host=("Set-Item WSMan:\\localhost\\Shell\\AllowRemoteShellAccess $true",),
        here=("Use winrm:// or winrms://, which are for PowerShell itself.",),
    ),
    "DefaultConfiguration": Remedy(
        "The host's usual session configuration does not work either.",
        on_host=(_ENABLE,),
    ),
    "ErrorHostQuota": Remedy(
        "The host has no room for one more session of this user.",
        on_host=(
            "Get-WSManInstance -ResourceURI shell -Enumerate | "
            "Format-Table Owner, ClientIP, ShellRunTime, ShellId",
            "Set-Item WSMan:\\localhost\\Shell\\MaxShellsPerUser 50",
            "Set-Item WSMan:\\localhost\\Shell\\MaxConcurrentUsers 50",
        ),
        here=("Close other sessions of this user, which the host still counts.",),
    ),
    "SmallEnvelope": Remedy(
        "The host takes small messages only, which makes exports slow.",
        on_host=("Set-Item WSMan:\\localhost\\MaxEnvelopeSizekb 500",),
    ),
    "LittleMemory": Remedy(
        "The host gives a session little memory; a large export may end early.",
        on_host=(
            "Set-Item WSMan:\\localhost\\Shell\\MaxMemoryPerShellMB 1024",
            "Restart-Service WinRM",
        ),
    ),
    "NoRemoteShells": Remedy(
        "The host allows no remote shells.",
        on_host=("Set-Item WSMan:\\localhost\\Shell\\AllowRemoteShellAccess $true",),
    ),
    "FewShells": Remedy(
        "The host allows a user few sessions at a time.",
        on_host=("Set-Item WSMan:\\localhost\\Shell\\MaxShellsPerUser 30",),
    ),
    "ErrorSessionTimeout": Remedy(
        "The host did not answer in time.",
        on_host=(
            "Get-Process | Sort-Object CPU -Descending | Select-Object -First 5",
            "Restart-Service WinRM",
        ),
        here=("Allow more with -OpenTimeout or -OperationTimeout.",),
    ),
    "ErrorMessageTooLarge": Remedy(
        "A message is larger than the host takes.",
        on_host=("Set-Item WSMan:\\localhost\\MaxEnvelopeSizekb 500",),
    ),
    "ErrorHostTooOld": Remedy(
        "The host's PowerShell is too old.",
        on_host=("$PSVersionTable  # then install Windows Management Framework 5.1",),
    ),
    "HostTooOld": Remedy(
        "The host's PowerShell is too old.",
        on_host=("$PSVersionTable  # then install Windows Management Framework 5.1",),
    ),
    "SlowToOpen": Remedy(
        "The host takes long to open a session.",
        here=("Allow more with -OpenTimeout if it fails now and then.",),
    ),
    "LanguageMode": Remedy(
        "winrs needs FullLanguage, which the host does not seem to have.",
        here=("Use winrm:// or winrms://, which need no scripts.",),
    ),
    "CommandMissing": Remedy(
        "The endpoint hides {command}, without which nothing can be exported.",
        on_host=(
            "# In the endpoint's session configuration or role capability file:",
            "#   SessionType = 'RestrictedRemoteServer'",
            "# or add {command:plain} to VisibleCmdlets, then:",
            "Register-PSSessionConfiguration -Name {configuration} -Path "
            "endpoint.pssc -Force",
        ),
    ),
    "CommandWanted": Remedy("The endpoint hides {command}."),
    "ErrorRequiredRemoteCommandNotFound": Remedy(
        "The endpoint hides a command that an export needs.",
        on_host=(
            "# In the endpoint's session configuration file:",
            "#   SessionType = 'RestrictedRemoteServer'",
        ),
    ),
    # ssh
    "ErrorSshNotFound": Remedy(
        "There is no ssh on this machine.",
        here=("Install the OpenSSH client.",),
    ),
    "SshConfiguration": Remedy(
        "ssh does not understand its own configuration, or -Options.",
        here=("Check -Options and ~/.ssh/config; 'ssh -G HOST' shows what it reads.",),
    ),
    "SshSilent": Remedy(
        "The port is open, but no ssh server greets there.",
        on_host=("Restart-Service sshd  # on Linux: systemctl restart sshd",),
        here=("Check the port.",),
    ),
    "NotSsh": Remedy(
        "Something answers there, but it is no ssh server.",
        on_host=("Get-Service sshd  # on Linux: systemctl status sshd",),
        here=("Check the port; -Port or the address has it, else ~/.ssh/config.",),
    ),
    "ssh:PortRefused": Remedy(
        "The host is there, but nothing listens on port {port}.",
        on_host=("Start-Service sshd  # on Linux: systemctl start sshd",),
        here=("Check the port; -Port or the address has it, else ~/.ssh/config.",),
    ),
    "ssh:PortSilent": Remedy(
        "Nothing answers on port {port}: the host is off, or a firewall drops it.",
        on_host=("Enable-NetFirewallRule -Name *OpenSSH-Server*",),
        here=("Check the address, the network, and the firewalls between.",),
    ),
    "HostKeyUnknown": Remedy(
        "This machine has not met that host before, and ssh asks nobody here.",
        on_host=(
            "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub  # on Windows "
            "$env:ProgramData\\ssh\\ssh_host_ed25519_key.pub",
        ),
        here=(
            "Compare the fingerprint, then log on once with 'ssh {host:plain}' to "
            "accept the key.",
        ),
    ),
    "HostKeyChanged": Remedy(
        "The host shows another key than the one that is known: it was installed "
        "anew, or somebody is between.",
        on_host=(
            "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub  # on Windows "
            "$env:ProgramData\\ssh\\ssh_host_ed25519_key.pub",
        ),
        here=(
            "Compare the fingerprint; only if it is right, forget the old key with "
            "'ssh-keygen -R {host:plain}'.",
        ),
    ),
    "HostKeyNotChecked": Remedy(
        "ssh is told not to check the host's key.",
        here=("Take StrictHostKeyChecking out of -Options and ~/.ssh/config.",),
    ),
    "SshFailed": Remedy(
        "ssh did not get as far as the host's key.",
        here=("Run 'ssh -v {host:plain}' to see more.",),
    ),
    "SshNoKey": Remedy(
        "ssh had no key to offer.",
        here=(
            "Give -KeyFilePath, or load a key with ssh-add.",
            "Without a terminal ssh cannot ask for a password.",
        ),
    ),
    "SshRefused": Remedy(
        "The host takes none of the keys.",
        on_host=(
            "# Add the public key to ~/.ssh/authorized_keys of {user:plain}; for an "
            "administrator of Windows to",
            "# $env:ProgramData\\ssh\\administrators_authorized_keys",
        ),
        here=("Check -KeyFilePath and the user name.",),
    ),
    "SshAsks": Remedy(
        "ssh will ask for a password each time.",
        here=("Give -KeyFilePath, or load a key with ssh-add.",),
    ),
    "KeyFileMissing": Remedy(
        "There is no private key at {file:plain}.",
        here=("Check the path of -KeyFilePath.",),
    ),
    "KeyFileOpen": Remedy(
        "ssh does not use a key that others can read.",
        here=("Run 'chmod 600' on the key's file.",),
    ),
    "SubsystemMissing": Remedy(
        "sshd runs there, but it does not know PowerShell as the subsystem "
        "{subsystem}.",
        on_host=_SUBSYSTEM,
        here=("Or give the name that it has there with -Subsystem.",),
    ),
    # local
    "ErrorPowerShellNotFound": Remedy(
        "There is no PowerShell on this machine that could be found.",
        here=("Install it, set PSEXPORT_PWSH to its path, or give pwsh:/path.",),
    ),
    "ProgramUnusable": Remedy(
        "The program cannot be started.",
        here=("Check the path, and that you may run it.",),
    ),
    "ConfigurationFileUnusable": Remedy(
        "The session configuration file cannot be read.",
        here=("Check the path of -ConfigurationFile.",),
    ),
    "FileUnusable": Remedy(
        "The file cannot be read.", here=("Check the path in the session.",)
    ),
    # the examination itself
    "StepTooLong": Remedy(
        "The host did not come to an end with this step.",
        here=("Try again; if it stays, look at what the host is doing.",),
    ),
}


def advise(finding: Finding, kind: Kind, about: Mapping[str, str]) -> Advice:
    """What a finding means and what helps.

    :param kind: the kind of session; some rows are for one kind.
    :param about: facts of the connection that remedies may name: ``host``, ``user``,
        ``port``, ``configuration``, ``subsystem``.
    """
    remedy = _TABLE.get(f"{kind.value}:{finding.cause}") or _TABLE.get(finding.cause)
    hint = (_sentence(finding.hint),) if finding.hint else ()
    if remedy is None:
        return Advice(finding.cause, _sentence(finding.text), here=hint)
    facts = {**about, **{name: _word(fact) for name, fact in finding.facts.items()}}
    quoted = _Words({name: _OnHost(text) for name, text in facts.items()})
    plain = _Words({name: _Plain(text) for name, text in facts.items()})
    return Advice(
        finding.cause,
        remedy.text.format_map(plain),
        tuple(line.format_map(quoted) for line in remedy.on_host),
        tuple(line.format_map(plain) for line in remedy.here) or hint,
    )


class _Words(dict[str, str]):
    """Facts by name; what was not found out is an ellipsis."""

    def __missing__(self, name: str) -> str:
        return _Plain("…")


class _Plain(str):
    """A word in a sentence."""

    def __format__(self, spec: str) -> str:
        return str(self)


class _OnHost(_Plain):
    """A word in a line of PowerShell: quoted, unless it is asked for plain."""

    def __format__(self, spec: str) -> str:
        return str(self) if spec == "plain" else Quoted(str(self)).render()


def _word(fact: Fact) -> str:
    if isinstance(fact, list):
        return ", ".join(fact) or "nothing"
    return "" if fact is None else str(fact)


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip(' .')}." if text else ""


__all__ = ["Remedy", "advise"]
