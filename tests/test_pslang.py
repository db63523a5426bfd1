"""PowerShell's lexical rules, with the engine as the judge.

What needs the engine goes to it in batches: one process answers thousands of
questions, each a line of base64, so that nothing here depends on a shell's quoting.
"""

from __future__ import annotations

import base64
import contextlib
import random
import re
import struct
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import run_script
from psexport.errors import UsageError
from psexport.pslang import (
    COMMON_PARAMETER_ALIASES,
    COMMON_PARAMETERS,
    SHADOWING_VARIABLES,
    UNWRITABLE_VARIABLES,
    Comment,
    CommentHelp,
    FunctionName,
    Literal,
    LiteralSyntaxError,
    NameKind,
    Quoted,
    TypedInt,
    TypeLiteral,
    UnrenderableError,
    VariableName,
    fold,
    has_wildcards,
    is_definable,
    is_safe_name,
    matches,
    needs_other_variable,
    parse_literal,
)

Ask = Callable[[str, list[tuple[str, ...]]], list[str]]

_SKELETON = """
param($questions, $answers)
$utf16 = [Text.Encoding]::Unicode
function Text64([string] $text) { [Convert]::ToBase64String($utf16.GetBytes($text)) }
function Parse([string] $text) {
    $tokens = $errors = $null
    $ast = [Management.Automation.Language.Parser]::ParseInput(
        $text, [ref] $tokens, [ref] $errors)
    if ($errors) { throw $errors[0].ErrorId }
    $ast
    $script:tokens = $tokens
}
%(functions)s
$written = [Text.StringBuilder]::new()
foreach ($line in [IO.File]::ReadAllLines($questions)) {
    $q = @(foreach ($part in $line.Split(' ')) {
        $utf16.GetString([Convert]::FromBase64String($part)) })
    $answer = try { . { %(body)s } } catch { 'ERROR ' + $_ }
    [void] $written.Append((Text64 ([string] $answer))).Append("`n")
}
[IO.File]::WriteAllText($answers, $written.ToString())
"""

#: A value as text that says its type, on both sides.
_CANON = """
function Canon($value) {
    if ($null -eq $value) { return 'null' }
    if ($value -is [string]) { return 's' + (Text64 $value) }
    if ($value -is [bool]) { return "$value" }
    if ($value -is [Collections.IDictionary]) {
        $members = foreach ($key in $value.Keys) {
            (Text64 $key) + '=' + (Canon $value[$key]) }
        $members = [string[]] @($members)
        [array]::Sort($members, [StringComparer]::Ordinal)
        return '{' + ($members -join ';') + '}'
    }
    if ($value -is [array]) {
        return '[' + (@(foreach ($member in $value) { Canon $member }) -join ',') + ']'
    }
    if ($value -is [double]) {
        return 'd' + [BitConverter]::DoubleToInt64Bits($value) }
    if ($value -is [decimal]) { return 'm' + $value.ToString('G29') }
    $value.GetType().FullName + ':' + $value
}
"""


def canon(value: object) -> str:
    match value:
        case None:
            return "null"
        case str():
            return "s" + _text64(value)
        case bool():
            return str(value)
        case dict():
            members = (f"{_text64(k)}={canon(v)}" for k, v in value.items())
            return "{" + ";".join(sorted(members)) + "}"
        case list():
            return "[" + ",".join(map(canon, value)) + "]"
        case float():
            return f"d{struct.unpack('<q', struct.pack('<d', value))[0]}"
        case Decimal():
            text = f"{value:f}"
            return "m" + (text.rstrip("0").rstrip(".") if "." in text else text)
        case TypedInt():
            return f"{value.type_name}:{value}"
        case int():
            name = "Int32" if -(2**31) <= value < 2**31 else "Int64"
            return f"System.{name}:{value}"
    raise AssertionError(value)


def _text64(text: str) -> str:
    return base64.b64encode(text.encode("utf-16-le", "surrogatepass")).decode()


@pytest.fixture
def ask(pwsh: str, tmp_path: Path) -> Ask:
    def _ask(
        body: str, questions: list[tuple[str, ...]], functions: str = ""
    ) -> list[str]:
        script, given, answered = (
            tmp_path / name for name in ("ask.ps1", "questions", "answers")
        )
        script.write_text(
            _SKELETON % {"body": body, "functions": functions}, encoding="utf-8-sig"
        )
        given.write_text(
            "".join(" ".join(map(_text64, question)) + "\n" for question in questions)
        )
        run_script(pwsh, script, str(given), str(answered))
        return [
            base64.b64decode(line).decode("utf-16-le")
            for line in answered.read_text().splitlines()
        ]

    return _ask


# Everything that means something somewhere in PowerShell, and what looks like it.
NASTY = (
    "'\u2018\u2019\u201a\u201b\u2032\uff07\"\u201c\u201d\u201e\u201f`$(){}[]<>#;|&@%?*"
    " \t\r\n\0\x01\a\b\x1b\v\f\x7f\u0085\u00a0\u2028\u2029\u202e\ufeff\uffff-–—―.:\\/_"
    "aZ09ßéЖ中😀"
)
WORDS = (
    "#>", "<#", "$(", "${a}", "`n", "\r\n", "‘’", "# SIG # Begin signature block",
    "\n# SIG # Begin signature block", ".FORWARDHELPTARGETNAME", "\n.SYNOPSIS\nx",
    "'@", '"@', "@'", "--%", "$true", "`u{41}", "#requires -Version 99", "’'", "“”",
)  # fmt: skip


def nasty_texts(seed: int, count: int) -> list[str]:
    rng = random.Random(seed)
    texts = ["", *NASTY, *WORDS]
    while len(texts) < count:
        parts = (
            rng.choice(WORDS) if rng.random() < 0.2 else rng.choice(NASTY)
            for _ in range(rng.randrange(1, 9))
        )
        texts.append("".join(parts))
    return texts


# --- names ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("Get-Item", True),
        ("a", True),
        ("a" * 100, True),
        ("a" * 101, False),
        ("", False),
        ("cd..", True),
        ("cd\\", True),
        ("C:", True),
        ("Ж-中ªʰǅ٣", True),
        ("Get-Item\n", False),
        ("Get Item", False),
        ("Get–Item", False),  # U+2013 is a dash to PowerShell
        ("%", False),
        ("?", False),
        ("a'b", False),
        ("a’b", False),
        ("a$b", False),
        ("a`b", False),
        ("a#b", False),
        ("a\0", False),
        ("aⅷ", False),  # Nl
        ("a²", False),  # No
        ("a\u0301", False),  # Mn
        ("a\u202eb", False),  # Cf
        ("𝐀", False),  # a letter, and two surrogates in .NET
        ("\ud800", False),
    ],
)
def test_safe_names(name: str, safe: bool) -> None:
    for kind in (NameKind.COMMAND, NameKind.ALIAS, NameKind.PARAMETER_SET):
        assert is_safe_name(name, kind) is safe
    assert is_safe_name(name, NameKind.PARAMETER) is (safe and ":" not in name)


@pytest.mark.parametrize(
    ("name", "definable"),
    [
        ("Get-Item", True),
        ("cd\\", True),
        ("\\", True),
        ("C:", True),
        ("Get-X:y", True),
        ("variable:x", True),
        ("globals:x", True),
        ("if", True),
        ("foo.ps1", True),
        ("global:x", False),
        ("GLOBAL:x", False),
        ("Script:x", False),
        ("local:", False),
        ("private:x", False),
        ("Microsoft.PowerShell.Core\\Get-Job", False),
        ("C:\\x.exe", False),
        ("\\x", False),
        (".\\x", False),
        ("a\\b\\", False),
    ],
)
def test_definable_names(name: str, definable: bool) -> None:
    assert is_safe_name(name)
    assert is_definable(name) is definable


@pytest.mark.engine
def test_a_definable_name_defines_that_function_in_the_module_alone(ask: Ask) -> None:
    names = [
        *("if", "foreach", "data", "begin", "clean", "class", "using", "configuration"),
        *(
            "exit",
            "true",
            "default",
            "in",
            "1",
            "1kb",
            "kb",
            "0x10",
            "1..2",
            ".5",
            "-x",
        ),
        *("--", "-", ".", "..", ".x", "x.", "_", ":", "::", "x:", ":x", "C:", "a:b:c"),
        *(
            "cd..",
            "cd\\",
            "\\",
            "a\\",
            "Get-X:y",
            "variable:v",
            "function:f",
            "alias:a",
        ),
        *("env:e", "using:u", "foo.ps1", "foo.exe", "٣", "Ж中"),
    ]
    assert all(map(is_definable, names))
    body = """
        $before = @(Get-ChildItem function:).Name
        $text = "function $($q[0]) { 'ran' }`nExport-ModuleMember -Function $($q[1])"
        $module = New-Module -ScriptBlock ([scriptblock]::Create($text))
        $after = @((Get-ChildItem function:).Name)
        $leaked = @($after | Where-Object { $_ -ne $q[2] -and $_ -notin $before })
        $made = @($module.ExportedFunctions.Keys)
        "$made|$(& $module.ExportedFunctions[$q[2]])|$leaked"
    """
    questions = [
        (FunctionName(name).render(), Quoted(name).render(), name) for name in names
    ]
    assert ask(body, questions) == [f"{name}|ran|" for name in names]


@pytest.mark.engine
def test_a_scope_in_a_name_defines_something_else(ask: Ask) -> None:
    body = """
        $module = New-Module ([scriptblock]::Create("function $($q[0]) { 'ran' }"))
        @($module.ExportedFunctions.Keys) -contains $q[0]
    """
    names = ["global:x", "script:x", "local:x", "private:x", "GLOBAL:x"]
    assert not any(map(is_definable, names))
    assert ask(body, [(name,) for name in names]) == ["False"] * len(names)


@pytest.mark.engine
def test_variables_that_no_parameter_can_set(ask: Ask) -> None:
    body = """
        . ([scriptblock]::Create(
            "function T { [CmdletBinding()] param($($q[0])) process { 'ran' } }"))
        $bound = @{ $q[1] = '5' }
        try { T @bound } catch { 'no' }
    """
    # -? asks for help; MyInvocation also breaks the caller, here the question loop.
    unwritable = sorted(UNWRITABLE_VARIABLES - {"?", "MYINVOCATION"})
    others = [*sorted(SHADOWING_VARIABLES), "X", "IF", "ENV", "GLOBAL", "A.B", "A-B"]
    answers = ask(body, [(VariableName(n).render(), n) for n in unwritable + others])
    assert answers == ["no"] * len(unwritable) + ["ran"] * len(others)


def test_which_parameters_need_another_variable() -> None:
    assert needs_other_variable("pid")
    assert needs_other_variable("PSCmdlet")
    assert not needs_other_variable("Name")


@pytest.mark.engine
def test_common_parameters_are_those_of_the_engine(ask: Ask) -> None:
    body = """
        function T { [CmdletBinding()] param() }
        $common = (Get-Command T).Parameters.Values
        (@($common.Name) -join ' ') + '|' + (@($common.Aliases) -join ' ')
    """
    names, aliases = ask(body, [("",)])[0].upper().split("|")
    assert set(names.split()) == COMMON_PARAMETERS
    assert set(aliases.split()) == COMMON_PARAMETER_ALIASES


# --- folding ----------------------------------------------------------------------


def test_folding_does_not_expand() -> None:
    assert fold("straße") == "STRAßE"
    assert fold("Get-item") == fold("GET-ITEM")
    assert fold("ı") != fold("i")


@pytest.mark.engine
def test_folding_is_the_engines_for_every_character_that_python_knows(ask: Ask) -> None:
    body = """
        $all = foreach ($unit in 0x80..0xd7ff) {
            [string] [char]::ToUpperInvariant([char] $unit) }
        -join $all
    """
    (capitals,) = ask(body, [("",)])
    differing = [
        hex(unit)
        for unit, capital in zip(range(0x80, 0xD800), capitals, strict=True)
        # Skip capitals that are too new for this Python: it does not know their case.
        if fold(chr(unit)) != capital and capital.isprintable()
    ]
    assert not differing


# --- wildcards --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("*", "", True),
        ("get-*", "Get-Item", True),
        ("Get-?tem", "get-item", True),
        ("[a-c]x", "Bx", True),
        ("[a-c]x", "dx", False),
        ("[!a]", "b", False),  # no negation
        ("[!a]", "!", True),
        ("[^a]", "^", True),
        ("[]]", "]", True),
        ("[]a]", "A", True),
        ("`*", "*", True),
        ("`*", "x", False),
        ("`[a", "[a", True),
        ("a`", "a`", True),
        ("`", "", True),
        ("[a`-c]", "-", True),
        ("[a`-c]", "b", False),
        ("a*b*c", "aXbXc", True),
        ("*ab*ab", "abab", True),
        ("*ab*ab", "ab", False),
        ("?", "😀", False),
        ("??", "😀", True),
        ("a\n*", "A\nb", True),
    ],
)
def test_wildcards(pattern: str, text: str, fits: bool) -> None:
    assert matches(pattern, text) is fits


@pytest.mark.parametrize("pattern", ["[", "[a", "[]", "[z-a]", "a[", "[`", "[+-[]"])
def test_patterns_that_are_none(pattern: str) -> None:
    with pytest.raises(UsageError) as caught:
        matches(pattern, "a")
    assert caught.value.id == "WildcardPatternInvalid"
    assert caught.value.target == pattern


@pytest.mark.parametrize(
    ("pattern", "wild"),
    [("Get-Item", False), ("Get-*", True), ("a?", True), ("[a]", True), ("a`*", False),
     ("a``*", True), ("a]", False)],
)  # fmt: skip
def test_which_patterns_are_literal_names(pattern: str, wild: bool) -> None:
    assert has_wildcards(pattern) is wild


def test_no_pattern_takes_long() -> None:
    assert not matches("*a" * 200 + "b", "a" * 10_000)


@pytest.mark.engine
def test_wildcards_match_as_the_engines(ask: Ask) -> None:
    rng = random.Random(20)
    alphabets = ["abzAZ019-]*?[`!^\\. äÄßKıſİ😀–\n", "ab*?[]-`", "a[]-z`", "ab[c]*"]

    def word(alphabet: str, most: int = 8) -> str:
        return "".join(rng.choice(alphabet) for _ in range(rng.randrange(most)))

    def near(pattern: str) -> str:
        """A text that has a chance."""
        filled = {"*": word("aXb", 3), "?": rng.choice("ax")}
        return "".join(
            filled.get(c, c if rng.random() < 0.8 else c.swapcase())
            for c in pattern
            if c not in "[]`" or rng.random() < 0.1
        )

    patterns = [word(rng.choice(alphabets)) for _ in range(6000)]
    questions = [(p, near(p) if rng.random() < 0.7 else word("ab]-")) for p in patterns]
    body = """
        $options = [Management.Automation.WildcardOptions]'IgnoreCase,CultureInvariant'
        $type = [Management.Automation.WildcardPattern]
        try { $type::new($q[0], $options).IsMatch($q[1]) } catch { 'no pattern' }
    """

    def ours(pattern: str, text: str) -> str:
        try:
            return str(matches(pattern, text))
        except UsageError:
            return "no pattern"

    answers = ask(body, questions)  # type: ignore[arg-type]
    assert min(answers.count(kind) for kind in ("True", "False", "no pattern")) > 500
    assert [q for q, a in zip(questions, answers, strict=True) if ours(*q) != a] == []


# --- rendering --------------------------------------------------------------------


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_what_is_rendered_stays_on_its_line(text: str) -> None:
    assert not {"\n", "\r", "\0"} & set(Quoted(text).render())
    assert "\0" not in Comment(text).render()
    assert Comment(text).render().count("#>") == 1


@pytest.mark.engine
def test_quote_then_parse_is_identity(ask: Ask) -> None:
    texts = nasty_texts(1, 4000)
    body = """
        $statement = @((Parse $q[0]).EndBlock.Statements)
        $constant = $statement[0].PipelineElements[0].Expression
        if ($statement.Count -ne 1) { throw 'more than one statement' }
        if ($constant.GetType().Name -ne 'StringConstantExpressionAst') { throw 'code' }
        $constant.Value
    """
    answers = ask(body, [(Quoted(text).render(),) for text in texts])
    assert [t for t, a in zip(texts, answers, strict=True) if t != a] == []


@pytest.mark.engine
def test_variable_then_parse_is_identity(ask: Ask) -> None:
    names = [
        n for n in nasty_texts(2, 1500) if n and not set(n) & set("\0\a\b\t\n\v\f\r:")
    ]
    body = """
        $statement = @((Parse $q[0]).EndBlock.Statements)
        if ($statement.Count -ne 1) { throw 'more than one statement' }
        $statement[0].PipelineElements[0].Expression.VariablePath.UserPath
    """
    answers = ask(body, [(VariableName(name).render(),) for name in names])
    assert [n for n, a in zip(names, answers, strict=True) if n != a] == []


@pytest.mark.engine
def test_comments_are_only_comments(ask: Ask) -> None:
    texts = nasty_texts(3, 2500)
    body = """
        $ast = Parse ("'a'`n" + $q[0] + "`nfunction f { 'b' }`n'c'`n")
        $kinds = ($script:tokens.Kind | Where-Object { $_ -ne 'NewLine' }) -join ' '
        $statements = $ast.EndBlock.Statements
        "$($statements.Count) $kinds $($statements[1].GetHelpContent())"
    """
    answers = set(ask(body, [(Comment(text).render(),) for text in texts]))
    assert answers == {
        "3 StringLiteral Comment Function Identifier LCurly StringLiteral RCurly"
        " StringLiteral EndOfInput "
    }


@pytest.mark.engine
def test_comment_help_has_our_directives_alone(ask: Ask) -> None:
    arguments = [t for t in nasty_texts(4, 500) if t.replace("\0", "").strip()]
    body = """
        $text = "function f {`n" + $q[0] + "`n'b' }`n'c'"
        $help = (Parse $text).EndBlock.Statements[0].GetHelpContent()
        "$($help.ForwardHelpCategory)|$($help.Synopsis)"
    """
    comments = [
        CommentHelp(
            (("FORWARDHELPTARGETNAME", text), ("FORWARDHELPCATEGORY", "Cmdlet"))
        ).render()
        for text in arguments
    ]
    answers = ask(body, [(comment,) for comment in comments])
    assert [c for c, a in zip(comments, answers, strict=True) if a != "Cmdlet|"] == []


@pytest.mark.engine
def test_literal_then_parse_is_identity(ask: Ask) -> None:
    texts = nasty_texts(5, 300)
    values = [
        {"Version": "1.0", "a b": [1, -2, 2**31, True, False, None], "n": {"é": ["x"]}},
        {},
        [],
        [[1], [[2, 3]]],
        *([t, {t: t, "k": [t, t]}] for t in texts if t.strip()),
    ]
    body = """
        $data = (Parse ('@{ value = ' + $q[0] + ' }')).Find({
            $args[0] -is [Management.Automation.Language.HashtableAst] }, $false)
        Canon $data.SafeGetValue()['value']
    """
    rendered = [(Literal(value).render(4),) for value in values]  # type: ignore[arg-type]
    answers = ask(body, rendered, _CANON)  # type: ignore[call-arg]
    assert answers == [canon(value) for value in values]


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("System.String", "[System.String]"),
        ("System.String[]", "[System.String[]]"),
        ("System.Int32[,][]", "[System.Int32[,][]]"),
        ("System.Nullable`1[[System.Int32]]", "[System.Nullable[System.Int32]]"),
        (
            "System.Nullable`1[[System.Int32, mscorlib, Version=4.0.0.0]][]",
            "[System.Nullable[System.Int32][]]",
        ),
        (
            "System.Collections.Generic.Dictionary`2[System.String,System.Int32[]]",
            "[System.Collections.Generic.Dictionary[System.String,System.Int32[]]]",
        ),
        ("System.Environment+SpecialFolder", "[System.Environment+SpecialFolder]"),
    ],
)
def test_types(name: str, written: str) -> None:
    assert TypeLiteral(name).render() == written


@pytest.mark.engine
def test_a_type_is_the_type_that_reflection_named(ask: Ask) -> None:
    names = [
        "System.String[]",
        "System.Int32[,][]",
        "System.Nullable`1[System.Int32]",
        "System.Collections.Generic.Dictionary`2[System.String,System.Int32[]]",
        "System.Collections.Generic.List`1[System.Nullable`1[System.Int32]][]",
        "System.Environment+SpecialFolder",
    ]
    body = "(Parse $q[0]).EndBlock.Statements[0].PipelineElements[0].Expression"
    body = f"({body}).TypeName.GetReflectionType().ToString()"
    assert ask(body, [(TypeLiteral(name).render(),) for name in names]) == names


@pytest.mark.parametrize(
    "name",
    [
        *("", "]", "a b", "a]; Get-Date; [b", "a[", "a[[b]", "1a", "a.", "a'", "a`1["),
        *("a[b]c", "a\n", "$a", "x" + "`1[[x" * 30),
    ],
)
def test_what_is_no_type(name: str) -> None:
    with pytest.raises(UnrenderableError):
        TypeLiteral(name).render()


@pytest.mark.parametrize(
    "sink",
    [
        Quoted("a\ud800b"),
        VariableName("a\udfff"),
        VariableName("global:x"),
        VariableName(""),
        VariableName("a\nb"),
        Comment("\udc00"),
        FunctionName("a b"),
        FunctionName("global:x"),
        FunctionName("M\\Get-Job"),
        Literal({"a": ["\ud800"]}),
    ],
)
def test_what_no_file_can_hold_is_refused(sink: Quoted) -> None:
    with pytest.raises(UnrenderableError) as caught:
        sink.render()
    assert caught.value.id == "ErrorUnrenderableText"
    assert caught.value.target is not None
    assert caught.value.target.isascii()


# --- literals ---------------------------------------------------------------------

# Two spaces or a line end between any two.
LITERALS = r"""
cert:  env:PATH  abc  a-b  a.b  C:\x  ./x  Get-*  1.2.3  1..2  a:b  a=b  12x  1a  kb
$true  $FALSE  $null  ''  ""  'a b'  "a b"  a`,b  a`'b  `$x  1`2  `1  a`nb
'it''s'  'a‘’b'  ‘a’  “b”  "a`nb"  "a""b"  "`$x"  "$"  "a $ b"  "`u{1F600}"
'a"b'  "a'b"
1  0  -5  +5  –5  —5  007  -0  00  5.  .5  1.5  -1.5  1e3  1E3  1e-3  1e–3  1.e2  .5e1
2147483647  2147483648  -2147483648  -2147483649
9223372036854775807
9223372036854775808  -9223372036854775808  -9223372036854775809
79228162514264337593543950335  79228162514264337593543950336  1e400  -1e400
1.7976931348623157e308  1L  1l  -1L  1.5L  2.5L  9223372036854775808L  1d  1.5d
1e2d  1e28d  1e29d  -.5d  1.50d  1y  127y  128y  -128y
255uy  256uy  1s  32768s  1us  -1us
1u  4294967295u  4294967296u  1ul  -1ul  10n  -10n  1.5n  1.5u  1e2l  1e2y
0x10  0xff  0xFF  0x7fffffff  0x80000000  0xFFFFFFFF  0x100000000  0xFFFFFFFFFFFFFFFF
0x8000000000000000  0x0FFFFFFFF  0x00FFFFFFFF  0xffL  0xFFFFFFFFL  0xFFFFFFFFu
0xffy  0x80y  0x7fy  0xffffs  0x80s  0xffuy  +0x10  -0x10  –0x10  0xFFFFFFFFFFFFFFFFu
0x1FFFFFFFFFFFFFFFF  0xFFFFFFFFFFFFFFFFFFFFFFFF  0x10n  0xFFn  0x10kb  0xffd
0b101  0b11111111  0b11111111y  0b1111111111111111s  0b1kb  -0b1
0b11111111111111111111111111111111  0b011111111111111111111111111111111
1kb  1.5kb  2MB  1gb  4gb  1tb  1pb  1Lkb  1dkb  1ykb  1uykb  -1kb  1e3kb  9999999pb
1u  1.5ykb  1_000  1,5  .  ..  -  -x  +x  +  .5.  1e  1e+  0xg  0b2  1kbb  1lu  1ll
a,b  1, 2 ,3  'a','b'  1,'a',$true  a,,b  @()  @('a')  @('a'; 'b', 'c')  @(1)  @(1,2)
@(@(1,2),3)  @{}  @{ModuleName='X'; ModuleVersion="1.0"}  @{'b c'=@('x'); c=$true}
@{a=1,2;}  @{a=1}, @{d=$null}  @{ a = @{ b = 'c' } }  @{a=-5}  @{"k"=1kb}
@(-5)  @(+5)  @(-2147483648)  @(-2147483649)  @(-9223372036854775808)  @(-1L)  @(-128y)
@(-0x10)  @(-1.5, -.5d)  @(-10n)  @(-1kb)  @(–5)  @(-0b1)  @{1='x'}
"""
LITERALS = [*re.split(r" {2,}|\n", LITERALS.strip()), "@{ModuleName='X'\nGuid='y'}"]
LITERALS.remove("a,,b")
NOT_LITERALS = [
    *("", " ", "$x", "$env:PATH", '"$x"', '"a$(Get-Date)"', "'a", '"a', "@(", "@{"),
    *("@{a}", "@{a=}", "@{a=1", "@{a=1 b=2}", "@{a=1;A=2}", "(1)", "{a}", "a b", "1,"),
    *(",1", "a,,b", "@{=1}", "@x", "a;b", "a|b", "a`", "@(1 2)", "'a'b", "$true$x"),
    *("@(" * 100, "#a", '"`u{110000}"', "@(a)", "@{a=b}"),
]


@pytest.mark.engine
def test_literals_are_typed_as_powershell_types_arguments(ask: Ask) -> None:
    body = """
        function Get-It { Canon $args[0] }
        . ([scriptblock]::Create('Get-It ' + $q[0]))
    """
    answers = ask(body, [(text,) for text in LITERALS], _CANON)
    wrong = [
        (text, canon(parse_literal(text)), answer)
        for text, answer in zip(LITERALS, answers, strict=True)
        if canon(parse_literal(text)) != answer
    ]
    assert not wrong, "\n".join(map(str, wrong))


@pytest.mark.parametrize("text", NOT_LITERALS)
def test_what_is_no_literal(text: str) -> None:
    with pytest.raises(LiteralSyntaxError) as caught:
        parse_literal(text)
    assert caught.value.id == "InvalidLiteral"
    assert 0 <= caught.value.position <= len(text)


@given(st.text(alphabet="@{}()'\"`$,;=ab1.0xkL-\n ", max_size=30))
def test_reading_a_literal_ends_in_a_value_or_in_a_reason(text: str) -> None:
    with contextlib.suppress(LiteralSyntaxError):
        canon(parse_literal(text))


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_quoted_string_reads_back(text: str) -> None:
    assert parse_literal(Quoted(text).render()) == text


@given(st.dictionaries(st.text("abcz' -’\n"), st.text("ab'’\n$`“"), max_size=4))
def test_a_rendered_table_reads_back(table: dict[str, str]) -> None:
    assert parse_literal(Literal(table).render()) == table
