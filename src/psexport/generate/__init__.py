"""From a selection to texts: pure, deterministic, and no host in sight."""
