"""Working something out once for each object."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

_Object = TypeVar("_Object")
_Result = TypeVar("_Result")


def once(work: Callable[[_Object], _Result]) -> Callable[[_Object], _Result]:
    """Return what does the same work, but once for each object it is given.

    Objects are told apart by identity: to compare commands or parameters takes as long
    as the work. What is raised is not remembered.
    """
    # With the object, so that nothing else can come to have its id.
    known: dict[int, tuple[_Object, _Result]] = {}

    def of(it: _Object) -> _Result:
        found = known.get(id(it))
        if found is None:
            found = known[id(it)] = it, work(it)
        return found[1]

    return of


__all__ = ["once"]
