"""What the report says of harms and other events, and what it claims of them."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
from made_up import Folder
from support import reported

from ccp_analysis.analyses.harms import event_rows
from ccp_analysis.config.estimands import Estimand
from ccp_analysis.report.sections.checklist import FOR_AUTHORS
from ccp_analysis.report.sections.harms import harms_by_arm
from ccp_analysis.report.sections.limits import limits
from ccp_analysis.report.sections.summary import summary
from ccp_analysis.report.source import Source, _records
from ccp_analysis.results.table import results_table
from ccp_analysis.results.terms import Role

SILENT = "Of harms these data have no record, and so nothing can be said of them."
WARDS = {"W1": ("usual", 9), "W2": ("new", 13), "W3": ("usual", 11), "W4": ("new", 8)}
WHOLE = {"id": "treatment-policy", "population": "Everyone", "treatment": "One against the other"}
MOVED = Estimand.model_validate(
    WHOLE
    | {"variable": "Sleep", "summary": "Difference"}
    | {
        "intercurrent_events": [
            {"event": "left", "strategy": "treatment policy", "how": "used"},
            {"event": "Given up", "strategy": "hypothetical", "how": "x", "recorded": False},
        ]
    }
)


def people() -> pd.DataFrame:
    rows = [(ward, arm) for ward, (arm, n) in WARDS.items() for _ in range(n)]
    frame = pd.DataFrame(rows, columns=["ward", "arm"])
    frame["participant"] = [f"P{at:02d}" for at in range(len(frame))]
    return frame.assign(interviewed_start=[False, *[True] * (len(frame) - 1)])


def with_events(source: Source, happened: list[tuple[str, str]], **losses: object) -> Source:
    """Return a source in which events have happened to people, by event and participant."""
    study = source.study
    study = study.model_copy(update={"losses": study.losses.model_copy(update=losses)})
    events = pd.DataFrame(happened, columns=["event", "participant"]).assign(reason="moved")
    rows = event_rows(study, source.dictionary, people(), events, 0.95)
    table = results_table([{"role": Role.DESCRIPTIVE} | row for row in rows], study.data_status)
    return replace(source, study=study, results=[*source.results, *_records(table)])


@pytest.fixture
def source(clustered: Folder) -> Source:
    found = clustered.source()
    return replace(found, plan=found.plan.model_copy(update={"estimands": [MOVED]}))


def text(source: Source) -> str:
    return reported.text(source).replace("\\", "")


HAPPENED = [("died", "P40"), ("left", "P30"), ("left", "P12"), ("died", "P00"), ("left", "P01")]


def test_harms_stand_first_then_intercurrent_events(source: Source) -> None:
    found = with_events(source, HAPPENED, harms=["died"])
    table = reported.tables(found)["harms"]
    assert [row[:2] for row in table.rows] == [
        ["Harms", "Died"],
        ["Intercurrent events", source.category("event", "left")],
    ]
    assert table.rows[0][2].startswith("0 of 19, 0% (0 to ") and table.rows[0][3] == "0"
    assert table.rows[0][4].startswith("1 of 21, 5% (0 to ") and table.rows[0][5] == "1"
    notes = " ".join(table.notes)
    assert "Died by reason, Usual care: none; New care: moved away 1." in notes
    assert "Of the 1 people recruited who had no baseline interview" in notes
    assert "there is a record of died 1 in Usual care" in notes
    said = text(found)
    assert "# Harms and intercurrent events" in said
    assert "is to be stated by the authors (harms_asked under losses" in said
    assert "Intercurrent events without a record: given up." in said
    assert ("Harms", harms_by_arm(found)) in summary(found) and SILENT not in limits(found)


def test_an_arm_without_a_harm_is_said_with_what_that_allows(source: Source) -> None:
    said = harms_by_arm(with_events(source, HAPPENED, harms=["died"]))
    assert "0 of 19 people with Usual care (0%, 0 to " in said
    assert "1 of 21 people with New care (5%, 0 to " in said
    assert " fewer to " in said and said.endswith(" more with a harm.")
    nobody = with_events(source, [], harms=["died"])
    assert "was 0.0 percentage points (−" in harms_by_arm(nobody)
    for text_of in (said, text(nobody)):
        assert "no harm" not in text_of.lower()


def test_how_harms_were_asked_for_is_said_where_it_is_known(source: Source) -> None:
    said = text(with_events(source, HAPPENED, harms=["died"], harms_asked="asked at each visit"))
    assert "Asked at each visit." in said and "harms_asked" not in said


def test_events_without_declared_harms_claim_none(source: Source) -> None:
    found = with_events(source, HAPPENED)
    tables = reported.tables(found)
    assert "harms" not in tables and [row[0] for row in tables["events"].rows] == [
        "Intercurrent events"
    ]
    said = text(found)
    assert "# What happened to people" in said and "none is reported as one." in said
    assert SILENT in limits(found) and harms_by_arm(found) == ""
    assert checked(found) == (f"{FOR_AUTHORS}, in statements.trend.19.", False)


def checked(source: Source) -> tuple[str, bool]:
    """Return what TREND says of harms, and whether CHEERS refers to the table of them."""
    tables = reported.tables(source)
    trend = {row[0]: row[3] for row in tables["trend"].rows}["19"]
    cheers = {row[0]: row[3] for row in tables["cheers"].rows}["11"]
    asks = "which harms were measured is to be stated by the authors" in cheers
    assert asks != ("Table" in cheers)
    return trend, not asks


def test_checklists_point_to_harms_where_there_are_some(source: Source) -> None:
    found = with_events(source, HAPPENED, harms=["died"])
    trend, claimed = checked(found)
    assert trend.startswith("Table ") and claimed
    assert reported.claimed_in_vain(found, "trend", "cheers") == []
    # Declared harms of which there are no results are claimed by nobody.
    declared = source.study.losses.model_copy(update={"harms": ["died"]})
    study = source.study.model_copy(update={"losses": declared})
    asked = f"{FOR_AUTHORS}, in statements.trend.19.", False
    assert checked(replace(source, study=study)) == asked


def test_a_study_without_a_file_of_events_says_that_it_knows_nothing(plain: Folder) -> None:
    found = plain.source()
    assert found.study.losses is None
    assert not {"harms", "events"} & set(reported.tables(found))
    assert SILENT in limits(found) and harms_by_arm(found) == ""


def test_an_arm_of_one_team_has_a_difference_without_an_interval(source: Source) -> None:
    found = with_events(source, HAPPENED, harms=["died"])
    rows = [
        row | {"conf_low": None, "conf_high": None, "note": "no interval: an arm is a single ward"}
        if row["term"] == "difference between groups"
        else row
        for row in found.results
    ]
    said = harms_by_arm(replace(found, results=rows))
    assert said.endswith("percentage points (no interval: an arm is a single ward).")


def test_real_data_have_the_section_too(source: Source) -> None:
    real = source.study.model_copy(update={"data_status": "real"})
    found = with_events(replace(source, study=real), HAPPENED, harms=["died"])
    assert "# Harms and intercurrent events" in text(found)
