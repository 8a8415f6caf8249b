"""Checks of data before training starts."""

from vosmem.data.stills import StillSource
from vosmem.errors import InputError

SHOWN = 10


def check_stills(source: StillSource) -> None:
    """Look at the header of every picture and mask of a set.

    Args:
        source: the stills.

    Raises:
        InputError: pictures or masks cannot be opened or differ in size; the message lists the first ten and the count.
    """
    faults = []
    for index in range(len(source)):
        try:
            image, mask = source.sizes(index)
        except InputError as error:
            faults.append(str(error))
            continue
        if image != mask:
            faults.append(f"{source.name(index)}: image {image[0]}x{image[1]}, mask {mask[0]}x{mask[1]}")
    if faults:
        more = f"; and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
        raise InputError(f"{len(faults)} of {len(source)} stills cannot be used: {'; '.join(faults[:SHOWN])}{more}")
