from __future__ import annotations

from dataclasses import replace
from operator import itemgetter

import pandas as pd
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
    first, second = set(reported.table_names(many)), set(reported.table_names(few))
    assert len(first | second) == 51
    assert second - first == {"visits", "ratios", "consort"}
    assert len(first - second) == 26 and not first & {"deltas", "scenarios", "estimands"}
    two = many.plan.model_copy(update={"checks": ["main", "mixed"]})
    assert [n for n in reported.figure_names(replace(many, plan=two)) if n.startswith("check")] == [
        f"check_{kind}"
        for kind in (
            *("panels_main", "panels_mixed", "pairs_main", "pairs_mixed"),
            *("others_main_1", "others_mixed_1"),
        )
    ]
    # Tables that no text refers to, and what stands where there is nothing.
    for name, where in (("intraclass", "Outcome"), ("scales", "Scale")):
        [none] = plain.rows(f"tables/{name}.csv")
        assert (none[where], none["data_status"]) == ("none", "public")
    assert not reported.tables(replace(few, scales=pd.DataFrame()))["scales"].rows
    assert "Decision" not in reported.tables(few)["queries"].header


def test_checks_that_could_not_be_made_are_one_line(clustered: Folder) -> None:
    source = clustered.source()
    first = source.rows(analysis="checks_main", outcome="sleep")[0]
    all_of_them = {"term": "all checks", "level": "", "estimate": None, "p_value": None}
    failed = first | all_of_them | {"status": "failed", "note": "the fit did not converge"}
    others = [row for row in source.results if row["analysis"] != "checks_main"]
    [line] = reported.tables(replace(source, results=[*others, failed]))["checks"].rows
    assert line[1:] == ["All checks", None, "could not be made", "The fit did not converge"]


def test_every_table_bears_the_data_status(clustered: Folder, plain: Folder) -> None:
    for folder, status in ((clustered, "synthetic"), (plain, "public")):
        for path in (folder.path / "tables").iterdir():
            header = path.read_text(encoding="utf-8").splitlines()[0]
            assert header.endswith("data_status")
            rows = folder.rows(f"tables/{path.name}")
            assert {row["data_status"] for row in rows} <= {status}


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
