"""The main part of the shipped study's report and each of its sections keep within their pages."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest
from support.study import ROOT

from ccp_analysis.layout import DOCUMENTS

# Points: the top of the text of a page, and its height (A4 less the margins of report.typ).
TOP, HIGH = 774, 717
PLACE = re.compile(r" *(\d+) \[ XYZ +\d+ +(\d+) .*\"(.+)\"")


def places(pdf: Path) -> dict[str, float]:
    """Return where each place of a document's contents stands, in pages from its beginning."""
    done = subprocess.run(["pdfinfo", "-dests", pdf], capture_output=True, check=True, text=True)
    found = map(PLACE.match, done.stdout.splitlines())
    return {m[3]: int(m[1]) - 1 + (TOP - int(m[2])) / HIGH for m in found if m}


@pytest.mark.skipif(not shutil.which("pdfinfo"), reason="poppler is not here")
def test_the_main_part_and_each_section_keep_within_their_pages(ccp_reported):
    budget = tomllib.loads((ROOT / "budget.toml").read_text())["pages"]
    allowed = budget["sections"]
    assert sum(allowed.values()) <= budget["main"] + 1e-9
    at = places(ccp_reported / DOCUMENTS[2])
    begins = [0.0, *(at[name] for name in list(allowed)[1:]), at["appendix-methods"]]
    assert begins == sorted(begins) and begins[-1] <= budget["main"]
    pages = {
        name: end - start for name, (start, end) in zip(allowed, pairwise(begins), strict=True)
    }
    assert {name: n for name, n in pages.items() if n > allowed[name]} == {}
    # A section that is named nowhere would count as a part of the one before it.
    html = (ccp_reported / DOCUMENTS[0]).read_text(encoding="utf-8")
    sections = re.findall(r'<section id="([^"]+)" class="level2"', html)
    assert sections[: sections.index("appendix-methods")] == list(allowed)
