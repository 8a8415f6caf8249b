"""`vosmem weights`."""

import argparse
import sys

from vosmem.cli.arguments import Parser
from vosmem.cli.printing import plain_console
from vosmem.errors import InputError


def run(arguments: list[str]) -> None:
    """List and verify what comes with the package, and list what users may fetch; exits with 1 if one is damaged."""
    Parser(
        prog="vosmem weights",
        description="List the weights that come with the package (each is loaded, its hash and shapes verified), and "
        "published ones that you may fetch yourself.",
        epilog="Their names are taken wherever a checkpoint is, and as vosmem segment --model NAME.\n\n"
        "example: vosmem weights",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args(arguments)

    from vosmem.checkpoints.bundled import DEFAULT, bundled_weights
    from vosmem.checkpoints.fetchable import FETCHABLE
    from vosmem.checkpoints.loading import load_network
    from vosmem.checkpoints.weights_file import read_about

    console = plain_console()
    bundled, failed = bundled_weights(), False
    if not bundled:
        console.print("no weights come with this version")
    for name, path in bundled.items():
        try:
            network, about = load_network(path), read_about(path)
        except InputError as error:
            failed = True
            print(f"vosmem: {error}", file=sys.stderr)
            continue
        count = sum(parameter.numel() for parameter in network.parameters()) / 1e6
        size = path.stat().st_size / 2**20
        default = ", taken where no weights are named" if name == DEFAULT else ""
        console.print(f"{name}  {type(network).__name__}, {count:.2f} M parameters, {size:.1f} MB{default}")
        console.print(f"  sha256 {about.sha256} (verified), by vosmem {about.vosmem}")
        console.print(f"  card   {path.with_suffix('.md')}")
    console.print("published by their authors; fetch a file yourself, then: vosmem convert FILE NAME.safetensors")
    for published in FETCHABLE:
        console.print(
            f"{published.file}  {published.network}, about {published.megabytes} MB, licence {published.licence}: "
            f"{published.release} of {published.project}"
        )
    if failed:
        sys.exit(1)
