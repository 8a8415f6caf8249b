"""No argument is dropped: a repeated option is refused or counts twice."""

import pytest

from tests.messages import naming
from vosmem.cli.arguments import Parser
from vosmem.cli.segment import make_parser
from vosmem.errors import InputError


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


@pytest.mark.parametrize("option", ["--mask", "--scribble", "--start", "--output", "--direction", "--size"])
def test_segment_refuses_options_given_twice(option):
    value = {"--direction": "both", "--size": "3"}.get(option, "x")
    with pytest.raises(InputError, match=naming(option, "given twice")):
        make_parser().parse_args(["video", "--output", "o", option, value, option, value])


def test_box_can_be_repeated_for_each_object():
    options = make_parser().parse_args(["video", "--output", "o", "--box", "1,2,3,4", "--box", "5,6,7,8"])
    assert options.box == [(1, 2, 3, 4), (5, 6, 7, 8)]


def test_file_that_looks_like_an_option_is_a_path(parser, tmp_path, monkeypatch):
    (tmp_path / "-x.mp4").write_text("")
    monkeypatch.chdir(tmp_path)
    options = parser.parse_args(["-x.mp4", "--mask", "-x.mp4"])
    assert (options.input, options.mask) == ("./-x.mp4", "./-x.mp4")
