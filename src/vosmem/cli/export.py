"""`vosmem export`."""

from pathlib import Path

from vosmem.cli.arguments import Parser
from vosmem.cli.printing import plain_console


def run(arguments: list[str]) -> None:
    """Export a network as ONNX graphs."""
    parser = Parser(
        prog="vosmem export",
        description="Write a network as ONNX graphs for any frame size and any number of objects and memory frames.",
        epilog="example: vosmem export mine.safetensors graphs\n\n"
        "examples/onnx_segment.py runs the graphs with only ONNX Runtime, NumPy and Pillow.",
    )
    parser.add_argument("weights", metavar="WEIGHTS", help="checkpoint, weights file, or name of `vosmem weights`")
    parser.add_argument("output", type=Path, metavar="OUT_DIR", help="folder of the graphs")
    options = parser.parse_args(arguments)

    from vosmem.commands.export import export

    console = plain_console()
    for path in export(options.weights, options.output):
        console.print(f"{path}  {path.stat().st_size / 2**20:.1f} MB")
