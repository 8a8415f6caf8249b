"""`vosmem weights`."""

import sys

from vosmem.cli.arguments import Parser
from vosmem.cli.printing import plain_console
from vosmem.errors import InputError


def run(arguments: list[str]) -> None:
    """List and verify bundled weights, and list published ones; exit with 1 if bundled weights are damaged."""
    Parser(
        prog="vosmem weights",
        description="List the weights that come with the package, after loading each and verifying its hash and "
        "shapes, and published weights that you can download yourself.",
        epilog="Every command takes these names in place of a checkpoint; vosmem segment also as --model NAME.\n\n"
        "example: vosmem weights",
    ).parse_args(arguments)

    from vosmem.checkpoints.bundled import DEFAULT, bundled_weights
    from vosmem.checkpoints.cards import PUBLISHED, read_card
    from vosmem.checkpoints.loading import load_network
    from vosmem.checkpoints.weights_file import read_about

    console = plain_console()
    bundled, failed = bundled_weights(), False
    if not bundled:
        console.print("no weights come with this version")
    for name, path in bundled.items():
        try:
            network, about, card = load_network(path), read_about(path), read_card(path.with_suffix(".md"))
        except InputError as error:
            failed = True
            print(f"vosmem: {error}", file=sys.stderr)
            continue
        count = sum(parameter.numel() for parameter in network.parameters()) / 1e6
        size = path.stat().st_size / 2**20
        default = ", the default" if name == DEFAULT else ""
        console.print(f"{name}  {type(network).__name__}, {count:.2f} M parameters, {size:.1f} MB{default}")
        console.print(f"  sha256 {about.sha256} (verified), by vosmem {about.vosmem}")
        console.print(f"  licence {card.licence}")
        console.print(f"  card    {path.with_suffix('.md')}")
    console.print("published by their authors; download a file, then: vosmem convert FILE NAME.safetensors")
    for card in PUBLISHED:
        console.print(f"{card.name}  {card.network}, about {card.megabytes} MB, licence {card.licence}")
    if failed:
        sys.exit(1)
