"""Texts that a hostile host may say, wherever it may say something.

If any of them became code in PowerShell, :data:`PAYLOAD` would run and leave a file
where the environment variable ``PSEXPORT_CANARY`` says.
"""

from __future__ import annotations

PAYLOAD = "[IO.File]::AppendAllText($env:PSEXPORT_CANARY,'x')"

SINGLE_QUOTES = "'\u2018\u2019\u201a\u201b"
DOUBLE_QUOTES = '"\u201c\u201d\u201e'

#: By a name of its own, each is what a host says.
TEXTS: dict[str, str] = {
    **{
        f"quote {ord(quote):04X}": f"a{quote};{PAYLOAD};{quote}b"
        for quote in SINGLE_QUOTES + DOUBLE_QUOTES
    },
    **{
        f"quotes {ord(quote):04X} twice": f"{quote}{quote};{PAYLOAD}#{quote}"
        for quote in SINGLE_QUOTES + DOUBLE_QUOTES
    },
    "two kinds of quotes": f"\u2018\u2019';{PAYLOAD};\u201b'\u201c\"",
    "backtick": f"a`;{PAYLOAD}`",
    "backtick at the end": "a`",
    "subexpression": f"$({PAYLOAD})",
    "subexpression in quotes": f'"$({PAYLOAD})"',
    "variable": "$env:PATH ${env:PATH} @args",
    "with a tab, so in double quotes": f'\t$({PAYLOAD})\u201d;{PAYLOAD};\u201c`"',
    "end of a comment": f"#>\n{PAYLOAD}\n<#",
    "a line": f"a\n{PAYLOAD}\n",
    "a line of CR": f"a\r{PAYLOAD}\r",
    "other lines": f"a\u0085{PAYLOAD}\u2028{PAYLOAD}\v{PAYLOAD}\f{PAYLOAD}\u2029",
    "a newline at the end": "Get-Trailing\n",
    "here-string": f"a\n'@\n{PAYLOAD}\n@'\n\"@\n{PAYLOAD}\n@\"\n",
    "end of everything": f"a'));}})]}}\n{PAYLOAD}\nfunction b{{param([Alias(('",
    "a parameter block": f"a){{}}{PAYLOAD}#",
    "semicolon": f"a;{PAYLOAD}",
    "pipe": f"a|%{{{PAYLOAD}}}",
    "call": f"&{{{PAYLOAD}}}",
    "attribute": f"[ValidateScript({{{PAYLOAD}}})]",
    "stop parsing": f"--% {PAYLOAD}",
    "signature": "a\n# SIG # Begin signature block\n# A\n# SIG # End signature block\n",
    "directives": "a\n.FORWARDHELPTARGETNAME Get-Item\n.EXTERNALHELP c:\\x.xml\n",
    "xml": f"</ScriptBlock></S><ScriptBlock>{PAYLOAD}</ScriptBlock>]]><!--&x;--><?x?>",
    "xml attribute": '"/><!ENTITY x "y">\'',
    "NUL": f"a\0';{PAYLOAD};'b",
    "NUL alone": "\0",
    "control characters": "".join(map(chr, range(1, 32))) + "\x7f\x80\x9b31m",
    "terminal": "\x1b]0;title\x07\x1b[2J\x1b[31mred",
    "parent folders": "..\\..\\..\\..\\psexport-escaped",
    "parent folders of Unix": "../../../../psexport-escaped",
    "rooted": "/tmp/psexport-escaped",
    "rooted on Windows": "C:\\Windows\\psexport-escaped",
    "share": "\\\\host\\share\\psexport-escaped",
    "device": "con",
    "home": "~/psexport-escaped",
    "long": "A" * 10_000,
    "long and quoted": "'" * 10_000,
    "longest that a name may be": "A" * 100,
    "a little longer": "A" * 101,
    "half of a pair": "a\ud800b",
    "other half": "\udc00",
    "pairs": "\U0001f600\U00010400",
    "not characters": "a\ufffe\uffffb",
    "bidirectional": "\u202e\u2066gpj.exe\u2069\u200f",
    "invisible": "Get\u200b-\ufeffIt\u00ad",
    "composed": "Cafe\u0301",
    "dashes": f"\u2013Command \u2014x \u2015y {PAYLOAD}",
    "a dash first": "-Force",
    "wildcards": "[*]?[a-",
    "format": "{0}{1:X}{{}} %s %(x)s \\1",
    "spaces": "   ",
    "empty": "",
    "scope": "global:Get-Anything",
    "drive": "env:PATH",
    "function drive": "function:prompt",
    "qualified": "Microsoft.PowerShell.Core\\Get-Job",
    "splat": "@{a=1}",
    "number": "1e3",
    "huge number": "99999999999999999999",
    "digits of another script": "\u0661\u0662",
    "below zero": "-1",
    "zero": "0",
    "reserved by us": "__PSExportInput",
    "more reserved by us": "__PSExportRest",
    "an argument of ours": "__PSExportArgument0",
    "the call's variable": "PSExportCall",
    "a variable of ours": "PSExportState",
    "a function of ours": "Start-PSExportCall",
    "another function of ours": "get-psexportrunspace",
    "a cmdlet that we call": "Export-ModuleMember",
    "another cmdlet that we call": "Invoke-Command",
    "a parameter of ours": "AsJob",
    "deep type": "System.String" + "[]" * 2_000,
    "deeper type": "System.Nullable`1[[" * 400 + "System.Int32" + "]]" * 400,
    "type that is code": f"string]$x=$({PAYLOAD}),[int",
    "assembly": f"System.Nullable`1[[System.Int32, {PAYLOAD}]]",
    **{
        f"word {word}": word
        for word in (
            *("if", "function", "class", "param", "begin", "process", "end", "exit"),
            *("return", "throw", "try", "using", "filter", "data", "dynamicparam"),
            *("clean", "workflow", "configuration", "enum", "trap", "in", "switch"),
            *("prompt", "TabExpansion2", "PSConsoleHostReadLine", "."),
        )
    },
    **{
        f"variable {name}": name
        for name in (
            *("true", "null", "PID", "Host", "ExecutionContext", "_", "args", "this"),
            *("input", "PSBoundParameters", "PSCmdlet", "MyInvocation", "Error"),
        )
    },
}
