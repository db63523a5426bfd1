"""Pages that ``Get-Help -Online`` can open.

Get-Help parses the address whether it is to open it or not. One that .NET cannot parse
is an error in place of the help, so an address that is not plainly one is none.
"""

from __future__ import annotations

import re

_PAGE = re.compile(
    r"https?://(?P<host>[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*\.?)(:(?P<port>[0-9]{1,5}))?"
    r"([/?#][a-z0-9._~:/?#@!$&'()*+,;=%-]*)?",
    re.ASCII | re.IGNORECASE,
)


def is_page(address: str) -> bool:
    """Whether an address is one of a page on the web, in ASCII."""
    page = _PAGE.fullmatch(address)
    return (
        page is not None
        and len(address) <= 2_000
        and len(page["host"]) <= 253
        and int(page["port"] or 0) <= 65_535
    )


__all__ = ["is_page"]
