"""`vosmem convert`."""

from pathlib import Path

from vosmem.cli.arguments import Parser
from vosmem.cli.printing import plain_console


def run(arguments: list[str]) -> None:
    """Convert a checkpoint to a weights file."""
    parser = Parser(
        prog="vosmem convert",
        description="Write the network of a checkpoint as a weights file, which every command accepts instead.",
        epilog="example: vosmem convert RUN_DIR/checkpoints/last.ckpt NAME.safetensors",
    )
    parser.add_argument("source", metavar="SOURCE", help="checkpoint of a training, or published STM or STCN weights")
    parser.add_argument("output", type=Path, metavar="OUT.safetensors", help="the file to write")
    dtype = "number format of the weights (default: fp16)"
    licence = "notice to store in the file; it is printed whenever the file is loaded"
    parser.add_argument("--dtype", default="fp16", choices=("fp16", "fp32"), help=dtype)
    parser.add_argument("--licence", metavar="TEXT", help=licence)
    options = parser.parse_args(arguments)

    from vosmem.checkpoints.loading import convert
    from vosmem.checkpoints.weights_file import read_about

    path = convert(options.source, options.output, options.dtype, options.licence)
    size = path.stat().st_size / 2**20
    plain_console().print(f"{path}  {size:.1f} MB  sha256 {read_about(path).sha256}")
