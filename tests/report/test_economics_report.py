"""The economic evaluation in the report, from rows written down by hand."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest
from made_up import Folder, make
from matplotlib.figure import Figure
from support import reported
from support.reported import summary

from ccp_analysis.config.instruments import Standing
from ccp_analysis.errors import StudyError
from ccp_analysis.report.sections.checklist import FOR_AUTHORS
from ccp_analysis.report.sections.net_benefit import worth
from ccp_analysis.report.sections.plane import compared
from ccp_analysis.report.sections.plane import said as about_the_plane
from ccp_analysis.report.sections.setting import limits, placeholder, setting
from ccp_analysis.report.sections.variations import marks_of, varied
from ccp_analysis.report.source import Source, load

TABLES = [
    *("resource_use", "prices", "economic_means", "economics", "net_benefit"),
    *("ratios_of_cost", "economic_sensitivity", "cheers", "standard_errors"),
    *("acceptability_curves", "bootstrap_draws"),
]
FIGURES = ["acceptability", "plane", "tornado"]


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


def said(figure: Figure) -> str:
    return "\n".join(text.get_text() for text in figure.findobj(matplotlib.text.Text))


# Tables


def test_use_users_and_costs_of_services(clustered: Folder) -> None:
    rows = clustered.rows("tables/resource_use.csv")
    keys = [(row["Service (unit, price)"].split(" (")[0], row["Visit"]) for row in rows]
    assert keys == [
        ("Nurse visits at the", "Start"),
        ("Nurse visits at the", "End"),
        ("Days in bed at the end", "End"),
        ("Days off work at the end", "End"),
        ("Intervention", "End"),
        ("Whole cost", "Start"),
        ("Whole cost", "End"),
    ]
    first, _, bed, work, own, start, end = rows
    assert first["Service (unit, price)"] == "Nurse visits at the (visit, £10.55)"
    assert first["Usual care, n"] == "19"
    assert first["Usual care, use, mean (SD)"] == "3.3 (2.1)"
    assert first["Usual care, users (%)"] == "84"
    assert first["Usual care, mean cost (SD; £)"] == "35"
    assert first["New care, use, mean (SD)"] == "4.0"
    assert first["New care, mean cost (SD; £)"] == ""
    assert bed["Service (unit, price)"].endswith("(day, £400)")
    assert bed["Usual care, use, mean (SD)"] == "11.2 (20.2)"
    assert work["Service (unit, price)"].endswith("(day, £95; not in the main perspective)")
    assert (own["Usual care, mean cost (SD; £)"], own["New care, mean cost (SD; £)"]) == ("0", "34")
    assert [row["Usual care, mean cost (SD; £)"] for row in (start, end)] == [
        "4,100 (3,901)",
        "4,991 (5,100)",
    ]


def test_prices_with_years_and_sources(clustered: Folder) -> None:
    nurse, bed, work, training, manual = clustered.rows("tables/prices.csv")
    assert nurse == {
        "Kind": "Services",
        "Service or item": "Nurse visits at the",
        "Unit": "visit",
        "Quantity": "",
        "Unit cost (£)": "10",
        "Price year": "2017",
        "Price of 2019 (£)": "10.55",
        "Cost (£)": "",
        "Source": "Placeholder, a round figure",
        "data_status": "synthetic",
    }
    assert bed["Source"] == "Hospital accounts"
    assert work["Unit cost (£)"] == "95"
    assert training["Service or item"] == "Training day (lasts 2 years)"
    assert training["Cost (£)"] == "500"
    assert (manual["Kind"], manual["Quantity"]) == ("Intervention: Material", "25")
    assert manual["Price of 2019 (£)"] == "8.44"
    notes = " ".join(reported.tables(clustered.source())["prices"].notes)
    assert "brought to 2019 by the price index of config/price_index.csv" in notes
    assert "spread equally over the wards of New care, and within each over its" in notes
    assert "Not counted in the main perspective, Health services: Days off work at" in notes


@pytest.mark.parametrize("other", ["prices", "intervention", None])
def test_prices_of_other_years_are_said(clustered: Folder, other: str | None) -> None:
    source = clustered.source()
    names = {"prices", "intervention"} - {other}
    same = {name: getattr(source, name).assign(price_year=2019) for name in names}
    notes = " ".join(reported.tables(replace(source, **same))["prices"].notes)
    assert ("Unit costs of other years are brought to 2019" in notes) == (other is not None)


def test_the_cost_at_the_horizon_may_be_that_of_several_visits(clustered: Folder) -> None:
    source = clustered.source()

    def told(months: float, horizon: float) -> tuple[list[str], str]:
        start, later = source.study.visits
        more = later.model_copy(update={"id": "more", "label": "More", "months": months})
        visits = sorted([start, later, more], key=lambda visit: visit.months)
        study = source.study.model_copy(update={"visits": visits})
        economics = source.economics.model_copy(update={"months": horizon})
        built = reported.tables(replace(source, study=study, economics=economics))
        lines = [row[0] for row in built["resource_use"].rows if row[0].startswith("Whole")]
        return lines, built["economic_means"].notes[0]

    lines, note = told(3, 6)
    assert lines == [
        "Whole cost (Health services)",
        "Whole cost, all visits after baseline (Health services)",
    ]
    assert (
        "Cost at end: services of all visits after the baseline up to it, and the intervention "
        "(Health services)."
    ) in note
    # A visit after the horizon adds nothing.
    lines, note = told(12, 6)
    assert lines == ["Whole cost (Health services)"] * 2
    assert "Cost at end: services and the intervention (Health services)." in note


def test_means_by_arm(clustered: Folder) -> None:
    rows = clustered.rows("tables/economic_means.csv")
    found = {(row["Measure"], row["Visit and data"]): row for row in rows}
    assert found["Cost (£)", "Start, imputed"]["Usual care, mean (SD)"] == "4,100 (3,901)"
    assert found["Cost (£)", "End, imputed"]["Usual care, n"] == "19"
    assert found["Cost (£)", "End, complete cases"]["Usual care, mean (SD)"] == "4,750"
    assert found["Sleep (SLP)", "Start, imputed"]["New care, mean (SD)"] == "0.61 (0.21)"
    years = found["Quality-adjusted life years", "Imputed"]
    assert years["New care, mean (SD)"] == "0.313 (0.099)"


def test_differences_by_every_method(clustered: Folder) -> None:
    rows = clustered.rows("tables/economics.csv")
    cost = [row for row in rows if row["Outcome"] == "Cost (£)"]
    assert [row["Analysis"] for row in cost] == [
        "ANCOVA, imputed (CR2, Satterthwaite)",
        "ANCOVA, complete cases (CR2, Satterthwaite)",
        "Seemingly unrelated regressions, imputed (CR2, Satterthwaite)",
        "Log-link regression, imputed",
        "Paired team means, imputed (paired t)",
        "Two-stage bootstrap, imputed (percentiles)",
    ]
    assert cost[0]["Adjusted mean, Usual care"] == "5,000"
    assert cost[0]["Difference (95% CI)"] == "−1,234 (−4,400 to 1,931)"
    assert cost[0]["df"] == "2.2"
    assert cost[2]["Adjusted mean, Usual care"] == "4,980"
    assert cost[4]["p"] == "0.042"
    assert cost[5]["p"] == ""
    years = [row for row in rows if row["Outcome"].startswith("Quality-adjusted")]
    assert years[0]["Difference (95% CI)"] == "0.012 (−0.027 to 0.052)"
    assert rows[-1]["Outcome"] == "Residual correlation of costs and QALYs"
    assert rows[-1]["Difference (95% CI)"] == "−0.23"


def test_a_failed_model_says_so(clustered: Folder) -> None:
    row = clustered.rows("tables/economics.csv")[3]
    assert row["Difference (95% CI)"] == "not estimated"
    notes = reported.tables(clustered.source())["economics"].notes
    assert "Cost, Log-link regression, imputed: the fit did not converge." in notes


def test_a_failed_joint_model_says_so(clustered: Folder) -> None:
    source = changed(
        clustered.source(),
        {"term": "residual correlation"},
        **{"term": "difference", "estimate": None, "status": "failed", "note": "singular"},
    )
    table = reported.tables(source)["economics"]
    assert table.rows[-1][4] == "not estimated"
    assert any("Seemingly unrelated regressions, imputed: singular." in n for n in table.notes)


def test_the_ratio_of_the_means(clustered: Folder) -> None:
    source = changed(
        clustered.source(),
        {"analysis": "economics", "model": "log-link"},
        **{"term": "ratio", "scale": "ratio", "status": "ok", "inference": "cr2"},
        **{"estimate": 0.8123, "conf_low": 0.5, "conf_high": 1.3199, "note": ""},
    )
    row = reported.tables(source)["economics"].rows[3]
    ratio = "Log-link regression, imputed, ratio of the means (CR2, Satterthwaite)"
    assert row[1:5] == [ratio, None, None, "0.81 (0.50 to 1.32)"]


def test_net_benefit_at_the_thresholds(clustered: Folder) -> None:
    rows = clustered.rows("tables/net_benefit.csv")
    assert [row["Threshold (£ per QALY)"] for row in rows] == [
        *("0", "10,000", "20,000 (main)", "30,000 (main)", "50,000"),
    ]
    assert rows[2] == {
        "Threshold (£ per QALY)": "20,000 (main)",
        "Net benefit (95% CI)": "1,480 (−1,801 to 4,762)",
        "df": "2.2",
        "p": "0.21",
        "Probability, regression": "0.89",
        "Probability, bootstrap": "0.96",
        "EVPI (£)": "77",
        "For all (£)": "1,230,000",
        "Net benefit by ward means": "1,700 (−2,112 to 5,512)",
        "data_status": "synthetic",
    }
    assert rows[3]["Probability, bootstrap"] == ""
    notes = reported.tables(clustered.source())["net_benefit"].notes
    assert "Net-benefit regression, imputed: t over four wards." in notes


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


def test_a_ratio_stands_only_where_it_means_something(clustered: Folder) -> None:
    years, pain = clustered.rows("tables/ratios_of_cost.csv")
    assert years["Ratio"] == "Cost per QALY"
    assert years["Point estimate"] == "Less costly, more effective"
    assert years["Ratio of the differences"] == years["95% CI (Fieller)"] == "none"
    assert years["In words"].startswith("By the point estimates New care dominates")
    assert pain["Ratio"] == "Cost per point less of Pain at the"
    assert pain["Ratio of the differences"] == "about £990"
    assert pain["95% CI (Fieller)"] == "none"


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
    source = changed(
        clustered.source(),
        {"outcome": "cost per qaly"},
        **{"level": "more costly, more effective", "estimate": 23456.7, "status": "ok"},
        **{"conf_low": 11111.1, "conf_high": 55555.5, "note": "worth it to whoever pays more"},
    )
    row = reported.tables(source)["ratios_of_cost"].rows[0]
    assert row[2:] == ["£23,457", "11,111 to 55,556", "Worth it to whoever pays more."]
    assert "Cost per QALY: £23,457 (95% interval 11,111 to 55,556)." in section(
        markdown(clustered, source)
    )


def test_every_variation_has_a_line(clustered: Folder) -> None:
    rows = clustered.rows("tables/economic_sensitivity.csv")
    assert [row["What differs"] for row in rows] == [
        *("Main evaluation", "All of society", "Prices half as high again", "Complete cases"),
        *("Costs <b>winsorised</b>", "Imputed sleep worse", "Without North"),
        *(f"Without one person, the {end} of each" for end in ("lowest", "highest")),
    ]
    assert rows[0]["Net benefit (£)"] == "1,480 (−1,801 to 4,762)"
    assert rows[1]["Cost (£)"] == "−1,100 (−4,600 to 2,400)"
    assert rows[1]["QALYs"] == "0.012 (−0.027 to 0.052)"
    assert rows[1]["Probability"] == "0.86"
    assert {rows[4][c] for c in ("Cost (£)", "QALYs", "Net benefit (£)")} == {"not estimated"}
    assert rows[5]["Cost (£)"] == ""
    notes = reported.tables(clustered.source())["economic_sensitivity"].notes
    assert "Costs <b>winsorised</b>: no cost is left." in notes


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


def test_the_checklist_counts_as_the_captions_do(clustered: Folder) -> None:
    text = markdown(clustered)
    rows = {row["Item"]: row["Where"] for row in clustered.rows("tables/cheers.csv")}
    del rows["VOI"]
    for name, caption in (
        ("plane", r"Figure (\d+)\.\*\* Cost-effectiveness plane"),
        ("acceptability", r"Figure (\d+)\.\*\* Acceptability"),
    ):
        assert f"Figure {re.search(caption, text)[1]}" in rows["20"], name
    tornado = re.search(r"Figure (\d+)\.\*\* Net benefit at £20,000", text)[1]
    varied = re.search(r"Table (\d+)\.\*\* The evaluation varied", text)[1]
    assert rows["24"] == f"“What the evaluation hangs on”, Table {varied} and Figure {tornado}."


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
    assert text.startswith(
        "::: {.warning} The unit costs of Nurse visits at the and the unit costs of the "
        "intervention's Manual are placeholders, by what is given as source. The tables and "
        "figures of this section show the method, not the study."
    )
    assert summary(clustered.source())["Costs"].endswith(
        "The unit costs of Nurse visits at the and the unit costs of the intervention's Manual are "
        "placeholders: this shows the method only."
    )


def test_all_prices_may_be_placeholders_and_none(clustered: Folder) -> None:
    source = clustered.source()

    def sourced(text: str) -> Source:
        prices, items = (t.assign(source=text) for t in (source.prices, source.intervention))
        return replace(source, prices=prices, intervention=items)

    every = sourced("PLACEHOLDER")
    said = "The unit costs of services and the cost of the intervention are placeholders"
    assert placeholder(every).startswith(said)
    assert any(said in text for text in limits(every))
    none = sourced("Unit Costs of Health and Social Care")
    assert placeholder(none) == ""
    assert "placeholder" not in markdown(clustered, none)
    index = replace(none, prices=none.prices.assign(index_source="placeholder; ONS"))
    assert placeholder(index).startswith(
        "The price index is a placeholder, by what is given as source"
    )
    assert summary(index)["Costs"].endswith(
        "The price index is a placeholder: this shows the method only."
    )


def test_what_was_asked_is_said(clustered: Folder) -> None:
    text = section(markdown(clustered))
    assert "The perspective is that of health services." in text
    assert "Costs are in pounds sterling at prices of 2019." in text
    assert "The horizon is 6 months from the visit at start on; nothing is discounted" in text
    assert "What standing this value set has in an appraisal is not stated" in text
    assert "The cost of New care itself was £34 for each of its participants, spread" in text


def test_the_standing_of_the_value_set_is_quoted(clustered: Folder) -> None:
    source = clustered.source()
    standing = Standing(what="made up", recommended="recommended by nobody ", source="ourselves")
    known = source.instruments["sleep"].model_copy(update={"standing": standing})
    with_standing = replace(source, instruments={"sleep": known})
    assert (
        "The value set is made up (ourselves). Recommended by nobody." in setting(with_standing)[1]
    )


def test_what_the_intervals_allow(clustered: Folder) -> None:
    text = section(markdown(clustered))
    assert (
        "was −£1,234 (95% confidence interval −4,400 to 1,931; p = 0.25; ANCOVA, imputed; "
        "40 participants in 4 wards, 5 imputations). The data are compatible with costs from "
        "£4,400 lower to £1,931 higher with New care."
    ) in text
    assert (
        "between −£1,501 (Paired team means, imputed) and −£900 (ANCOVA, complete cases); the "
        "interval of the main analysis includes zero, that of Paired team means, imputed does not."
    ) in text
    assert "compatible with QALYs from 0.027 fewer to 0.052 more with New care" in text
    assert (
        "At £20,000 per QALY the net monetary benefit, New care minus Usual care, was £1,480 per "
        "participant (95% confidence interval −1,801 to 4,762; p = 0.21; probability that it is "
        "above zero 0.89). The data are compatible with a loss of up to £1,801 and with a gain of "
        "up to £4,762 with New care"
    ) in text
    assert "At £30,000 per QALY it was £1,604" in text
    for words in ("no effect", "no difference", "significant", "not different"):
        assert words not in text.lower()


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


def test_quadrants_and_the_limits_of_the_bootstrap(clustered: Folder) -> None:
    text = about_the_plane(clustered.source())
    assert (
        "New care was more costly and more effective in 4%, more costly and less effective in 2%, "
        "less costly and more effective in 88% and less costly and less effective in 6% of the "
        "draws."
    ) in text
    assert text.endswith("those of the regression, whose degrees of freedom allow for few wards.")


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


def test_standard_errors_stand_side_by_side(clustered: Folder) -> None:
    cost, benefit = clustered.rows("tables/standard_errors.csv")
    assert cost["Difference in"] == "Cost (£)"
    assert cost["By wards (CR2)"] == "810"
    assert cost["Ignoring wards"] == "905"
    assert (cost["Correlation within wards"], cost["Bootstrap"]) == ("−0.02", "700")
    assert benefit["Difference in"] == "Net benefit at £20,000 per QALY"
    assert benefit["Its 95% interval"] == "440 to 5,100"


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


def test_who_carries_the_result_is_said_without_a_name(clustered: Folder) -> None:
    text = section(markdown(clustered))
    assert (
        "Without one person, whichever it is, the difference in costs lies between −£1,800 and "
        "−£900."
    ) in text
    assert "with New care the dearest 5% have 31% (Gini coefficient 0.52)" in text
    rows = clustered.rows("tables/economic_sensitivity.csv")
    assert [row["What differs"] for row in rows[-3:]] == [
        *("Without North", "Without one person, the lowest of each"),
        "Without one person, the highest of each",
    ]


def test_what_the_evaluation_hangs_on(clustered: Folder) -> None:
    text = varied(clustered.source())
    assert text == (
        "The net benefit at £20,000 per QALY goes from −£150 (Complete cases) to £2,096 (Prices "
        "half as high again), and its intervals reach from −£4,051 to £5,023. Its sign changes "
        "with: Complete cases (−£150). "
        "Its interval, which in the main evaluation includes zero, lies above zero with: Prices "
        "half as high again (15 to 4,177). Not estimated: Costs <b>winsorised</b>."
    )


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


def test_the_summary_has_the_net_benefit(clustered: Folder) -> None:
    text = summary(clustered.source())["Costs"]
    assert "in costs −£1,234 (−4,400 to 1,931; ANCOVA, imputed)" in text
    assert (
        "At £20,000 per QALY the net monetary benefit was £1,480 (−1,801 to 4,762; probability "
        "above zero 0.89)."
    ) in text


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
    source = clustered.source()
    figure = reported.draw(source, "plane")
    [axes] = figure.axes
    [cloud] = axes.collections
    points = np.asarray(cloud.get_offsets())
    assert points.shape == (2000, 2)
    first = source.draws.iloc[:2000, [2, 1]].to_numpy()
    np.testing.assert_allclose(points, first)
    [diamond] = [line for line in axes.lines if line.get_marker() == "D"]
    assert (*diamond.get_xdata(), *diamond.get_ydata()) == (0.0123, -1234.5)
    text = said(figure)
    for words in (
        *("more costly, more effective\n4%", "more costly, less effective\n2%"),
        *("less costly, more effective\n88%", "less costly, less effective\n6%"),
        "£20,000 per QALY",
    ):
        assert words in text
    assert "the first 2,000 of 2,500 drawn" in reported.legend(source, "plane")[0]
    # All draws and the estimate are inside, and zero is in the middle.
    for low, high, values in ((*axes.get_xlim(), points[:, 0]), (*axes.get_ylim(), points[:, 1])):
        assert low == -high
        assert low < values.min()
        assert values.max() < high


def test_the_line_of_the_threshold_has_its_slope(clustered: Folder) -> None:
    [axes] = reported.draw(clustered.source(), "plane").axes
    x, y = next(
        (line.get_xdata(), line.get_ydata())
        for line in axes.lines
        if len(line.get_xdata()) == 2 and len(set(line.get_xdata())) == len(set(line.get_ydata()))
    )
    assert (y[1] - y[0]) / (x[1] - x[0]) == pytest.approx(20000)


def test_few_draws_are_all_drawn(clustered: Folder) -> None:
    source = clustered.source()
    few = replace(source, draws=source.draws.head(150))
    [cloud] = reported.draw(few, "plane").axes[0].collections
    assert len(cloud.get_offsets()) == 150
    assert "(150 drawn)" in reported.legend(few, "plane")[0]


def test_the_file_of_the_plane_is_small(clustered: Folder) -> None:
    assert (clustered.path / "figures" / "plane.svg").stat().st_size < 200_000


def test_both_acceptability_curves_are_drawn(clustered: Folder) -> None:
    figure = reported.draw(clustered.source(), "acceptability")
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    curve = lines["Net-benefit regression (t)"]
    assert list(curve.get_xdata()) == [0, 10000, 20000, 30000, 50000]
    assert list(curve.get_ydata()) == [0.8712, 0.8805, 0.8934, 0.9031, 0.9102]
    assert list(lines["Two-stage bootstrap"].get_ydata()) == [0.9512, 0.9634, 0.9702]
    assert any(list(line.get_ydata()) == [0.5, 0.5] for line in figure.axes[0].lines)
    text = said(figure)
    assert "£20,000" in text
    assert "£30,000" in text


def test_the_tornado_begins_with_what_moves_it_farthest(clustered: Folder) -> None:
    source = clustered.source()
    labels = [mark.label for mark in marks_of(source)]
    assert labels == [
        *("Complete cases", "Prices half as high again", "Imputed sleep worse", "All of society"),
        "Main evaluation",
    ]
    figure = reported.draw(source, "tornado")
    drawn = [line.get_xdata()[0] for line in figure.axes[0].lines if line.get_marker() in "oD"]
    assert drawn == [-150.4, 2096.2, 1276.5, 1346.5, 1480.5]
    [main] = [line for line in figure.axes[0].lines if list(line.get_xdata()) == [1480.5, 1480.5]]
    assert main.get_linestyle() == "--"
    text = said(figure)
    assert "favours New care →" in text
    assert "2,096 (15 to 4,177)" in text


def test_captions_say_method_population_and_n(clustered: Folder) -> None:
    source = clustered.source()
    for name in FIGURES:
        caption, alternative = reported.legend(source, name)
        assert "imputed, 40 participants" in caption, name
        assert "Health services" in caption, name
        assert len(alternative) > 60
    assert "two-stage bootstrap" in reported.legend(source, "acceptability")[0]
    assert (
        "0.89 at £20,000 per QALY and 0.90 at £30,000"
        in reported.legend(source, "acceptability")[1]
    )


# Studies without


def test_a_study_without_an_evaluation_has_none_of_it(plain: Folder) -> None:
    source = plain.source()
    listed = reported.table_names(source)
    assert not set(TABLES) & set(listed)
    drawn = reported.figure_names(source)
    assert not set(FIGURES) & set(drawn)
    text = markdown(plain)
    for word in ("QALY", "quality-adjusted", "CHEERS", "Manca", "net benefit", "extrapolated"):
        assert word not in text


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
    assert "Cost-effectiveness plane" not in text
    assert "Unit costs, their price years" not in text
    assert "None" not in text


def test_prices_that_are_not_there_are_named(tmp_path: Path) -> None:
    folder = make("clustered", tmp_path / "study")
    everything = folder.everything
    (folder.path / "prices.parquet").unlink()
    with folder.inside(), pytest.raises(StudyError, match=r"prices\.parquet: the file is missing"):
        load(**everything)
