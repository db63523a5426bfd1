"""Which names may become code, and as what.

A host chooses its names. :func:`is_safe_name` is Export-PSSession's rule, which keeps
a name from ending the text around it. It does not keep a name from *meaning*
something where it stands: that is what the other rules here are about. Every one of
them was tried in the engine; the tests repeat that.
"""

from __future__ import annotations

import enum
import functools
import re
import unicodedata

from ..errors import UsageError
from .characters import fold

_MAX_LENGTH = 100
_ASCII_SAFE = re.compile(r"[A-Za-z0-9\-._:\\]+")
_PUNCTUATION = frozenset("-._:\\")
_CATEGORIES = frozenset(("Lu", "Ll", "Lt", "Lo", "Lm", "Nd"))


class NameKind(enum.Enum):
    """What a name names; the value is the id of the error that refuses it."""

    COMMAND = "ErrorSkippedUnsafeCommandName"
    PARAMETER = "ErrorSkippedUnsafeParameterName"
    ALIAS = "ErrorSkippedUnsafeAliasName"
    PARAMETER_SET = "ErrorSkippedUnsafeParameterSetName"


def is_safe_name(text: str, kind: NameKind = NameKind.COMMAND) -> bool:
    """Whether a host's name can end nothing around it, wherever it is put.

    One to 100 letters, decimal digits and ``- . _ : \\``, the whole of it; names of
    parameters have no colon. A character outside of the basic plane is two surrogates
    to PowerShell, and those are no letters.
    """
    if kind is NameKind.PARAMETER and ":" in text:
        return False
    return 0 < len(text) <= _MAX_LENGTH and _has_safe_characters(text)


@functools.lru_cache(maxsize=4096)  # a host repeats the names of its parameters
def _has_safe_characters(text: str) -> bool:
    if text.isascii():
        return _ASCII_SAFE.fullmatch(text) is not None
    return all(
        character <= "\uffff"
        and (
            character in _PUNCTUATION or unicodedata.category(character) in _CATEGORIES
        )
        for character in text
    )


_SCOPES = frozenset(map(fold, ("global", "local", "private", "script")))


def why_not_definable(name: str) -> str | None:
    """Say why no function or alias of this safe name can be made, ``None`` if it can.

    * ``function global:x`` defines ``x`` outside of the module, ``script:``,
      ``local:`` and ``private:`` define another name than was asked for.
    * A function ``Module\\Name`` catches calls of ``Name`` in ``Module``, and one
      called like a path catches calls of that path. A backslash at the end is how
      stock shells call ``cd\\``, and is neither.
    """
    scope, colon, _ = name.partition(":")
    if colon and fold(scope) in _SCOPES:
        return f"its name would be taken as {scope!r} scope"
    if "\\" in name[:-1]:
        return "its name would catch calls of another module's command, or of a path"
    return None


def is_definable(name: str) -> bool:
    """Whether a function or alias of this safe name can be made in a module."""
    return why_not_definable(name) is None


def check_prefix(prefix: str) -> None:
    """Refuse what cannot be put before the nouns of commands.

    :raises UsageError: id ``InvalidPrefix``.
    """
    if prefix and ("\\" in prefix or not is_safe_name(prefix, NameKind.PARAMETER)):
        raise UsageError(
            f"{prefix!r} is no prefix for names of commands",
            id="InvalidPrefix",
            target=prefix,
            hint="Use letters and digits.",
        )


def _folded(names: str) -> frozenset[str]:
    return frozenset(map(fold, names.split()))


#: The common parameters, folded, of any PowerShell: a function's own parameter of
#: such a name makes the function unusable.
COMMON_PARAMETERS = _folded(
    "Verbose Debug ErrorAction WarningAction InformationAction ProgressAction"
    " ErrorVariable WarningVariable InformationVariable OutVariable OutBuffer"
    " PipelineVariable"
)
#: Their aliases, folded.
COMMON_PARAMETER_ALIASES = _folded("vb db ea wa infa proga ev wv iv ov ob pv")

#: Variables, folded, that a parameter cannot set. A function with a parameter of such
#: a name has ordinary metadata and fails on every call, even without the parameter.
UNWRITABLE_VARIABLES = _folded(
    "true false null ? PID Host ExecutionContext PSVersionTable PSHome HOME ShellId"
    " PSCulture PSUICulture PSEdition IsWindows IsLinux IsMacOS IsCoreCLR"
    " EnabledExperimentalFeatures MyInvocation"
)
#: Variables, folded, that mean something to the code of a function, so that a
#: parameter of the name would change what that code does, or loses its value.
SHADOWING_VARIABLES = _folded(
    "_ PSItem input args this PSCmdlet PSBoundParameters PSScriptRoot PSCommandPath"
    " Error StackTrace Matches foreach switch PWD OFS LASTEXITCODE PSDebugContext"
    " PSDefaultParameterValues PSModuleAutoLoadingPreference PSSessionOption"
    " PSSessionApplicationName PSSessionConfigurationName PSSenderInfo"
    " OutputEncoding FormatEnumerationLimit NestedPromptLevel"
    " ErrorActionPreference WarningPreference InformationPreference"
    " ProgressPreference VerbosePreference DebugPreference ConfirmPreference"
    " WhatIfPreference ErrorView MaximumHistoryCount"
    " PSNativeCommandUseErrorActionPreference PSNativeCommandArgumentPassing"
)


@functools.lru_cache(maxsize=4096)
def needs_other_variable(parameter: str) -> bool:
    """Whether a proxy's parameter of this name needs another variable.

    Then the proxy declares ``[Alias('Name')] ${other}``; the caller still types
    ``-Name``.
    """
    key = fold(parameter)
    return key in UNWRITABLE_VARIABLES or key in SHADOWING_VARIABLES
