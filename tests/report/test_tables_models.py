from __future__ import annotations

from dataclasses import replace

import pandas as pd
from made_up import Folder
from support import reported


def test_the_ways_to_take_account_of_the_baseline(clustered: Folder) -> None:
    imputed, observed = clustered.rows("tables/not_randomised.csv")
    assert imputed["ANCOVA"] == "−0.55 (−3.49 to 2.39)"
    assert imputed["Change score"] == "1.20 (0.10 to 2.30)"
    assert imputed["Difference in differences"] == ""
    assert imputed["ANCOVA minus change score"] == "−1.75 (−3.30 to −0.20)"
    assert imputed["p"] == "0.030"
    assert observed["Data"] == "As observed"
    assert observed["ANCOVA"] == "−0.91 (−3.82 to 2.01)"
    assert observed["Difference in differences"] == "1.10 (−0.90 to 3.10)"


def test_assumptions_stand_in_one_place(clustered: Folder) -> None:
    notes = reported.tables(clustered.source())["methods"].notes
    assert not any("assumes" in note for note in notes)


def test_what_could_be_found(clustered: Folder) -> None:
    [row] = clustered.rows("tables/detectable.csv")
    assert row["Minimum detectable difference"] == "3.46"
    assert row["MCID"] == "3"
    assert row["In favour of, New care"] == "excluded"
    assert row["In favour of, Usual care"] == "not excluded"


def test_planned_beside_achieved(clustered: Folder) -> None:
    rows = clustered.rows("tables/sample_size.csv")
    assert [(row["Quantity"], row["Planned"], row["Achieved"]) for row in rows] == [
        ("Participants at follow-up", "60", "33"),
        ("Wards", "4", "4"),
        ("Planned difference", "2.0", ""),
        ("Design effect", "1.70", ""),
        ("Detectable difference (t)", "12.3", "15.7"),
        ("Participants required (t)", "", ""),
    ]
    notes = reported.tables(clustered.source())["sample_size"].notes
    assert "Participants required (t): no number of people is enough." in notes


def test_intraclass_correlations(clustered: Folder, plain: Folder) -> None:
    [row] = clustered.rows("tables/intraclass.csv")
    assert row["Intraclass correlation (95% CI)"] == "0.021 (0.000 to 0.457)†"
    assert row["Variance between wards"] == "0.50"
    assert row["Residual variance"] == "23.0"
    [none] = plain.rows("tables/intraclass.csv")
    assert (none["Outcome"], none["data_status"]) == ("none", "public")


def test_subgroups(clustered: Folder) -> None:
    rows = clustered.rows("tables/subgroups.csv")
    assert [(row["Subgroup"], row["p"]) for row in rows] == [
        ("Female", ""),
        ("<i>Male</i> & *others*", ""),
        ("Interaction: <i>Male</i> & *others* against Female", "0.19"),
    ]
    assert rows[2]["Estimate (95% CI)"] == "−3.0 (−9.5 to 3.5)"


def test_visit_by_visit(plain: Folder) -> None:
    first, second = plain.rows("tables/visits.csv")
    assert first["Visit"] == "6 weeks"
    assert first["Adjusted mean (90% CI), Drug A"] == "10.4 (9.1 to 11.7)"
    assert second["Difference (90% CI)"] == "−2.3 (−4.3 to −0.4)"
    assert second["p"] == "0.049"


def test_ratios(plain: Folder) -> None:
    [row] = plain.rows("tables/ratios.csv")
    assert row["Analysis"] == "Logistic regression, complete cases (supporting, model-based)"
    assert row["Mean, Drug A"] == "0.51"
    assert row["Odds ratio (90% CI)"] == "0.50 (0.22 to 1.14)"
    assert row["Difference (90% CI)"] == "−0.15 (−0.34 to 0.03)"


def test_checks_in_words(clustered: Folder) -> None:
    rows = clustered.rows("tables/checks.csv")
    found = {row["Check"]: (row["p"], row["Finding"], row["In words"]) for row in rows}
    slope = found["The slope on the baseline is the same in both arms"]
    assert slope[:2] == ("0.012", "flagged")
    assert slope[2] == "The slopes on the baseline differ between the arms"
    assert found["People with Cook's distance above 4/n"][1] == "3"
    assert found["No site stands out"][1:] == (
        "could not be made",
        "There are fewer than three pairs",
    )
    # What hangs on one pair is fragile, and flagged as no assumption.
    assert found["Whether the interval includes zero does not hang on one site"][1:] == (
        "fragile",
        "Without South the interval excludes zero, as it does not with everyone: whether a "
        "difference is found hangs on it",
    )
    assert found["No site carries the difference"][1] == "fragile"
    assert [row["Finding"] for row in rows].count("flagged") == 1
    [other] = clustered.rows("tables/checks_others.csv")
    assert other["Check"] == "The outcome is linear in its baseline"


def test_checks_that_could_not_be_made_are_one_line(clustered: Folder) -> None:
    source = clustered.source()
    first = source.rows(analysis="checks_main", outcome="sleep")[0]
    all_of_them = {"term": "all checks", "level": "", "estimate": None, "p_value": None}
    failed = first | all_of_them | {"status": "failed", "note": "the fit did not converge"}
    others = [row for row in source.results if row["analysis"] != "checks_main"]
    [line] = reported.tables(replace(source, results=[*others, failed]))["checks"].rows
    assert line[1:] == ["All checks", None, "could not be made", "The fit did not converge"]


def test_what_is_left_out(clustered: Folder) -> None:
    north, south, ward = clustered.rows("tables/left_out.csv")
    assert (north["Left out"], north["Change in standard errors"]) == ("North", "1.40")
    assert south["Difference (95% CI)"] == "−1.80 (−2.90 to −0.70)"
    assert ward["Analysis"] == "Sleep, ANCOVA: without one ward"
    assert ward["p"] == ""


def test_scales(clustered: Folder, plain: Folder) -> None:
    rows = clustered.rows("tables/scales.csv")
    assert [(row["Scale"], row["Visit"]) for row in rows] == [
        ("Sleep (SLP)", "Start"),
        ("Sleep (SLP)", "End"),
        ("Nights (subscale)", "Start"),
    ]
    assert rows[0]["Cronbach's alpha"] == "0.84"
    assert rows[2]["Cronbach's alpha"] == ""
    assert rows[2]["At the ceiling, %"] == "12.8"
    [none] = plain.rows("tables/scales.csv")
    assert (none["Scale"], none["data_status"]) == ("none", "public")
    assert not reported.tables(replace(plain.source(), scales=pd.DataFrame()))["scales"].rows


def test_sets_have_reasons_in_words(clustered: Folder) -> None:
    rows = clustered.rows("tables/sets.csv")
    assert [(row["Participants"], row["All"]) for row in rows] == [
        ("", "41"),
        ("", "33"),
        ("Left out: no interview at end (died)", "1"),
        ("Left out: Sleep missing at end", "6"),
    ]


def test_rows_of_files_are_accounted_for(clustered: Folder, plain: Folder) -> None:
    [row] = clustered.rows("tables/files.csv")
    assert (row["Rows kept"], row["Of these analysed"], row["Not analysed"]) == ("41", "40", "1")
    assert "Not analysed" not in plain.rows("tables/files.csv")[0]


def test_answers_stand_beside_the_queries(clustered: Folder, plain: Folder) -> None:
    first, second = clustered.rows("tables/queries.csv")
    assert first["Decision"] == ""
    assert second["Decision"] == "corrected to 41 (A. B., 2020-02-01): seen in the file"
    counts = clustered.rows("tables/query_counts.csv")
    assert [(row["Queries"], row["Answered"]) for row in counts] == [("1", "1"), ("1", "0")]
    assert "Decision" not in reported.tables(plain.source())["queries"].header
