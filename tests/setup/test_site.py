"""`make site`: the documents and the API as web pages."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import pytest

pytest.importorskip("mkdocs")
pytest.importorskip("mkdocstrings_handlers.python")
pytestmark = pytest.mark.pipeline

ROOT = Path(__file__).parents[2]
NEEDED = ("CONTRIBUTING.md", "docs", "mkdocs.yml", "src", "tools")
ADDRESSES = {"src", "href", "action", "data", "poster", "srcset"}


class Addresses(HTMLParser):
    """What a page loads or sends to, and where its links lead."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.loaded: set[str] = set()
        self.ids: set[str] = set()
        self.linked: set[str] = set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id":
                self.ids.add(str(value))
            elif name in ADDRESSES:
                (self.linked if tag == "a" else self.loaded).add(str(value))


def build(root: Path, site: Path) -> subprocess.CompletedProcess[str]:
    # Not --quiet: warnings that are not shown do not count as such.
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("site")
    ended = build(ROOT, made)
    assert ended.returncode == 0, ended.stderr
    assert "WARNING" not in ended.stdout + ended.stderr
    return made


def test_every_document_is_a_page_with_its_api(site: Path):
    documents = {path.relative_to(ROOT / "docs") for path in (ROOT / "docs").rglob("*.md")}
    pages = {path.relative_to(site) for path in site.rglob("*.html")}
    pages -= {Path("index.html"), Path("search.html")}
    expected = {path.with_suffix(".html") for path in documents - {Path("README.md")}}
    assert pages == expected | {Path("CONTRIBUTING.html")}
    found = Addresses(site / "api/models.html").ids
    assert {
        "ccp_analysis.models.robust.cluster_robust",
        "ccp_analysis.models.averaged.pool_averaged",
        "ccp_analysis.models.glm.fit_glm",
    } <= found
    text = (site / "api/models.html").read_text(encoding="utf-8")
    assert "[2.617]" in text


def test_no_page_loads_anything_from_another_host(site: Path):
    loaded = {address for page in site.rglob("*.html") for address in Addresses(page).loaded}
    for sheet in site.rglob("*.css"):
        rules = re.sub(r"/\*.*?\*/", "", sheet.read_text(encoding="utf-8"), flags=re.DOTALL)
        loaded |= set(re.findall(r"url\(\s*[\"']?([^\"')]+)", rules))
        assert "@import" not in rules
    assert loaded
    assert {a for a in loaded if urlsplit(a).netloc or urlsplit(a).scheme not in ("", "data")} == (
        set()
    )


def test_links_between_pages_lead_somewhere(site: Path):
    parsed = {page.resolve(): Addresses(page) for page in site.rglob("*.html")}
    for page, addresses in parsed.items():
        for address in map(urlsplit, addresses.linked):
            if address.scheme or address.netloc:
                continue
            end = (page.parent / address.path).resolve() if address.path else page
            end = end / "index.html" if end.is_dir() else end
            assert end.is_file(), f"{page.name}: {address.geturl()}"
            if address.fragment and end in parsed:
                assert address.fragment in parsed[end].ids, f"{page.name}: {address.geturl()}"


def test_links_that_lead_nowhere_and_unlisted_documents_stop_it(tmp_path: Path):
    for name in NEEDED:
        source, target = ROOT / name, tmp_path / name
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    (tmp_path / "docs/unlisted.md").write_text("# Unlisted\n\n[gone](gone.md)\n", encoding="utf-8")
    ended = build(tmp_path, tmp_path / "site")
    assert ended.returncode != 0
    for told in ("- unlisted.md", "link 'gone.md'", "2 warnings"):
        assert told in ended.stdout + ended.stderr
