"""Who may log on.

NTLM's acceptor reads its accounts from one file, which NTLM_USER_FILE names once for
the whole process. So there is one table of accounts for every server of a test run.
"""

from __future__ import annotations

import atexit
import os
import tempfile
import threading
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Account:
    """A user; `domain` is empty for a local one."""

    name: str
    password: str = field(repr=False)
    domain: str = ""

    @property
    def logon_name(self) -> str:
        return f"{self.domain}\\{self.name}" if self.domain else self.name


ADMIN = Account("admin", "C0rrect-Horse!")
OPERATOR = Account("operator", "Battery-Staple7")
DOMAIN_USER = Account("alice", "Wonder-Land9", domain="PSEXPORT")
UNICODE_USER = Account("jürgen", "Grüße-€42")
ACCOUNTS = (ADMIN, OPERATOR, DOMAIN_USER, UNICODE_USER)

_installing = threading.Lock()


def install_ntlm_accounts() -> Path:
    """Make `ACCOUNTS` known to NTLM in this process; the file it reads them from.

    Done once: a change of the environment while other threads use it is not safe.
    A NTLM_USER_FILE that the caller has set before is left as it is.
    """
    with _installing:
        known = os.environ.get("NTLM_USER_FILE")
        if known:
            return Path(known)
        descriptor, name = tempfile.mkstemp(prefix="psexport-ntlm-")
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            for account in ACCOUNTS:
                file.write(f"{account.domain}:{account.name}:{account.password}\n")
        atexit.register(Path(name).unlink, missing_ok=True)
        os.environ["NTLM_USER_FILE"] = name
        return Path(name)


def find_account(logon_name: str) -> Account | None:
    """The account of `name`, `DOMAIN\\name` or `name@realm`."""
    wanted = logon_name.casefold()
    for account in ACCOUNTS:
        if wanted == account.logon_name.casefold():
            return account
    return None
