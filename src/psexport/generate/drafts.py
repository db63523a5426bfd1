"""Proxies, written while the host still talks of other commands.

Nearly all of a proxy's text hangs on its command alone. To write it as soon as the
command is known costs no time: the host takes longer to tell of the next ones.
"""

from __future__ import annotations

import contextlib

from ..model import Command
from ..pslang import UnrenderableError
from .design import design
from .proxy import Draft, draft


class Drafts:
    """The drafts of commands, of each one as soon as it is known.

    :param compatible: flatten the commands as Export-PSSession does.
    """

    def __init__(self, *, compatible: bool = False) -> None:
        self._compatible = compatible
        #: With the command, so that nothing else can come to have its id.
        self._known: dict[int, tuple[Command, Draft]] = {}

    def add(self, command: Command) -> None:
        """Write the draft of a command that may be wanted."""
        # What makes no text is the business of whoever wants it.
        with contextlib.suppress(UnrenderableError):
            self._known[id(command)] = command, self._draft(command)

    def of(self, command: Command) -> Draft:
        """Return the draft of a command, and forget it: nobody needs it twice.

        :raises UnrenderableError: something in it can be part of no text.
        """
        known = self._known.pop(id(command), None)
        return known[1] if known else self._draft(command)

    def _draft(self, command: Command) -> Draft:
        return draft(design(command, compatible=self._compatible))


__all__ = ["Drafts"]
