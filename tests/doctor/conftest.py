"""What the tests of doctor share."""

from __future__ import annotations

import pytest


@pytest.fixture
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits long for a host that is known to be dead."""
    for name in ("winrm._SECONDS", "tls._SECONDS", "logons._SECONDS"):
        monkeypatch.setattr(f"psexport.doctor.{name}", 1.0)
    monkeypatch.setattr("psexport.doctor.network._CONNECT", 1.0)
    monkeypatch.setattr("psexport.doctor.ssh._ASKING", 3.0)
