"""Real counterparts on loopback for the tests: certificates, KDC, sshd, proxy.

Each is a context manager that keeps to a folder of its own, takes a free port, and
leaves nothing running. One whose program is not installed raises `NotInstalledError`
with what to install; `unavailable()` tells before.
"""

from .processes import NotInstalledError

__all__ = ["NotInstalledError"]
