"""`vosmem data gallery` and `vosmem data render`."""

from pathlib import Path

from omegaconf import DictConfig
from rich.progress import track

from vosmem.cli.hydra_app import run_hydra
from vosmem.cli.printing import plain_console
from vosmem.errors import InputError

USAGE = """usage: vosmem data COMMAND [key=value ...]

  gallery  write a contact sheet of images, clips or rendered videos
  render   render videos from images, in DAVIS layout

examples:
  vosmem data gallery show=clips train_images=embedded augmentation=rich
  vosmem data render output=DIR train_images=embedded count=10

vosmem data COMMAND --cfg job prints all keys."""


def run(arguments: list[str]) -> None:
    """Run the subcommand with its overrides."""
    tasks = {"gallery": _gallery, "render": _render}
    name = arguments[0] if arguments else "--help"
    if name in ("-h", "--help"):
        print(USAGE)
    elif name in tasks:
        run_hydra(f"data {name}", tasks[name], arguments[1:])
    else:
        raise InputError(f"unknown data command {name!r}: use one of {', '.join(tasks)}")


def _gallery(config: DictConfig) -> None:
    from vosmem.commands.data import gallery

    plain_console().print(f"contact sheet  {gallery(config)}")


def _render(config: DictConfig) -> None:
    from vosmem.commands.data import render

    console = plain_console()
    for video in track(render(config), total=config.count, description="rendering", console=console):
        console.print(f"{video.name}: {len(video)} frames, {len(video.object_ids)} objects")
    console.print(f"videos  {Path(config.output)}")
