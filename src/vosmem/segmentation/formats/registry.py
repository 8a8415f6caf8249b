"""The formats by the names that users choose."""

from types import MappingProxyType

from vosmem.segmentation.formats.coco import Coco, YouTubeVis
from vosmem.segmentation.formats.cvat import Cvat
from vosmem.segmentation.formats.frame_format import FrameFormat
from vosmem.segmentation.formats.label_studio import LabelStudio
from vosmem.segmentation.formats.pictures import Cutouts, Images, Masks, Objects
from vosmem.segmentation.formats.polygon_files import LabelMe, Yolo
from vosmem.segmentation.formats.videos import GreenScreen, Matte, Overlay, ProResCutout, WebmCutout

MASKS = "masks"
FORMATS: MappingProxyType[str, type[FrameFormat]] = MappingProxyType(
    {
        MASKS: Masks,
        "overlay": Overlay,
        "objects": Objects,
        "cutouts": Cutouts,
        "prores": ProResCutout,
        "webm": WebmCutout,
        "matte": Matte,
        "green-screen": GreenScreen,
        "images": Images,
        "coco": Coco,
        "youtube-vis": YouTubeVis,
        "yolo": Yolo,
        "cvat": Cvat,
        "label-studio": LabelStudio,
        "labelme": LabelMe,
    }
)


def with_needed(names: tuple[str, ...]) -> tuple[str, ...]:
    """Add to names of formats the formats that their files refer to.

    Example:
        >>> with_needed(("coco", "yolo"))
        ('coco', 'yolo', 'images')
    """
    needed = [other for name in names for other in FORMATS[name].needs]
    return tuple(dict.fromkeys((*names, *needed)))
