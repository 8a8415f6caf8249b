"""`vosmem COMMAND ...`; a command is imported only when it is called, so that `vosmem --help` is fast."""

import importlib
import os
import sys

COMMANDS = {
    "train": "train a network; takes Hydra overrides (vosmem train experiment=pretrain_embedded)",
    "evaluate": "segment a data set and score it; takes Hydra overrides (vosmem evaluate checkpoint=FILE)",
    "calibrate": "find the threshold of an adaptive memory (vosmem calibrate checkpoint=FILE eval_set=CHOICE)",
    "doctor": "check a video and its masks before a run (vosmem doctor INPUT --mask MASK)",
    "segment": "segment objects in your own video (vosmem segment VIDEO --mask MASK --output DIR)",
    "app": "segment in a browser: mark, propagate, correct, download (vosmem app)",
    "serve": "serve masks of frames over HTTP, for annotation tools and scripts (vosmem serve)",
    "convert": "write the weights of a checkpoint as a file to share (vosmem convert last.ckpt NAME.safetensors)",
    "export": "write a network as ONNX graphs (vosmem export WEIGHTS DIR)",
    "weights": "list and verify the weights that come with the package (vosmem weights)",
    "data": "show training data, or render videos (vosmem data gallery train_images=embedded)",
    "report": "tables and figures from finished runs (vosmem report sweep DIR)",
    "benchmark": "time a frame on this machine (vosmem benchmark model=stm_small)",
    "score": "score a folder of masks against ground truth (vosmem score GT_DIR PRED_DIR --output FILE)",
    "completion": "print a bash completion script for commands, groups, choices and keys (vosmem completion bash)",
}
# Commands that run a network on many frames in one process and then exit. The page, which serves for weeks, has to
# return memory between visitors, and each loader process of a training would keep the memory that it freed.
SHORT_LIVED = ("segment", "evaluate", "calibrate", "benchmark")


def main() -> None:
    """Entry point of the console script; an InputError is printed in one line, with exit status 2."""
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name in ("-h", "--help", "help"):
        print(_help())
    elif name == "--version":
        from vosmem.cli.version import version_lines

        print("\n".join(version_lines("--verbose" in sys.argv[2:])))
    elif name in COMMANDS:
        _run(name)
    else:
        sys.exit(_report(f"unknown command {name!r}: use one of {', '.join(COMMANDS)}"))


def _run(name: str) -> None:
    # Not at the top, so that `--help` does not import torch.
    from vosmem.cli.environment import prepare
    from vosmem.errors import InputError

    prepare(keep_freed=name in SHORT_LIVED)
    try:
        importlib.import_module(f"vosmem.cli.{name}").run(sys.argv[2:])
    except InputError as error:
        if os.environ.get("VOSMEM_TRACEBACK"):
            raise
        sys.exit(_report(str(error)))
    except KeyboardInterrupt:
        sys.exit(130)


def _report(message: str) -> int:
    print(f"vosmem: {message}", file=sys.stderr)
    return 2


def _help() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {text}" for name, text in COMMANDS.items()]
    return "\n".join(
        [
            "usage: vosmem COMMAND ...",
            "",
            "Semi-supervised video object segmentation with memory networks.",
            "",
            *lines,
            "",
            "vosmem COMMAND --help describes a command; vosmem --version [--verbose] prints the version.",
            "VOSMEM_TRACEBACK=1 shows the stack trace of an error.",
        ]
    )


if __name__ == "__main__":
    main()
