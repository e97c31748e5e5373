"""The pages as a site: `make site` builds it without a warning, and it asks no other server."""

import ast
import re
import subprocess
import sys
from pathlib import Path
from typing import TypeGuard

import pytest

from bench import PROJECT
from charthouse.cli.commands_page import PAGE, render_commands


def build(source: Path, out: Path) -> subprocess.CompletedProcess[str]:
    """What `make site` runs, of the pages in a folder."""
    pytest.importorskip("sphinx", reason="the site wants Sphinx, MyST and furo: the extra dev")
    recipe = (PROJECT / "Makefile").read_text().split("\nsite: ")[1].splitlines()[1]
    words = recipe.split()[1:]
    assert words[-3:] == ["docs", ".", "site"]
    words[-3:] = [str(PROJECT / "docs"), str(source), str(out), "-d", str(out.parent / "doctrees")]
    return subprocess.run([sys.executable, *words], capture_output=True, text=True)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("site") / "html"
    done = build(PROJECT, out)
    assert done.returncode == 0, done.stderr
    return out


def test_every_page_is_in_the_site_and_its_front_leads_to_the_first(site: Path) -> None:
    pages = {path.relative_to(PROJECT).with_suffix("") for path in PROJECT.glob("docs/**/*.md")}
    assert {page for page in pages if not (site / f"{page}.html").exists()} == set()
    assert 'url=docs/index.html"' in (site / "index.html").read_text()
    assert (site / "docs/index.html").exists()


def test_a_page_of_the_site_fetches_nothing_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = page.read_text()
        fetched = re.findall(r'<(?:script|img|iframe)\b[^>]*\bsrc="([^"]*)"', text)
        fetched += re.findall(r'<link\b[^>]*\bhref="([^"]*)"', text)
        assert not [address for address in fetched if "//" in address], page
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(?:url\(|@import)\s*[\"']?(?:https?:)?//", sheet.read_text()), sheet


@pytest.mark.parametrize("link", ["gone.md", "index.md#nowhere"])
def test_a_link_that_leads_nowhere_fails_the_build(tmp_path: Path, link: str) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/index.md").write_text(f"# Charthouse\n\n[a link]({link})\n")
    done = build(tmp_path, tmp_path / "html")
    assert done.returncode != 0 and link.split("#")[-1] in done.stderr


def test_the_page_of_commands_is_what_the_commands_say() -> None:
    stale = "Run python -m charthouse.cli.commands_page."
    assert (PROJECT / PAGE).read_text() == render_commands(), stale


def words_of_the_code() -> str:
    """Every text in the package, as it is written there, and all SQL of the macros."""
    parts = [path.read_text() for path in PROJECT.glob("macros/**/*.sql")]
    parts.append((PROJECT / "Makefile").read_text())
    for path in PROJECT.glob("python/charthouse/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                parts.append("\0".join(each.value for each in node.values if is_text(each)))
            elif is_text(node):
                parts.append(node.value)
    return "\n".join(parts)


def is_text(node: ast.AST) -> TypeGuard[ast.Constant]:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def test_every_message_that_troubleshooting_explains_is_one_that_the_code_has() -> None:
    page = (PROJECT / "docs/how-to/troubleshooting.md").read_text()
    messages = re.findall(r"^\| `([^`]+)` \|", page, re.M)
    assert len(messages) > 30
    code = words_of_the_code()
    parts = {part.strip(" .") for message in messages for part in message.split("…")}
    assert {part for part in parts if part not in code} == set()
