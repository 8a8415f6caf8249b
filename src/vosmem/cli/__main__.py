"""`vosmem COMMAND ...`. Commands are imported when they are called, so that help comes at once."""

import importlib
import os
import sys
from importlib.metadata import version

COMMANDS = {
    "train": "train a network; takes Hydra overrides (vosmem train experiment=pretrain_embedded)",
    "evaluate": "segment a data set and score it; takes Hydra overrides (vosmem evaluate checkpoint=FILE)",
    "calibrate": "find when an adaptive memory keeps a frame (vosmem calibrate checkpoint=FILE eval_set=CHOICE)",
    "doctor": "say what is wrong with a video and its masks before anything is run (vosmem doctor INPUT --mask MASK)",
    "segment": "follow objects through your own video (vosmem segment VIDEO --mask MASK --output DIR)",
    "app": "the same in a browser: mark, follow, correct, take away (vosmem app)",
    "convert": "write a checkpoint's weights as a file to pass on (vosmem convert last.ckpt NAME.safetensors)",
    "export": "write a network as ONNX graphs (vosmem export WEIGHTS DIR)",
    "weights": "list and verify the weights that come with the package (vosmem weights)",
    "data": "look at training data, or render videos (vosmem data gallery train_images=embedded)",
    "report": "tables and figures from finished runs (vosmem report sweep DIR)",
    "benchmark": "what a frame costs on this machine (vosmem benchmark model=stm_small)",
    "score": "score a folder of masks against ground truth (vosmem score GT_DIR PRED_DIR --output FILE)",
    "completion": "let bash complete commands, groups, choices and keys (vosmem completion bash)",
}
# Commands that send frame after frame through a network, in one process that ends with its work. A page that serves for
# weeks gives memory back between visitors, and the loader processes of a training would each keep what they freed.
SHORT_LIVED = ("segment", "evaluate", "calibrate", "benchmark")


def main() -> None:
    """Entry of the console script; exits with 2 for a user's mistake, in one line."""
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name in ("-h", "--help", "help"):
        print(_help())
    elif name == "--version":
        print(f"vosmem {version('vosmem')}")
    elif name in COMMANDS:
        _run(name)
    else:
        sys.exit(_complain(f"unknown command {name!r}: use one of {', '.join(COMMANDS)}"))


def _run(name: str) -> None:
    # After the imports above, so that `--help` does not wait for torch.
    from vosmem.cli.environment import prepare
    from vosmem.errors import InputError

    prepare(keep_freed=name in SHORT_LIVED)
    try:
        importlib.import_module(f"vosmem.cli.{name}").run(sys.argv[2:])
    except InputError as error:
        if os.environ.get("VOSMEM_TRACEBACK"):
            raise
        sys.exit(_complain(str(error)))
    except KeyboardInterrupt:
        sys.exit(130)


def _complain(message: str) -> int:
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
            "vosmem COMMAND --help tells more; vosmem --version the version.",
            "VOSMEM_TRACEBACK=1 shows the whole stack trace of an error.",
        ]
    )


if __name__ == "__main__":
    main()
