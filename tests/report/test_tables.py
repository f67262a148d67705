from __future__ import annotations

from dataclasses import replace
from operator import itemgetter

import pytest
from made_up import Folder, make
from support import reported

from ccp_analysis.errors import StudyError
from ccp_analysis.report.sections.pairs import pair_differences
from ccp_analysis.report.table import Column, Table, to_csv, to_markdown


def test_there_are_the_tables_that_contents_lists(clustered: Folder, plain: Folder) -> None:
    for folder in (clustered, plain):
        source = folder.source()
        listed = reported.table_names(source)
        assert sorted(p.stem for p in (folder.path / "tables").iterdir()) == sorted(listed)
        assert list(reported.tables(source)) == listed


def test_contents_follow_the_configuration(clustered: Folder, plain: Folder) -> None:
    many, few = clustered.source(), plain.source()
    first = set(reported.table_names(many))
    second = set(reported.table_names(few))
    sensitivity = {"deltas", "scenarios", "estimands"}  # neither made-up plan has any
    every = first | second
    assert len(every) == 51 and not every & sensitivity
    assert second - first == {"visits", "ratios", "consort"}
    assert every - second == {
        *("flow_by_cluster", "pair_differences", "not_randomised", "events"),
        *("unmeasured", "strengths"),
        *("target_trial", "trend", "target"),
        *("subgroups", "sample_size", "checks", "left_out", "checks_others", "doubts"),
        *("resource_use", "prices", "economic_means", "economics", "net_benefit"),
        *("ratios_of_cost", "economic_sensitivity", "cheers", "standard_errors"),
        *("acceptability_curves", "bootstrap_draws"),
    }
    drawn = {*reported.figure_names(many), *reported.figure_names(few)}
    checks = {"check_panels_main", "check_pairs_main", "check_others_main_1"}
    assert drawn == checks | {
        *("flow", "course", "forest", "methods", "pair_differences", "visits", "subgroups"),
        *("missing", "patterns", "predictors", "imputation", "acceptability", "plane", "tornado"),
        *("alike", "unmeasured"),
    }
    two = many.plan.model_copy(update={"checks": ["main", "mixed"]})
    assert [n for n in reported.figure_names(replace(many, plan=two)) if n.startswith("check")] == [
        f"check_{kind}"
        for kind in (
            *("panels_main", "panels_mixed", "pairs_main", "pairs_mixed"),
            *("others_main_1", "others_mixed_1"),
        )
    ]
    assert "course" not in reported.figure_names(many)
    assert "pair_differences" not in reported.figure_names(few)


def test_every_table_bears_the_data_status(clustered: Folder, plain: Folder) -> None:
    for folder, status in ((clustered, "synthetic"), (plain, "public")):
        for path in (folder.path / "tables").iterdir():
            header = path.read_text(encoding="utf-8").splitlines()[0]
            assert header.endswith("data_status")
            rows = folder.rows(f"tables/{path.name}")
            assert {row["data_status"] for row in rows} <= {status}


def test_numbers_of_the_comparison(clustered: Folder) -> None:
    first, second = clustered.rows("tables/comparison.csv")
    assert first == {
        "Role": "Primary outcome",
        "Outcome": "Sleep (SLP)",
        "Adjusted mean, Usual care": "21.33",
        "Adjusted mean, New care": "20.78",
        "Difference (95% CI)": "−0.55 (−3.49 to 2.39)",
        "df": "2.4",
        "p": "0.57",
        "p, adjusted": "",
        "Standardised difference (95% CI)": "−0.11 (−0.70 to 0.48)",
        "n": "40",
        "data_status": "synthetic",
    }
    assert second["p"] == "<0.001"
    assert second["p, adjusted"] == "<0.001"
    assert second["Outcome"] == "Pain at the"
    legend, family, mcid = reported.tables(clustered.source())["comparison"].notes
    assert "All rest on 4 wards and 5 imputations." in legend
    assert family == "p, adjusted: Holm's method, over Pain at the."
    assert mcid.startswith("Sleep: the interval excludes a difference of 3 points or more in")


def test_baseline_table(clustered: Folder) -> None:
    rows = {
        (row["Characteristic"], row["Category"]): row
        for row in clustered.rows("tables/baseline.csv")
    }
    own = "Usual care (n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}19)"
    assert rows["Age (years), mean (SD)", ""][own] == "41.2 (10.6)"
    assert rows["Age (years), mean (SD)", "Missing"][own] == "2"
    assert rows["Sex, n (%)", "Female"][own] == "12 (63)"
    assert rows["Sleep (SLP), mean (SD)", ""][own] == "20.5 (5.0)"


def test_all_methods_stand_together(clustered: Folder) -> None:
    rows = clustered.rows("tables/methods.csv")
    assert [(row["Analysis"], row["Inference"]) for row in rows] == [
        ("ANCOVA, imputed (primary)", "CR2, Satterthwaite"),
        ("ANCOVA, complete cases (sensitivity)", "CR2, Satterthwaite"),
        ("Mixed model, imputed (supporting)", "Kenward–Roger"),
        ("Paired team means, imputed (supporting)", "paired t"),
        ("Paired team means, imputed (supporting)", "exact sign-flip"),
        ("Change score, imputed (supporting)", "CR2, Satterthwaite"),
        ("Difference in differences, observed visits (supporting)", "CR2, Satterthwaite"),
    ]
    assert rows[4]["p"] == ">0.99"
    assert rows[4]["Difference (95% CI)"] == "−0.70 (−1.80 to 0.40; 50%)"
    notes = reported.tables(clustered.source())["methods"].notes
    assert any("ward variance zero in 2 of 5 imputations" in note for note in notes)


def test_a_failed_analysis_says_so(plain: Folder) -> None:
    *_, last, each = plain.rows("tables/methods.csv")
    assert each["Difference (90% CI)"] == "−2.3 (−4.3 to −0.4)"
    assert last["Difference (90% CI)"] == "not estimated"
    assert last["p"] == ""


def test_of_repeated_measures_the_people_are_counted(plain: Folder) -> None:
    row = plain.rows("tables/methods.csv")[1]
    assert row["n"] == "20"
    assert (
        "Repeated measures, observed visits: an average over the visits, of 37 observations."
        in reported.tables(plain.source())["methods"].notes
    )


def test_clusters_that_lost_everyone_show_nought(clustered: Folder) -> None:
    rows = clustered.rows("tables/flow_by_cluster.csv")
    assert [row["End"] for row in rows] == ["5", "17", "11", "0"]
    assert rows[0]["Site"] == "North"


def test_flow_says_what_was_expected_and_why_people_left(clustered: Folder) -> None:
    notes = reported.tables(clustered.source())["flow"].notes
    assert notes[0] == "Recruited: 42 participants were expected, 41 found."
    assert notes[1:] == ["Recorded reasons.", "Left the study: moved away 6."]


def test_a_pair_that_one_of_the_analyses_has_lost_has_an_empty_cell(clustered: Folder) -> None:
    """As complete cases have where nobody of a pair was seen again."""
    source = clustered.source()
    [entry] = [a for a in source.plan.analyses if a.model == "team-means"]
    plan = source.plan.model_copy(
        update={"analyses": [*source.plan.analyses, entry.model_copy(update={"id": "fewer"})]}
    )
    fewer = [
        row | {"analysis": "fewer", "population": "complete-case"}
        for row in source.rows(analysis=entry.id)
        if (row["term"], row["level"]) != ("pair difference", "south")
    ]
    table = pair_differences(replace(source, plan=plan, results=[*source.results, *fewer]))
    cells = {row[1]: row[2:] for row in table.rows}
    assert cells[source.pair("north")] == [cells[source.pair("north")][0]] * 2
    assert cells[source.pair("south")][0] and cells[source.pair("south")][1] is None
    assert table.header[2:] == ["Imputed", "Complete cases"]


def test_pair_differences(clustered: Folder) -> None:
    rows = clustered.rows("tables/pair_differences.csv")
    assert [(row["Site"], row["Imputed"]) for row in rows] == [
        ("North", "−1.80"),
        ("South", "0.40"),
        ("All alike (cluster-average)", "−0.70"),
        ("95% CI", "−14.70 to 13.30"),
        ("p, paired t", "0.64"),
    ]


def test_what_a_spreadsheet_takes_for_a_formula_is_text(clustered: Folder) -> None:
    first, second = clustered.rows("tables/queries.csv")
    assert first["Value found"] == "'=1+1"
    assert second["Value found"] == "<img src=x onerror=alert(1)>"


@pytest.mark.parametrize("cell", ["=1", "+1 to 2", "-1+2", "@x", "\t=1"])
def test_formula_like_cells(cell: str) -> None:
    table = Table("c", [Column(cell, itemgetter(0)), Column("b", itemgetter(1))], [(cell, None)])
    written = to_csv(table, "real")
    assert written.iloc[0].tolist() == ["'" + cell, "", "real"]
    assert written.columns[0] == "'" + cell


def test_a_negative_number_is_no_formula() -> None:
    written = to_csv(Table("c", [Column("a", str)], ["-99", "+1.5"]), "real")
    assert written["a"].tolist() == ["-99", "+1.5"]


def test_groups_are_lines_of_their_own() -> None:
    columns = [
        Column("G", itemgetter(0), side="l"),
        Column("I", itemgetter(1), 3, "l"),
        Column("N", itemgetter(2), 1),
    ]
    rows = [("g", "", "1"), ("h", "i", "2"), ("h", "j", None)]
    table = Table("Caption", columns, rows, grouped=True, notes=["N."])
    lines = to_markdown(table, "t", "Table 9").splitlines()
    assert lines[1] == "| G | N |"
    assert lines[2].startswith("| :-")
    assert lines[2].endswith("-: |")
    assert lines[3:7] == ["| g | 1 |", "| h |  |", r"| \ \ \ i | 2 |", r"| \ \ \ j | – |"]
    assert lines[8] == r": **Table 9.** Caption {#tbl-t}"
    assert "N\\." in lines


def test_results_of_another_kind_of_data_are_refused(tmp_path) -> None:
    folder = make("plain", tmp_path / "study")
    study = folder.path / "config" / "study.yaml"
    study.write_text(study.read_text().replace("data_status: public", "data_status: real"))
    with pytest.raises(StudyError, match="data status 'public' found; expected 'real'"):
        folder.source()


def test_a_missing_file_is_named(tmp_path) -> None:
    folder = make("plain", tmp_path / "study")
    (folder.path / "flow.json").unlink()
    with pytest.raises(StudyError, match=r"flow\.json: the file is missing"):
        folder.source()
