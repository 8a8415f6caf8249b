"""No argument is dropped: a repeated option is refused or counts twice."""

from pathlib import Path

import pytest

from tests.messages import naming
from vosmem.cli import doctor
from vosmem.cli.arguments import Parser
from vosmem.cli.segment import make_parser
from vosmem.errors import InputError
from vosmem.inputs.prompts import Prompt


@pytest.fixture
def parser():
    made = Parser(prog="x")
    made.add_argument("input")
    made.add_argument("--mask", default="none")
    made.add_argument("--quiet", action="store_true")
    return made


@pytest.mark.parametrize(
    "twice", [["--mask", "a", "--mask", "b"], ["--mask=a", "--mask=a"], ["--mas", "a", "--mask", "b"]]
)
def test_repeated_option_is_refused(parser, twice):
    with pytest.raises(InputError, match=naming("--mask", "given twice")):
        parser.parse_args(["video", *twice])


def test_parser_can_be_used_again(parser):
    for mask in ("a", "b"):
        assert parser.parse_args(["video", "--mask", mask, "--quiet", "--quiet"]).mask == mask


@pytest.mark.parametrize("option", ["--mask", "--cut", "--start", "--output", "--direction", "--size"])
def test_segment_refuses_options_given_twice(option):
    value = {"--direction": "both", "--size": "3", "--cut": "network"}.get(option, "x")
    with pytest.raises(InputError, match=naming(option, "given twice")):
        make_parser().parse_args(["video", "--output", "o", option, value, option, value])


@pytest.mark.parametrize(("typed", "start"), [("2", 2), ("007", "007"), ("first", "first")])
def test_segment_and_doctor_read_the_start_alike(typed, start, monkeypatch):
    asked = []
    monkeypatch.setattr(doctor, "inspect", lambda *args, **settings: asked.append(settings["start"]))
    with pytest.raises(AttributeError):  # there is no diagnosis to print
        doctor.run(["video", "--start", typed])
    options = make_parser().parse_args(["video", "--output", "o", "--start", typed])
    assert asked == [options.start] == [start]


def test_prompts_are_objects_in_their_order():
    given = [
        "--box",
        "1,2,3,4",
        "--points",
        "5,6;7.5,8",
        "--not-points",
        "9,9",
        "--scribble",
        "s.png",
        "--box",
        "5,6,7,8",
    ]
    options = make_parser().parse_args(["video", "--output", "o", *given])
    second = Prompt(points=((5, 6), (7.5, 8)), not_points=((9, 9),))
    assert options.prompts == [Prompt(box=(1, 2, 3, 4)), second, Path("s.png"), Prompt(box=(5, 6, 7, 8))]
    assert make_parser().parse_args(["video", "--output", "o"]).prompts is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--box", "1,2,3"], "'1,2,3' is not a box"),
        (["--points", "1,2;3"], "'1,2;3' is no list of points"),
        (["--points", "a,b"], "'a,b' is no list of points"),
        (["--not-points", "1,2"], "--not-points has no --box or --points before it"),
        (["--scribble", "s.png", "--not-points", "1,2"], "--not-points has no --box or --points before it"),
    ],
)
def test_prompts_that_cannot_be_read_are_refused(arguments, message, capsys):
    with pytest.raises(SystemExit):
        make_parser().parse_args(["video", "--output", "o", *arguments])
    assert message in capsys.readouterr().err


def test_file_that_looks_like_an_option_is_a_path(parser, tmp_path, monkeypatch):
    (tmp_path / "-x.mp4").write_text("")
    monkeypatch.chdir(tmp_path)
    options = parser.parse_args(["-x.mp4", "--mask", "-x.mp4"])
    assert (options.input, options.mask) == ("./-x.mp4", "./-x.mp4")
