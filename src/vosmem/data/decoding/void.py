"""The meaning of 255 in one-byte masks: void, or an object."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt16

from vosmem.data.decoding.mask_files import FEW, ONE_BYTE, VOID, MaskFile, solid_ids
from vosmem.errors import InputError


@dataclass
class VoidRule:
    """The meaning of 255 in all masks of one video, or in the mask of one image.

    255 is void, which is background, unless the first mask that is not empty holds no other value: then 255 is an
    object. A later mask may hold void and no object. Only one-byte masks have void: in 16-bit images and in annotation
    files, 255 is an ordinary id.

    Args:
        is_object: the meaning, if it is known; otherwise `settle` finds it.

    Example:
        >>> mask = MaskFile(np.array([[0, 255]], np.uint16), None, (), "grey")
        >>> rule = VoidRule()
        >>> rule.settle(mask, "00000.png"), rule.is_object
        (True, True)
        >>> VoidRule(is_object=False).ids(mask).tolist()
        [[0, 0]]
    """

    is_object: bool | None = None

    def settle(self, mask: MaskFile, label: str) -> bool:
        """Learn the meaning of 255 from the next mask of the video, in the order of frames.

        Args:
            label: name of the mask in messages.

        Returns:
            whether the meaning is known now.

        Raises:
            InputError: the mask is one object of 255 with soft edges, whose grey levels are no ids.
        """
        if self.is_object is None and mask.kind in ONE_BYTE:
            present = set(np.flatnonzero(np.bincount(mask.ids.ravel())).tolist()) - {0}
            if len(present) > FEW and VOID in present and solid_ids(mask.ids) - {0} == {VOID}:
                raise InputError(
                    f"mask {label!r} is one object of 255 with soft edges, which are no ids: save it as PNG with hard "
                    "edges (`vosmem segment` and `vosmem doctor` remove soft edges with --clean-masks)"
                )
            if present:
                self.is_object = present == {VOID}
        return self.is_object is not None

    def ids(self, mask: MaskFile) -> UInt16[np.ndarray, "H W"]:
        """The ids of a mask without void."""
        if mask.kind not in ONE_BYTE or self.is_object is not False:
            return mask.ids
        return np.where(mask.ids == VOID, np.uint16(0), mask.ids)
