"""The pages build without a warning, fetch nothing, and hold every page and room of the package."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGE = REPOSITORY / "src" / "vosmem"
NOT_IN_THE_REFERENCE = {"examples", "cli", "benchmark", "weights"}  # used from the command line; holds no code
# What a browser loads by itself; links are for people.
LOADED = re.compile(r'<(?:script|img|iframe)[^>]+src="https?://|<link[^>]+rel="stylesheet"[^>]+href="https?://')


def nav() -> set[str]:
    """Pages that the navigation names."""
    return set(re.findall(r": (\S+\.md)$", (REPOSITORY / "mkdocs.yml").read_text(), re.MULTILINE))


def test_every_page_has_its_place():
    docs = REPOSITORY / "docs"
    assert nav() == {path.relative_to(docs).as_posix() for path in docs.rglob("*.md")}


def test_every_room_is_in_the_reference():
    pages = "\n".join(path.read_text() for path in (REPOSITORY / "docs" / "reference" / "api").glob("*.md"))
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")} - NOT_IN_THE_REFERENCE
    assert rooms | {"shapes", "errors", "files"} <= set(re.findall(r"^::: vosmem\.(\w+)$", pages, re.MULTILINE))


@pytest.mark.slow
def test_the_site_builds_without_a_warning_and_fetches_nothing(tmp_path):
    pytest.importorskip("mkdocs", reason="pip install 'vosmem[docs]'")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    pages = {path.relative_to(tmp_path).as_posix(): path.read_text() for path in tmp_path.rglob("*.html")}
    assert not [name for name, text in pages.items() if LOADED.search(text)]
    assert "read_memory" in pages["reference/api/ops.html"] and "Float" in pages["reference/api/ops.html"]
    assert "&gt;&gt;&gt;" in pages["reference/api/inference.html"]  # examples are code


def test_the_configuration_is_yaml_with_nothing_from_outside():
    theme = yaml.safe_load((REPOSITORY / "mkdocs.yml").read_text())["theme"]
    assert theme["font"] is False
