"""`vosmem app` in this process: errors are reported before the page is served."""

import pytest

from tests.messages import naming
from tests.segmentation.made import write_checkpoint
from vosmem.cli.app import run
from vosmem.errors import InputError

pytest.importorskip("gradio", reason="the page needs Gradio: pip install 'vosmem[app]'")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return str(write_checkpoint(tmp_path_factory.mktemp("app") / "tiny.ckpt"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--size", "8"), ("short side 8 is too small",)),
        (("--max-frames", "0"), ("--max-frames", "1 or more")),
        (("--max-upload", "-1"), ("--max-upload", "1 or more")),
        (("--port", "70000"), ("--port 70000", "65535")),
        (("--host", "203.0.113.1"), ("203.0.113.1", "name another --host or --port")),
        (("--model", "best"), ("both given",)),
    ],
)
def test_unusable_options_are_refused(checkpoint, arguments, message):
    with pytest.raises(InputError, match=naming(*message)):
        run(["--weights", checkpoint, "--device", "cpu", *arguments])


def test_weights_are_required_where_none_are_bundled(shelf):
    with pytest.raises(InputError, match=naming("no weights are given", "give a checkpoint file")):
        run([])


def test_missing_gradio_is_reported_with_its_install_command(checkpoint, monkeypatch):
    monkeypatch.setattr("vosmem.commands.app.find_spec", lambda name: None)
    with pytest.raises(InputError, match=naming("Gradio", "pip install 'vosmem[app]'")):
        run(["--weights", checkpoint])


def test_sam_is_loaded_before_the_page_is_served(checkpoint, monkeypatch):
    monkeypatch.setattr("vosmem.inference.prompts.promptable.find_spec", lambda name: None)
    with pytest.raises(InputError, match=naming("pip install 'vosmem[sam]'")):
        run(["--weights", checkpoint, "--device", "cpu", "--cut", "sam:folder"])
