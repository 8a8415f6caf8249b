"""`vosmem completion`."""

from vosmem.cli.arguments import Parser

# The script of Hydra takes a subcommand for an override, so each command completes its own words.
BASH = r"""_vosmem() {
    local words=($COMP_LINE) command rest
    command="${words[1]}"
    [ "$command" = data ] && command="data ${words[2]}"
    rest="${COMP_LINE#vosmem $command}"
    if [ "$rest" = "$COMP_LINE" ] || [ "${rest# }" = "$rest" ]; then
        local choices="COMMANDS"
        [ "${words[1]}" = data ] && choices="gallery render"
        COMPREPLY=($(compgen -S " " -W "$choices" -- "${COMP_WORDS[COMP_CWORD]}"))
    else
        case " HYDRA " in
            *" ${words[1]} "*)
                local line="vosmem$rest"
                COMPREPLY=($(COMP_LINE="$line" COMP_POINT=${#line} vosmem $command -sc query=bash 2>/dev/null)) ;;
            *) COMPREPLY=($(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")) ;;
        esac
    fi
}
COMP_WORDBREAKS=${COMP_WORDBREAKS//=}
complete -o nospace -F _vosmem vosmem"""
HYDRA = ("train", "evaluate", "calibrate", "benchmark", "data")


def run(arguments: list[str]) -> None:
    """Print the completion script."""
    parser = Parser(
        prog="vosmem completion",
        description="Print a bash completion script for commands, and for groups, choices and keys of their configs.",
        epilog='example: eval "$(vosmem completion bash)"    (for every new shell: add the line to ~/.bashrc)',
    )
    parser.add_argument("shell", choices=("bash",))
    parser.parse_args(arguments)

    from vosmem.cli.__main__ import COMMANDS

    print(BASH.replace("COMMANDS", " ".join(COMMANDS)).replace(" HYDRA ", f" {' '.join(HYDRA)} "))
