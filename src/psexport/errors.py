"""Every way in which psexport says no.

There is one root, :class:`PSExportError`, so that a caller needs one ``except``.
An error carries the id that scripts test for, what it is about, and what to do:
the three things that its one line on standard error shows.
"""

from __future__ import annotations


class PSExportError(Exception):
    """A failure that a person can act on.

    :param message: what failed, one sentence without a trailing full stop needed.
    :param id: stable identifier, e.g. ``ErrorFromRemoteCommand``.
    :param target: what it is about: a command, a file, a host; ``None`` if nothing.
    :param hint: what to do about it, an imperative sentence; ``None`` if nothing.
    """

    #: Exit code of the command line for this kind of failure.
    exit_code = 1

    def __init__(
        self,
        message: str,
        *,
        id: str,
        target: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.id = id
        self.target = target
        self.hint = hint


class UsageError(PSExportError):
    """The caller asked for something that cannot be asked for."""

    exit_code = 2


class TransportError(PSExportError):
    """The session could not be opened, broke, or did not answer in time.

    :param phase: where it happened: ``resolve``, ``connect``, ``tls``, ``logon``,
        ``open``, ``run`` or ``close``.
    """

    def __init__(
        self,
        message: str,
        *,
        id: str,
        phase: str,
        target: str | None = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, id=id, target=target, hint=hint)
        self.phase = phase


class RemoteError(PSExportError):
    """The host answered, and its answer is an error or makes no sense."""
