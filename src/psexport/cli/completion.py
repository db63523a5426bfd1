"""Completion scripts for shells, made from the parameter table.

A script knows all names and choices by heart, so that pressing Tab starts no process.
Every word in it is a name of our own table and needs no quotes.
"""

from __future__ import annotations

from collections.abc import Iterable

from .parameters import EXPORT, VERBS, Kind, Parameter, Verb

SHELLS = ("bash", "zsh", "powershell")
_FILES = (Kind.FILE, Kind.FILES)

_BASH = r"""# Completion of psexport for bash: source this from ~/.bashrc.
_psexport() {
    local word="${COMP_WORDS[COMP_CWORD]}" before="" first="" list="" names words
    local one had
    [ "$COMP_CWORD" -gt 1 ] && before="${COMP_WORDS[COMP_CWORD-1]}"
    case "${COMP_WORDS[1]}" in
@VERBS@
    esac
    case "$(printf %s "$before" | tr A-Z a-z)" in
@CHOICES@
        @FILES@|@OTHERS@) words="" ;;
        *) words="$names" ;;
    esac
    [ "$COMP_CWORD" = 1 ] && words="@VERB_NAMES@ $names"
    [ "$COMP_CWORD" = 2 ] && words="$first $words"
    [[ "$word" == *,* ]] && list="${word%,*},"
    COMPREPLY=()
    shopt -q nocasematch
    had=$?
    shopt -s nocasematch
    for one in $words; do
        [[ "$list$one" == "$word"* ]] && COMPREPLY+=("$list$one")
    done
    [ "$had" = 0 ] || shopt -u nocasematch
}
complete -o default -F _psexport psexport
"""

_ZSH = r"""#compdef psexport
# Completion of psexport for zsh: put this into a folder of $fpath, as _psexport.
_psexport() {
    local names first=""
    case "${words[2]}" in
@VERBS@
    esac
    compset -P '*,'
    (( CURRENT == 3 )) && compadd -- ${=first}
    case "${(L)words[CURRENT-1]}" in
@CHOICES@
        @FILES@) _files ;;
        @OTHERS@) ;;
        *)
            (( CURRENT == 2 )) && compadd -- @VERB_NAMES@
            compadd -M 'm:{a-zA-Z}={A-Za-z}' -- ${=names}
            [[ "${words[CURRENT]}" == -* ]] || _files ;;
    esac
}
if [ "$funcstack[1]" = _psexport ]; then _psexport "$@"
else compdef _psexport psexport
fi
"""

_POWERSHELL = r"""# Completion of psexport for PowerShell: run this from $PROFILE.
Register-ArgumentCompleter -Native -CommandName psexport -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $names = @{
@VERBS@
    }
    $first = @{
@FIRST@
    }
    $choices = @{
@CHOICES@
    }
    $free = '@FILES@|@OTHERS@'.Split('|')
    $typed = @($commandAst.CommandElements | Where-Object {
        $_.Extent.EndOffset -lt $cursorPosition
    } | ForEach-Object { "$_" })
    $verb = if ($typed.Count -gt 1 -and $names.ContainsKey($typed[1])) { $typed[1] }
    else { 'export' }
    $words = if ($choices.ContainsKey($typed[-1])) { $choices[$typed[-1]] }
    elseif ($free -contains $typed[-1]) { return }
    elseif ($typed.Count -gt 2) { $names[$verb] }
    elseif ($typed.Count -gt 1) { $first[$verb], $names[$verb] }
    else { '@VERB_NAMES@', $names[$verb] }
    foreach ($word in -split $words) {
        if ($word.StartsWith($wordToComplete, [StringComparison]::OrdinalIgnoreCase)) {
            [System.Management.Automation.CompletionResult]::new($word)
        }
    }
}
"""


def script(shell: str) -> str:
    """Return the completion script of a shell: bash, zsh or powershell."""
    if shell == "powershell":
        return _fill(
            _POWERSHELL,
            [f"        '{verb.name}' = '{_names(verb)}'" for verb in VERBS],
            [
                f"        '{spelling}' = '{' '.join(parameter.choices)}'"
                for parameter in _with_choices()
                for spelling in _spellings(parameter)
            ],
        )
    verbs = [
        f"        {verb.name}) names='{_names(verb)}' first='{_first(verb)}' ;;"
        for verb in VERBS[1:]
    ]
    verbs.append(f"        *) names='{_names(EXPORT)}' ;;")
    act = "words='{}'" if shell == "bash" else "compadd -- {}"
    return _fill(
        _BASH if shell == "bash" else _ZSH,
        verbs,
        [
            f"        {'|'.join(_spellings(parameter))}) "
            f"{act.format(' '.join(parameter.choices))} ;;"
            for parameter in _with_choices()
        ],
    )


def _fill(template: str, verbs: list[str], choices: list[str]) -> str:
    free = [one for one in _unique() if not one.choices and one.kind is not Kind.SWITCH]
    parts = {
        "@VERBS@": "\n".join(verbs),
        "@CHOICES@": "\n".join(choices),
        "@FIRST@": "\n".join(
            f"        '{verb.name}' = '{_first(verb)}'" for verb in VERBS
        ),
        "@FILES@": _case(one for one in free if one.kind in _FILES),
        "@OTHERS@": _case(one for one in free if one.kind not in _FILES),
        "@VERB_NAMES@": " ".join(verb.name for verb in VERBS),
    }
    for mark, text in parts.items():
        template = template.replace(mark, text)
    return template


def _case(parameters: Iterable[Parameter]) -> str:
    return "|".join(name for one in parameters for name in _spellings(one))


def _first(verb: Verb) -> str:
    """Return the words for what comes first by position, if they are known."""
    if not verb.positional:
        return ""
    return " ".join(verb.parameter(verb.positional[0]).choices)


def _names(verb: Verb) -> str:
    return " ".join(f"-{parameter.name}" for parameter in verb.parameters)


def _unique() -> list[Parameter]:
    """Return each parameter once, however many verbs have it."""
    return list({one.name: one for verb in VERBS for one in verb.parameters}.values())


def _with_choices() -> list[Parameter]:
    return [parameter for parameter in _unique() if parameter.choices]


def _spellings(parameter: Parameter) -> list[str]:
    return [f"-{name.lower()}" for name in (parameter.name, *parameter.aliases)]
