"""Published weights that do not come with the package and that users may fetch from their authors."""

from typing import NamedTuple


class Fetchable(NamedTuple):
    """One published file.

    Attributes:
        file: its name.
        network: what it is.
        megabytes: expected size in units of 2^20 bytes, computed from the list of its names and shapes; the file itself
            is a little larger.
        project: where its authors publish it.
        release: what they call it there.
        licence: its licence.
    """

    file: str
    network: str
    megabytes: int
    project: str
    release: str
    licence: str


FETCHABLE = (
    Fetchable("stcn.pth", "STCN", 208, "github.com/hkchengrex/STCN", "pretrained model s012", "MIT"),
    Fetchable("STM_weights.pth", "STM", 149, "github.com/seoungwugoh/STM", "pre-trained weights", "CC BY-NC-SA"),
)
