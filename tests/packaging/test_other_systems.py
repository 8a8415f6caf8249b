"""vosmem needs no module, function or signal that Windows or macOS lacks."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import vosmem
from tests.packaging.hidden_unix import MODULES, OS_NAMES, SIGNAL_NAMES
from tests.segmentation.made import write_checkpoint, write_user_video
from vosmem.segmentation.frame_files import MASKS

SOURCE = Path(vosmem.__file__).parent
HIDDEN = {"os": OS_NAMES, "signal": SIGNAL_NAMES}


def unguarded(tree):
    """Lines that use modules of Unix outside of a `try` with ImportError, functions of Unix, or its signals."""
    tried = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.Try) and any(h.type and "ImportError" in ast.unparse(h.type) for h in node.handlers)
        for statement in node.body
        for inner in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom) and id(node) not in tried:
            names = [alias.name for alias in node.names]
            modules = names if isinstance(node, ast.Import) else [node.module]
            own = HIDDEN.get(modules[0], ()) if isinstance(node, ast.ImportFrom) else ()
            if {*modules} & {*MODULES} or {*names} & {*own}:
                yield node.lineno, ast.unparse(node)
        elif isinstance(node, ast.Attribute) and node.attr in HIDDEN.get(ast.unparse(node.value), ()):
            yield node.lineno, ast.unparse(node)


def in_the_systems_encoding(tree):
    """Lines that read or write text in the encoding of the system."""
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in ("read_text", "write_text")
            and not any(keyword.arg == "encoding" for keyword in node.keywords)
        ):
            yield node.lineno, ast.unparse(node)


@pytest.mark.parametrize("faults", [unguarded, in_the_systems_encoding])
def test_no_file_uses_features_of_some_systems_only(faults):
    found = {
        f"{path.relative_to(SOURCE)}:{line}": text
        for path in sorted(SOURCE.rglob("*.py"))
        for line, text in faults(ast.parse(path.read_text(encoding="utf-8")))
    }
    assert found == {}


@pytest.mark.parametrize(
    ("code", "count"),
    [
        ("import resource", 1),
        ("try:\n    import resource\nexcept ImportError:\n    resource = None", 0),
        ("try:\n    import resource\nexcept OSError:\n    resource = None", 1),
        ("def f():\n    from fcntl import flock", 1),
        ("import os\nos.sync()\nos.replace(a, b)", 1),
        ("from signal import SIGKILL, SIGTERM", 1),
        ("import signal\nsignal.signal(signal.SIGHUP, f)", 1),
    ],
)
def test_check_finds_features_of_some_systems(code, count):
    assert len(list(unguarded(ast.parse(code)))) == count


@pytest.mark.slow
def test_every_module_command_and_help_works_without_unix_features(tmp_path):
    root = write_user_video(tmp_path, num_frames=2)
    arguments = [root / "frames" / "fish", root / "masks" / "fish", write_checkpoint(tmp_path / "tiny.ckpt")]
    script = Path(__file__).with_name("hidden_unix.py")
    done = subprocess.run(
        [sys.executable, "-X", "warn_default_encoding", script, *arguments, tmp_path / "out"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    assert len(list((tmp_path / "out" / MASKS).iterdir())) == 2
    num_files = len([path for path in SOURCE.rglob("*.py") if path != SOURCE / "__init__.py"])
    assert int(done.stdout.split()[-2]) >= num_files
