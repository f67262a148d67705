"""The main part of the shipped study's report keeps within its pages."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib

import pytest
from support.study import ROOT

from ccp_analysis.layout import DOCUMENTS


@pytest.mark.skipif(not shutil.which("pdftotext"), reason="poppler is not here")
def test_the_main_part_has_no_more_pages_than_its_budget(ccp_reported):
    pdf = ccp_reported / DOCUMENTS[2]
    done = subprocess.run(["pdftotext", "-layout", pdf, "-"], capture_output=True, check=True)
    pages = done.stdout.decode().split("\f")
    begins = [n for n, page in enumerate(pages, 1) if re.search(r"\d Appendix: Methods", page)]
    allowed = tomllib.loads((ROOT / "budget.toml").read_text())["pages"]["main"]
    assert begins and begins[0] <= allowed
