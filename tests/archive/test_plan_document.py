"""The statistical analysis plan as a document: every item, from the configuration alone."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest
from support.study import STUDIES

from ccp_analysis.archive.plan_document import PlanDocument, run, source_of
from ccp_analysis.config.study import CHECKLISTS, PLAN_ITEMS
from ccp_analysis.config.trial import Trial
from ccp_analysis.report.sections.plan_items import ITEMS, SECTIONS, open_items

NUMBERS = list(CHECKLISTS[PLAN_ITEMS])


@pytest.fixture(params=STUDIES)
def configured(request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A folder with the configuration of a study and nothing else, as the current one."""
    shutil.copytree(STUDIES[request.param] / "config", tmp_path / "config")
    monkeypatch.chdir(tmp_path)
    return request.param


def test_the_items_are_those_of_the_guideline_in_its_order() -> None:
    assert [item.number for item in ITEMS] == NUMBERS
    assert len(NUMBERS) == 55
    assert [len(items) for items in SECTIONS.values()] == [11, 2, 9, 8, 8, 17]


def test_every_item_is_there_without_any_data(configured: str, capsys) -> None:
    run()
    assert sorted(path.name for path in Path().iterdir()) == ["config", "data", "reports"]
    assert not Path("data/raw").exists()
    page = Path("reports/plan.html").read_text(encoding="utf-8")
    main = unescape(page[page.index("<main") :])
    assert re.findall(r"<strong>(\d+[a-f]?) [A-Z]", main) == NUMBERS
    left = open_items(source_of(Trial()))
    asked = re.findall(r"<code>(?:statements\.plan\.(\w+)|(version))</code>", main)
    assert [number or "2" for number, _ in asked] == left
    assert f"{len(left)} of 55 items" in capsys.readouterr().out
    for kind in ("docx", "pdf"):
        assert Path(f"reports/plan.{kind}").stat().st_size > 10_000
    # Tables lead to no file: there is none.
    assert "as CSV" not in main
    synthetic = configured == "connecting_people"
    assert ("binds nobody" in main) == synthetic


def test_what_the_authors_state_stands_at_its_item(configured: str) -> None:
    source = source_of(Trial())
    before = PlanDocument(source).text()
    stated = {number: f"This is said of item {number}" for number in NUMBERS}
    study = source.study.model_copy(update={"statements": {PLAN_ITEMS: stated}})
    source = replace(source, study=study, plan=source.plan.model_copy(update={"version": "3.1"}))
    text = PlanDocument(source).text()
    assert "Authors must say" in before
    assert "Authors must say" not in text
    places = [text.index(f"This is said of item {number}\\.") for number in NUMBERS]
    assert places == sorted(places)
    assert "Version 3\\.1" in text


def test_the_paragraphs_of_methods_are_those_of_the_report(configured: str) -> None:
    document = PlanDocument(source_of(Trial()))
    text = document.text()
    for block in ("population", "models", "missing", "checks", "subgroups"):
        assert document.paragraphs(block) in text
    for said in (
        "**Costs.**",
        "Seemingly unrelated",
        "The log-link regression",
        "bootstrap draws",
        "Fieller",
    ):
        assert (said in text) == (configured == "connecting_people"), said
