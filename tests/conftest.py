"""What every test shares: hypothesis profiles and the engine fixture."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parent))

from servers.fixtures import certificates, realm, tls  # noqa: F401

settings.register_profile(
    "ci",
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("dev", deadline=None)
settings.register_profile(  # scripts/fuzz
    "fuzz",
    max_examples=int(os.environ.get("PSEXPORT_FUZZ", "10000")),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


@pytest.fixture(scope="session")
def pwsh() -> str:
    """Path of a PowerShell engine; the test is skipped, with the reason, without."""
    from engine import require_pwsh

    return require_pwsh()
