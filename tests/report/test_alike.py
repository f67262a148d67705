"""What the report says of balance, weights and unmeasured differences, of both studies."""

from __future__ import annotations

import re

import pytest
from support import reported

from ccp_analysis.report.sections.alike import compared
from ccp_analysis.report.source import Source


@pytest.fixture(scope="module")
def ccp_report(ccp_done) -> Source:
    return ccp_done.source()


def test_the_summary_has_two_sentences(ccp_report):
    said = reported.text(ccp_report)
    [paragraph] = [p for p in said.split("\n\n") if p.startswith("**Allocation")]
    assert len(re.findall(r"\.(?: |$)", re.sub(r"\d\.\d", "", paragraph.partition(".** ")[2]))) == 2
    assert "unmeasured difference of more than" in paragraph


def test_a_randomised_study_has_the_table_and_no_weights(btheb_done):
    source = btheb_done.source()
    assert len(reported.tables(source)["alike"].rows) == len(compared(source)) > 0
    assert not {"unmeasured", "weights", "strengths"} & set(reported.table_names(source))
    assert not {"alike", "overlap", "unmeasured"} & set(reported.figure_names(source))
    assert "were not allocated at random" not in reported.text(source)
