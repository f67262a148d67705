"""What ``mkdocs`` is told beyond ``mkdocs.yml``: it calls these functions while it makes the pages.

The index of ``docs/README.md`` is the navigation, so that a document that it does not list is a
warning; and ``CONTRIBUTING.md``, which stands beside ``docs/``, is a page too.
"""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

RULES = "CONTRIBUTING.md"
ABOVE = f"../{RULES}"
ROW = re.compile(r"^\| (?!for whoever)(?P<who>[^|-]+) \| (?P<documents>.+) \|$", re.MULTILINE)
LINK = re.compile(r"\]\(([^)]+)\)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Take the index of the documents as the navigation; leave out the page of missing pages."""
    index = Path(config.docs_dir, "README.md").read_text(encoding="utf-8").replace(ABOVE, RULES)
    rows = ROW.finditer(index)
    config.nav = ["README.md"]
    config.nav += [{f"For whoever {r['who']}": LINK.findall(r["documents"])} for r in rows]
    # Without an address of the site its search would lead to a host called search.html.
    config.theme.static_templates.discard("404.html")
    return config


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Make a page of the rules for contributors."""
    files.append(File.generated(config, RULES, abs_src_path=str(Path(config.docs_dir, ABOVE))))
    return files


def on_page_markdown(markdown: str, *, page: Page, **_: object) -> str:
    """Lead links to the rules, and those in them, where the pages stand in the site."""
    if page.file.src_uri == RULES:
        return markdown.replace("](docs/", "](")
    return markdown.replace(ABOVE, RULES)
