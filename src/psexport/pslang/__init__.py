"""PowerShell's lexical rules: the only place that knows them.

Four ideas, one file each:

* :mod:`.characters`: which characters are quotes, dashes, letters, and how names are
  compared;
* :mod:`.names`: which names may become code, and as what;
* :mod:`.wildcard`: patterns;
* :mod:`.render`: values to PowerShell text, escaped at the sink, by type;
* :mod:`.literal`: PowerShell text, as people type it, to values.
"""

from __future__ import annotations

from .characters import fold
from .literal import LiteralSyntaxError, TypedInt, parse_literal
from .names import (
    COMMON_PARAMETER_ALIASES,
    COMMON_PARAMETERS,
    SHADOWING_VARIABLES,
    UNWRITABLE_VARIABLES,
    NameKind,
    check_prefix,
    is_definable,
    is_safe_name,
    needs_other_variable,
    why_not_definable,
)
from .render import (
    Comment,
    CommentHelp,
    FunctionName,
    Literal,
    Quoted,
    TypeLiteral,
    UnrenderableError,
    VariableName,
)
from .wildcard import Wildcard, has_wildcards, matches

__all__ = [
    "COMMON_PARAMETERS",
    "COMMON_PARAMETER_ALIASES",
    "SHADOWING_VARIABLES",
    "UNWRITABLE_VARIABLES",
    "Comment",
    "CommentHelp",
    "FunctionName",
    "Literal",
    "LiteralSyntaxError",
    "NameKind",
    "Quoted",
    "TypeLiteral",
    "TypedInt",
    "UnrenderableError",
    "VariableName",
    "Wildcard",
    "check_prefix",
    "fold",
    "has_wildcards",
    "is_definable",
    "is_safe_name",
    "matches",
    "needs_other_variable",
    "parse_literal",
    "why_not_definable",
]
