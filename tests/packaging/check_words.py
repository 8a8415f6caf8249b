"""List words that the project avoids, in prose and names of all tracked files, each with a replacement.

`python tests/packaging/check_words.py [PATH ...]` prints `file:line: word: use X` for each find, and exits with 1 if
there is one. Prose is the text of pages and configs, and comments and strings of Python files. Names are identifiers of
Python files and keys of YAML files.
"""

import fnmatch
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parents[2]
CHECKED = (".py", ".md", ".yaml", ".yml", ".js", ".html", ".css", ".cfg", ".toml", "Makefile", "run")

# Word: pattern in prose and what to use. Words with an ordinary sense are matched only in the sense to avoid.
PROSE = {
    "alone": (r"(?<!stand-)(?<!let )\balone\b", "only"),
    "anew": (r"\banew\b", "again"),
    "mend": (r"\bmend(s|ed|ing)?\b", "fix"),
    "told": (r"\b(told|tells?)\b(?! (\w+ ){0,3}apart)", "show, report, print or format"),
    "said": (r"\bsaid\b", "report, log or print"),
    "beside": (r"\bbeside\b", "next to, in addition to or except"),
    "whoever": (r"\bwhoever\b", "a noun"),
    "nobody": (r"\bnobody\b", "no user, no caller or no process"),
    "nowhere": (r"\bnowhere\b", "not in, or absent from"),
    "that which": (r"\bthat which\b", "a noun"),
    "dear": (r"\bdear(er|est)?\b", "expensive, or its cost"),
    "place": (
        r"\b(its|their|whose|frame's|by|of) places?\b(?! of)"
        r"|\bplaces? (in|of) (a|an|the|its|their|each) (\w+ )?(video|stream|clip|frame|sequence|epoch|batch|list)s?\b",
        "index or position",
    ),
    "stands": (r"\b(stands?|stood)\b(?!-)(?! for\b)(?! in for\b)", "is, has or holds"),
    "economy": (r"\beconomy\b", "size_weight, or memory-size penalty"),
    "forgetting": (r"\bforget(s|ting)?\b", "evict, eviction"),
    "synthesis": (r"\bsynthesis\b", "augmentation"),
    "stills": (r"\bstills\b|\b(a|each|every|one|per) still\b(?! \w+ing\b)", "images"),
    "config group": (
        r"(?<![\w.@/-])(dataset|stills|stages|forgetting)=(?=\w)"
        r"|(?<![\w.@/-])(data=(embedded|stills|images|folder|main|mixed)|stage=(pretrain|main|gate)"
        r"|videos=(davis|youtube|folder|mose|lvos|rendered|small_sets)\w*)\b",
        "datamodule=, eval_set=, train_videos=, train_images=, phase= or eviction=",
    ),
    "vosmem.build": (r"\bvosmem[./]build\b|\btests/build\b", "commands"),
}

# Word: pattern of a whole identifier and what to use.
NAMES = {
    "forgets": (
        r"_*forgets|forgetting(_\w+)?|first_to_stay|keep_first|room",
        "eviction, max_frames, retention_order, evict_to",
    ),
    "credit": (r"_?credit|counts_usage", "record_usage, tracks_usage"),
    "economy": (r"(\w+_)?economy(_\w+)?", "size_weight"),
    "way": (r"_?ways?", "displacement, or the noun"),
    "Reading": (r"_?Reading", "MemoryReadConfig"),
    "Sight": (
        r"_?(Sight|Look|Asked)|_?look|looks_at_keys",
        "ObjectBoxes, AttentionMaps, set_local_attention, needs_keys",
    ),
    "Behind": (r"_?Behind|_?ahead", "BackgroundWriter, prefetch"),
    "Studio": (r"_?(Studio|Work|Excerpt|Pace)", "SessionStore, PropagationJob, VideoSlice, Progress"),
    "synthesis": (r"(\w+_)?synthesis(_\w+)?|\w*Synthesis\w*", "augmentation"),
    "stills": (r"(\w+_)?stills(_\w+)?|\w*Stills?(?=[A-Z]|$)\w*", "images, LabelledImage"),
    "place": (r"_?places?", "index, frame_index"),
    "told": (r"_*(told|said|tell|tells)(_\w+)?", "format_error, reported, log_once"),
    "stage": (r"_?stages?|\w+_of_stage", "phase, or say of what"),
    "Made": (r"_?(Made|Noting|Items|Row|Slot)", "a noun that says of what"),
}

# Finds that are meant: file pattern, word (or *), and text in the line (or ''). Everything here has a reason.
ALLOWED = (
    ("tests/packaging/*check_words.py", "*", ""),  # names the words
    ("CHANGELOG.md", "*", "|"),  # the table from old to new config groups
    ("CHANGELOG.md", "synthesis", "few_photographs"),  # the name of a removed recipe
    ("docs/reference/files.md", "*", "| note |"),  # the text of data/decoding/notes.py, which is checked there
    ("docs/reference/files.md", "*", "| warning |"),  # the same
    ("src/vosmem/networks/backbone.py", "stage", "stage"),  # a ResNet's stages
    ("src/vosmem/networks/cost.py", "stage", "stage"),  # the same
    ("tests/reference_*.py", "stage", "stage"),  # the same
    ("tests/training/test_parameter_groups.py", "stage", "stages"),  # the same
    ("src/vosmem/training/calibration.py", "stage", "stage"),  # an argument that Lightning names
    ("src/vosmem/data/sampling/clip_data.py", "stage", "stage"),  # the same
    ("tests/training/test_lightning_internals.py", "stage", "state.stage"),  # an attribute that Lightning names
    ("src/vosmem/app/page.py", "Made", "gr.Row"),  # a class of Gradio
)


class Find(NamedTuple):
    """A word to avoid.

    Attributes:
        line: number of the line, from 1.
        word: key of `PROSE` or `NAMES`.
        text: the text that matched.
        use: what to write instead.
    """

    line: int
    word: str
    text: str
    use: str


def main(arguments: list[str]) -> int:
    """Check the tracked files below the paths, by default all; return the exit status."""
    listed = subprocess.run(
        ["git", "ls-files", "--", *arguments], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    count = 0
    for path in listed:
        file = REPOSITORY / path
        if path.endswith(CHECKED) and file.is_file():
            lines = file.read_text(encoding="utf-8").splitlines()
            for find in finds(path, "\n".join(lines) + "\n"):
                if not allowed(path, find.word, lines[find.line - 1]):
                    print(f"{path}:{find.line}: {find.text}: use {find.use}")
                    count += 1
    print(f"{count} words to avoid in {len(listed)} files", file=sys.stderr)
    return int(count > 0)


def finds(path: str, content: str) -> list[Find]:
    """Words to avoid in a file, by line."""
    found = [
        Find(line, word, name, use)
        for line, name in names(path, content)
        for word, (pattern, use) in NAMES.items()
        if re.fullmatch(pattern, name)
    ]
    known = {(find.line, find.text) for find in found}
    found += [
        Find(line, word, match[0], use)
        for line, text in prose(path, content)
        for word, (pattern, use) in PROSE.items()
        for match in re.finditer(pattern, text, re.IGNORECASE)
        if (line, match[0]) not in known  # a YAML key
    ]
    return sorted(found)


def allowed(path: str, word: str, line: str) -> bool:
    """Whether the allow-list has a find of this word in this line of the file."""
    return any(
        fnmatch.fnmatch(path, pattern) and listed in (word, "*") and text in line for pattern, listed, text in ALLOWED
    )


def prose(path: str, content: str) -> Iterator[tuple[int, str]]:
    """Lines of prose, each with its number."""
    if path.endswith(".py"):
        for token in _tokens(content):
            if token.type == tokenize.COMMENT or "STRING" in tokenize.tok_name[token.type]:
                yield from enumerate(token.string.split("\n"), start=token.start[0])
    else:
        yield from enumerate(content.split("\n"), start=1)


def names(path: str, content: str) -> Iterator[tuple[int, str]]:
    """Identifiers of Python files that are defined or used, and keys of YAML files, each with its line."""
    if path.endswith(".py"):
        yield from ((token.start[0], token.string) for token in _tokens(content) if token.type == tokenize.NAME)
    elif path.endswith((".yaml", ".yml")):
        for line, text in enumerate(content.split("\n"), start=1):
            yield from ((line, match[1]) for match in re.finditer(r"(?:^\s*(?:- )?|[{,] ?)(\w+):(?= |$)", text))


def _tokens(content: str) -> Iterator[tokenize.TokenInfo]:
    yield from tokenize.generate_tokens(io.StringIO(content).readline)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
