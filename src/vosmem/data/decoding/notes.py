"""Decisions about a user's input that a run reports: one enum with the text of each note.

A reader that ignores a part of a file or reinterprets it makes a `Note` from a `Decision`. Notes are printed, and are
in `run.json`, in the report and on the page.
"""

from enum import Enum
from typing import Any


class Note(str):
    """One line for the user, with the decision that it reports."""

    decision: "Decision"

    def __new__(cls, decision: "Decision", text: str) -> "Note":
        note = super().__new__(cls, text)
        note.decision = decision
        return note

    def __getnewargs__(self) -> tuple["Decision", str]:  # type: ignore[override]  # for pickle and copy
        """The arguments of `__new__`, so that a worker process can return a note."""
        return self.decision, str(self)

    @property
    def warns(self) -> bool:
        """Whether a user must not miss the note."""
        return self.decision.warns

    def prefixed(self, prefix: str) -> "Note":
        """The note after more text, for example the name of the file."""
        return Note(self.decision, prefix + self)


class Decision(Enum):
    """What readers decide about an input: the template of the note, and whether it is a warning.

    Warnings are also printed on the standard error stream: the result may not be what the user meant.

    Example:
        >>> note = Decision.MASK_RESIZED.note(size="32x24", frame="64x48")
        >>> note, note.warns, note.decision.name
        ('it is 32x24, its frame 64x48, and was resized by nearest neighbour', False, 'MASK_RESIZED')
    """

    # Video files
    RATE_VARIES = ("the frame rate varies: {shortest:.0f} to {longest:.0f} ms between frames", False)
    ENDS_EARLY = ("its header gives {promised:.2f} s but it ends at {end:.2f} s: it may be cut", True)
    STREAM_CHOSEN = ("it holds several video streams: stream {stream} is used, {others} not", True)
    STAMPS_GO_BACK = (
        "its time stamps go back at frame {t}{more}, as in joined recordings: frames are in order of decoding",
        True,
    )
    RECORDING_LEFT_OUT = (
        "another recording begins after its last frame and is not used: join recordings with a tool for video",
        True,
    )
    FRAMES_MISSING = (
        "frames are missing before frame {t}, as where a video was cut without encoding: later frames are numbered "
        "without them",
        True,
    )
    RATE_ASSUMED = ("it holds no time stamps: {rate:.4g} frames/s are assumed", False)
    PIXEL_SHAPE = ("pixels are {shape} as wide as high: frames keep their stored size", False)

    # Folders of pictures
    EXIF_IGNORED = (
        "EXIF asks viewers to turn {number} of {total} frames ({names}): they are used as stored, like masks",
        True,
    )
    ORIENTATION_APPLIED = (
        "the tag Orientation turns {number} of {total} frames ({names}): they are used as viewers show them",
        True,
    )
    VIDEOS_LEFT_OUT = ("videos in folders next to the frames are not used: {names}", True)
    PICTURES_BESIDE_VIDEOS = ("images next to video files are not used: {names}", True)
    FRAMES_CHOSEN = ("--frames {chosen}: {number} of {total} frames are used", False)
    MASK_AMONG_FRAMES = ("{name} is in the folder of frames and given as mask: it is not used as a frame", False)
    NO_FRAMES_BY_NAME = ("images with the name of a mask or a poster are not used as frames: {names}", True)
    FILES_LEFT_OUT = ("files that are not images are not used: {names}", True)
    FOLDERS_LEFT_OUT = ("folders next to the frames are not used: {names}", False)
    RESOLUTION_CHOSEN = ("of several folders of videos {name} is used; {others} not", True)
    PAGES_ARE_FRAMES = ("the {pages} of the file are its frames", False)
    PAGES_LEFT_OUT = ("{pages} with a smaller copy, another view or a mask of the first are not used", False)
    RANGE_SCALED = ("frames have {bits} bits a channel: {low:g} to {high:g} became 0 to 255 in the whole video", True)

    # Masks: which frame they belong to
    MASK_FOR_FIRST_FRAME = ("mask {name!r} has no frame of its name: it is taken for the first frame's", False)
    MASK_BY_NUMBER = (
        "no frame is called {stem!r}: by its number, mask {name!r} is that of frame {frame!r}{more}",
        True,
    )
    MASK_PAGES = ("mask {name!r} has {pages}, which are the masks of the frames in their order", False)
    WHITE_IS_OBJECT = ("its format does not keep ids: pixels that are at least half white are object 1", True)
    MASKS_WITHOUT_FRAME = ("{masks} without a frame of the same name, not used: {names}", True)
    MASKS_NOT_USED = ("{masks} next to the video, not used; give their folder with --mask to use all", False)
    MASKS_EMPTY = ("{masks} without objects, not used", False)
    EMPTY_BEFORE = (
        "the first mask is that of frame {name!r}: the masks of {frames} before it stay empty; --direction both fills "
        "them",
        True,
    )
    EMPTY_AFTER = (
        "the last mask is that of frame {name!r}: the masks of {frames} after it stay empty; --direction both fills "
        "them",
        True,
    )
    OBJECTS_LATE = (
        "{objects} first given after the first mask ({numbers}): they are followed from there; --direction both also "
        "finds them before",
        False,
    )
    OBJECTS_OVERLAP = ("objects of several prompts overlap: the smaller object is in front", True)
    FIRST_MASK = ("the first mask of object {number} has a predicted quality of {quality:.2f}", False)
    FIRST_MASK_UNCERTAIN = (
        "the first mask of object {number} has a predicted quality of only {quality:.2f}: check it, and add points or "
        "give a corrected mask",
        True,
    )

    # Masks: how they are read
    MASK_RESIZED = ("it is {size}, its frame {frame}, and was resized by nearest neighbour", False)
    OBJECT_VANISHES = ("object {number} vanishes when it is resized", True)
    MASK_AS_STORED = ("EXIF asks viewers to turn it: it is used as stored", True)
    NO_BACKGROUND = ("no pixel of it is background (0): each belongs to an object or to void", True)
    OBJECT_OF_255 = ("255 is its only value, so it is an object", False)
    VOID_OF_255 = ("255 is void, which is background, because other values are ids", True)
    TRANSPARENCY_IGNORED = ("its transparency is ignored", False)
    TRANSPARENCY_IS_MASK = ("it is of one colour: the object is where it is at least half opaque", True)
    EDGES_CLEANED = ("cleaned: {values} less than 3 pixels wide and became the nearest other id", False)
    EDGES_THIN = ("{values} less than 3 pixels wide, like anti-aliased edges; --clean-masks removes them", True)
    COLOURS_NUMBERED = ("its colours are no ids and were numbered: {colours}", False)
    COLOURS_OF_DAVIS = ("a colour image; its ids are those of the DAVIS palette", False)
    COLOURS_GREY = ("a colour image; its ids are grey levels", False)

    # Annotation files
    IDS_FROM_ZERO = ("{key} starts at 0: 1 is added to ids", False)
    OBJECTS_NUMBERED = ("no track_id identifies the objects: they are numbered by their order in each image", True)
    OBJECTS_BY_LABEL = (
        "no track_id identifies the objects, but no image has a label twice: each label is one object ({names})",
        True,
    )
    TRACKS_SHARED = ("{key} {tracks} has several labels in one image: each of them becomes a separate object", True)
    OBJECTS_NAMED = ("{key} is not a number: {names}", False)
    SOME_WITHOUT_ID = ("{entries} without {key} in {file!r}: each becomes a separate object", True)
    CROWDS_TAKEN = ("{entries} with iscrowd 1 in {file!r}: each becomes an object", True)
    ENTRIES_LEFT_OUT = ("{entries} of {file!r} cannot be drawn and {are} left out: {reasons}", True)
    LABELS_SHARED = ("shapes with one label and no group_id in one image are one object: {labels}", True)
    OUTLINES_LEFT_OUT = ("{outlines} of {file!r} with fewer than three corners not used", True)
    BOXES_DRAWN = ("{boxes} of {file!r} drawn as rectangles, which are no outlines of objects", True)
    FRAMES_BY_INDEX = ("tracks of {file!r} count frames from 0 in the order of the whole video", False)
    SHAPES_LEFT_OUT = ("shapes without an area are left out: {kinds}", True)

    # Strokes
    STROKES_BY_COLOUR = (
        "green strokes ({green}) are the object, red strokes ({red}) are background",
        True,
    )

    def __init__(self, template: str, warns: bool):
        self.template, self.warns = template, warns

    def note(self, **values: Any) -> Note:
        """The note of the decision, with the values that its template names."""
        return Note(self, self.template.format(**values))
