"""What the tests of the command line share."""

from __future__ import annotations

from pathlib import Path

import pytest

from recorded_host import write_recording


@pytest.fixture(scope="session")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recording of a host that needs no PowerShell."""
    return write_recording(tmp_path_factory.mktemp("host"))
