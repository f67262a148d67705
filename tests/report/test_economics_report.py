"""The economic evaluation in the report where rows are others than those made up; its figures.

What is said of the rows made up is kept by `test_golden_sentences.py`.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_up import Folder, make
from support import reported
from support.reported import summary

from ccp_analysis.config.instruments import Standing
from ccp_analysis.errors import StudyError
from ccp_analysis.report.sections.checklist import FOR_AUTHORS
from ccp_analysis.report.sections.net_benefit import worth
from ccp_analysis.report.sections.plane import compared
from ccp_analysis.report.sections.setting import limits, placeholder, setting
from ccp_analysis.report.sections.variations import marks_of, varied
from ccp_analysis.report.source import Source, load


def markdown(folder: Folder, source: Source | None = None) -> str:
    source = source or folder.source()
    with folder.inside():
        text = reported.text(source)
    return re.sub(r"\\([!-/:-@\[-`{-~])", r"\1", text)


def section(text: str) -> str:
    """Return the section on the evaluation, on one line."""
    found = re.search(r"^# Costs and quality-adjusted life years$(.*?)^# ", text, re.M | re.S)
    return " ".join(found[1].split())


def changed(source: Source, where: dict[str, object], **values: object) -> Source:
    """Return the source with other values in the rows that fit; there must be one at least."""
    fits = [all(row[c] == v for c, v in where.items()) for row in source.results]
    assert any(fits)
    pairs = zip(source.results, fits, strict=True)
    return replace(source, results=[row | values if fit else row for row, fit in pairs])


def without(source: Source, **where: object) -> Source:
    rows = [r for r in source.results if any(r[c] != v for c, v in where.items())]
    assert len(rows) < len(source.results)
    return replace(source, results=rows)


@pytest.mark.parametrize("other", ["prices", "intervention", None])
def test_prices_of_other_years_are_said(clustered: Folder, other: str | None) -> None:
    source = clustered.source()
    names = {"prices", "intervention"} - {other}
    same = {name: getattr(source, name).assign(price_year=2019) for name in names}
    notes = " ".join(reported.tables(replace(source, **same))["prices"].notes)
    assert ("Unit costs of other years are brought to 2019" in notes) == (other is not None)


@pytest.mark.parametrize(
    ("months", "rows", "services"),
    [
        (3, ", all visits after baseline", "services of all visits after the baseline up to it, "),
        (12, "", "services "),  # a visit after the horizon adds nothing
    ],
)
def test_the_cost_at_the_horizon_may_be_that_of_several_visits(
    clustered: Folder, months: int, rows: str, services: str
) -> None:
    source = clustered.source()
    start, later = source.study.visits
    more = later.model_copy(update={"id": "more", "label": "More", "months": months})
    visits = sorted([start, later, more], key=lambda visit: visit.months)
    built = reported.tables(
        replace(source, study=source.study.model_copy(update={"visits": visits}))
    )
    lines = [row[0] for row in built["resource_use"].rows if row[0].startswith("Whole")]
    assert lines == [f"Whole cost{part} (Health services)" for part in ("", rows)]
    note = f"Cost at end: {services}and the intervention (Health services)."
    assert note in built["economic_means"].notes[0]


def test_other_rows_of_models_are_shown(clustered: Folder) -> None:
    """A joint model that failed; the ratio of the means of the log link."""
    source = clustered.source()
    lost = {"term": "difference", "estimate": None, "status": "failed", "note": "singular"}
    table = reported.tables(changed(source, {"term": "residual correlation"}, **lost))["economics"]
    assert table.rows[-1][4] == "not estimated"
    assert any("Seemingly unrelated regressions, imputed: singular." in n for n in table.notes)
    ratio = {"term": "ratio", "scale": "ratio", "status": "ok", "inference": "cr2", "note": ""}
    ratio |= {"estimate": 0.8123, "conf_low": 0.5, "conf_high": 1.3199}
    other = changed(source, {"analysis": "economics", "model": "log-link"}, **ratio)
    said = "Log-link regression, imputed, ratio of the means (CR2, Satterthwaite)"
    expected = [said, None, None, "0.81 (0.50 to 1.32)"]
    assert reported.tables(other)["economics"].rows[3][1:5] == expected


def test_net_benefits_that_failed_are_said(clustered: Folder) -> None:
    source = clustered.source()
    rows = [r for r in source.results if r["outcome"] != "net_benefit"]
    lost = next(r for r in source.results if r["outcome"] == "net_benefit")
    lost |= {"analysis": "economics", "model": "net-benefit", "term": "difference"}
    lost |= {"threshold": None, "estimate": None, "status": "failed", "note": "too few people"}
    failed = replace(source, results=[*rows, lost])
    table = reported.tables(failed)["net_benefit"]
    assert [row[1] for row in table.rows] == ["not estimated"]
    assert any("too few people" in note for note in table.notes)
    text = section(markdown(clustered, failed))
    assert "The net benefit was not estimated." in text
    for name in ("acceptability", "tornado"):
        assert not reported.is_drawn(failed, name)


@pytest.mark.parametrize(
    "quadrant", ["less costly, more effective", "more costly, less effective", ""]
)
def test_no_number_where_a_ratio_has_no_meaning(clustered: Folder, quadrant: str) -> None:
    # Even if a row had one.
    source = changed(
        clustered.source(),
        {"outcome": "cost per qaly"},
        **{"level": quadrant, "estimate": 77777.0, "conf_low": 66666.0, "conf_high": 88888.0},
    )
    with_any = re.compile(r"77,?777|66,?666|88,?888")
    assert not with_any.search(str(reported.tables(source)["ratios_of_cost"].rows))
    assert not with_any.search(markdown(clustered, source))


def test_a_ratio_with_its_interval(clustered: Folder) -> None:
    worth = {"level": "more costly, more effective", "estimate": 23456.7, "status": "ok"}
    worth |= {"conf_low": 11111.1, "conf_high": 55555.5, "note": "worth it to whoever pays more"}
    source = changed(clustered.source(), {"outcome": "cost per qaly"}, **worth)
    row = reported.tables(source)["ratios_of_cost"].rows[0]
    assert row[2:] == ["£23,457", "11,111 to 55,556", "Worth it to whoever pays more."]
    said = "Cost per QALY: £23,457 (95% interval 11,111 to 55,556)."
    assert said in section(markdown(clustered, source))


# The checklist


def test_the_checklist_has_all_items_with_places_that_exist(clustered: Folder) -> None:
    every = clustered.rows("tables/cheers.csv")
    rows = [row for row in every if row["Item"] != "VOI"]
    assert [int(row["Item"]) for row in rows] == list(range(1, 29))
    assert len(every) == len(rows) + 6
    text = markdown(clustered)
    headings = set(re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE))
    shown = set(re.findall(r"\*\*((?:Table|Figure) \d+)\.\*\*", text))
    answered = 0
    for row in every:
        places = re.findall(r"“([^”]+)”", row["Where"])
        numbers = re.findall(r"(?:Table|Figure) \d+", row["Where"])
        assert set(places) <= headings, row
        assert set(numbers) <= shown, row
        answered += bool(places) and row in rows
        if not places and row in rows:
            assert int(row["Item"]) in {1, 3, 6, 7, 21, 25, 27, 28}
    assert answered == 20
    by_item = {int(row["Item"]): row["Where"] for row in rows}
    assert by_item[1] == f"{FOR_AUTHORS}, in statements.1."
    assert by_item[28] == f"{FOR_AUTHORS}, in statements.28."
    assert by_item[3] == "Sleep in wards is *poor*."
    assert by_item[16].startswith("Not applicable")
    assert by_item[9].endswith("; why it is long enough is to be stated by the authors.")


def test_a_statement_stands_before_the_places(clustered: Folder) -> None:
    source = clustered.source()
    economics = source.economics.model_copy(update={"statements": {8: " Payers asked. "}})
    table = reported.tables(replace(source, economics=economics))["cheers"]
    assert re.fullmatch(r"Payers asked\. See “.+” and Table \d+\.", table.rows[7][3])
    stated = {1: "In the title", 16: "A trial, no model was built", 25: "Did it?"}
    economics = source.economics.model_copy(update={"statements": stated})
    rows = reported.tables(replace(source, economics=economics))["cheers"].rows
    assert rows[15][3] == "A trial, no model was built. See “Statistical methods”."
    assert (rows[0][3], rows[24][3]) == ("In the title.", "Did it?")


# Sentences


def test_placeholders_are_said_first(clustered: Folder) -> None:
    text = section(markdown(clustered))
    named = "Nurse visits at the and the unit costs of the intervention's Manual are placeholders"
    assert text.startswith(
        f"::: {{.warning}} The unit costs of {named}, by what is given as source"
    )
    assert summary(clustered.source())["Costs"].endswith(f"{named}: this shows the method only.")


def test_all_prices_may_be_placeholders_and_none(clustered: Folder) -> None:
    source = clustered.source()

    def sourced(text: str) -> Source:
        prices, items = (t.assign(source=text) for t in (source.prices, source.intervention))
        return replace(source, prices=prices, intervention=items)

    every, none = sourced("PLACEHOLDER"), sourced("Unit Costs of Health and Social Care")
    said = "The unit costs of services and the cost of the intervention are placeholders"
    assert placeholder(every).startswith(said)
    assert any(said in text for text in limits(every))
    assert placeholder(none) == "" and "placeholder" not in markdown(clustered, none)
    index = replace(none, prices=none.prices.assign(index_source="placeholder; ONS"))
    said = "The price index is a placeholder"
    assert placeholder(index).startswith(f"{said}, by what is given as source")
    assert summary(index)["Costs"].endswith(f"{said}: this shows the method only.")


def test_the_standing_of_the_value_set_is_quoted(clustered: Folder) -> None:
    source = clustered.source()
    standing = Standing(what="made up", recommended="recommended by nobody ", source="ourselves")
    known = source.instruments["sleep"].model_copy(update={"standing": standing})
    said = setting(replace(source, instruments={"sleep": known}))[1]
    assert "The value set is made up (ourselves). Recommended by nobody." in said


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (100.2, 900.4, "compatible with a gain from £100 to £900 with New care."),
        (-900.4, -100.2, "compatible with a loss from £100 to £900 with New care."),
    ],
)
def test_net_benefit_on_one_side(clustered: Folder, low: float, high: float, words: str) -> None:
    at = {"analysis": "economics", "outcome": "net_benefit", "term": "difference"}
    source = changed(clustered.source(), at, conf_low=low, conf_high=high)
    assert words in worth(source)[0]


@pytest.mark.parametrize(
    ("cr2", "ignoring", "words"),
    [
        (830.0, 1200.0, "which is larger: means of wards lie closer together than the scatter"),
        (830.0, 700.0, "too small: people of a ward are alike (intraclass correlation −0.03)"),
    ],
)
def test_standard_errors_are_told_apart_as_the_numbers_are(
    clustered: Folder, cr2: float, ignoring: float, words: str
) -> None:
    at = {"term": "standard error", "outcome": "net_benefit"}
    source = changed(clustered.source(), at | {"inference": "cr2"}, estimate=cr2)
    source = changed(source, at | {"inference": "t"}, estimate=ignoring)
    text = compared(source)
    assert words in text
    assert (
        "is £830 by the regression, for which 2.2 degrees of freedom leave £440 to £5,100" in text
    )
    assert ("With so few wards that happens by chance" in text) == (ignoring > cr2)
    assert "The bootstrap's draws vary less (£640): few sites can be drawn in few ways" in text
    more = changed(source, at | {"inference": "bootstrap"}, estimate=1500.0)
    assert "vary more (£1,500): the people who are drawn within wards" in compared(more)


def test_exported_draws_and_curves_say_which_arm_is_taken_from_which(clustered: Folder) -> None:
    curve, draws = (
        pd.read_csv(clustered.path / f"tables/{name}.csv")
        for name in ("acceptability_curves", "bootstrap_draws")
    )
    assert list(draws)[:3] == ["draw", "cost_new_minus_usual", "qaly_new_minus_usual"]
    source = clustered.source()
    np.testing.assert_array_equal(draws.iloc[:, :3], source.draws)
    assert list(curve["threshold"]) == [0, 10000, 20000, 30000, 50000]
    assert list(curve["net_benefit_new_minus_usual"]) == [1234.5, 1357.5, 1480.5, 1603.5, 1849.5]
    assert curve["probability_new_above_usual_by_regression"].iloc[2] == 0.8934
    assert curve["perfect_information_by_regression"].iloc[2] == 77.4
    text = markdown(clustered)
    assert "Draws of the bootstrap" not in text


def test_what_is_adjusted_for_is_said_with_what_makes_the_range(clustered: Folder) -> None:
    source = clustered.source()
    named = {"cases": "pair", "dear": "change"}
    sensitivity = [
        v.model_copy(update={"adjust": named.get(v.id)}) for v in source.economics.sensitivity
    ]
    economics = source.economics.model_copy(update={"sensitivity": sensitivity})
    asked = replace(source, economics=economics)
    range_of = "it goes from −£150 (complete cases) to £2,096 (prices half as high again) by what"
    assert range_of in summary(asked)["Costs"]
    assert range_of not in summary(source)["Costs"]
    text = section(markdown(clustered, asked))
    assert f"I{range_of[1:]} the arms are adjusted for." in text
    assert "the arms differ at start and were not allocated at random" in text


def test_where_no_sign_changes_the_range_is_said_and_no_agreement(clustered: Folder) -> None:
    source = clustered.source()
    rows = [r for r in source.results if r["analysis"] not in ("economics_cases", "economics_dear")]
    text = varied(replace(source, results=rows))
    lost = "Not estimated: Costs <b>winsorised</b>."
    assert text.endswith(f". {lost}")
    kept = [r for r in rows if r["analysis"] != "economics_cut"]
    alone = varied(replace(source, results=kept))
    assert text == f"{alone} {lost}"
    assert alone.startswith("The net benefit at £20,000 per QALY goes from ")
    assert alone.count(". ") == 0
    assert "throughout" not in alone
    # Where all of them failed nothing is said but that.
    rows = [r for r in source.results if not r["analysis"].startswith("economics_")]
    rows += [r for r in source.results if r["analysis"] == "economics_cut"]
    assert varied(replace(source, results=rows)) == lost


def test_references_are_those_used(clustered: Folder) -> None:
    authors = ("Manca", "Hoch", "Husereau", "Davison", "Gomes", "Brand", "Fieller")
    text = markdown(clustered)
    references = text.partition("# References")[2]
    methods = text.partition("\n## Statistical methods")[2].partition("\n# ")[0]
    for author in authors:
        assert author in references
        assert author in methods
    fewer = without(clustered.source(), model="two-stage-bootstrap")
    text = markdown(clustered, without(fewer, inference="fieller"))
    for author in authors:
        assert (author in text) == (author in authors[:3]), author


# Figures


def test_the_plane_has_a_point_for_each_draw_up_to_a_limit(clustered: Folder) -> None:
    """All draws and the estimate are inside, and zero is in the middle."""
    source = clustered.source()
    [axes] = reported.draw(source, "plane").axes
    [cloud] = axes.collections
    points = np.asarray(cloud.get_offsets())
    assert points.shape == (2000, 2)
    np.testing.assert_allclose(points, source.draws.iloc[:2000, [2, 1]].to_numpy())
    for low, high, values in ((*axes.get_xlim(), points[:, 0]), (*axes.get_ylim(), points[:, 1])):
        assert low == -high
        assert low < values.min() and values.max() < high


def test_few_draws_are_all_drawn(clustered: Folder) -> None:
    source = clustered.source()
    few = replace(source, draws=source.draws.head(150))
    [cloud] = reported.draw(few, "plane").axes[0].collections
    assert len(cloud.get_offsets()) == 150
    assert "(150 drawn)" in reported.legend(few, "plane")[0]
    assert (clustered.path / "figures" / "plane.svg").stat().st_size < 200_000


def test_the_tornado_begins_with_what_moves_it_farthest(clustered: Folder) -> None:
    assert [mark.label for mark in marks_of(clustered.source())] == [
        *("Complete cases", "Prices half as high again", "Imputed sleep worse", "All of society"),
        "Main evaluation",
    ]


# Studies without


def test_an_evaluation_without_variations_has_those_left_out_or_no_section(tmp_path: Path) -> None:
    folder = make("clustered", tmp_path / "study")
    source = folder.source()
    economics = source.economics.model_copy(update={"sensitivity": []})
    alone = replace(source, economics=economics)
    text = markdown(folder, alone)
    assert "varies one thing at a time." in text and "Without North" in text
    for term in ("difference without one pair", "difference without one person"):
        alone = without(alone, term=term)
    text = markdown(folder, alone)
    assert "What the evaluation hangs on" not in text
    assert "**Figure" in text


def test_an_evaluation_without_draws_prices_or_intervention(clustered: Folder) -> None:
    source = clustered.source()
    economics = source.economics.model_copy(update={"intervention": None})
    none = pd.DataFrame()
    bare = replace(source, draws=none, prices=none, intervention=none, economics=economics)
    text = markdown(clustered, without(bare, outcome="intervention"))
    assert "What New care itself costs is not declared, and not counted." in text
    assert "Figure" in text
    for words in ("Cost-effectiveness plane", "Unit costs, their price years", "None"):
        assert words not in text


def test_prices_that_are_not_there_are_named(tmp_path: Path) -> None:
    folder = make("clustered", tmp_path / "study")
    everything = folder.everything
    (folder.path / "prices.parquet").unlink()
    with folder.inside(), pytest.raises(StudyError, match=r"prices\.parquet: the file is missing"):
        load(**everything)
