"""Of real data nothing under reports/ tells of few people, nor lets it be reckoned."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import zipfile
from functools import partial
from html import unescape
from itertools import product
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest
from support.study import DERIVED, StudyFolder, inside, once

from ccp_analysis import files, layout
from ccp_analysis.characteristics.next_stage import NEXT_STUDY
from ccp_analysis.config.plan import load_plan
from ccp_analysis.config.study import load_study
from ccp_analysis.results.counted import IMAGINED, SHARES, SINGLE, Counted
from ccp_analysis.results.families import adjusted
from ccp_analysis.results.protect import Counts, determined, hidden
from ccp_analysis.results.released import WITHHELD, released
from ccp_analysis.results.table import by_key, read_results
from ccp_analysis.results.terms import Status, Term

SMALLEST = 8
FEW = re.compile(r"[1-7](?: of \d+)?(?: \(\d+(?:\.\d+)?%?\))?|\d+ of [1-7]|[1-7] \([\d., to]+\)")
PERSONS = re.compile(
    r"(?<![\d.,\u2013\u2212-])[1-7] (?:of \d+ )?(?:people|participants|persons?)\b"
)
# Counts, but of no people.
OTHERS = (Term.CLUSTERS, *IMAGINED)
# Cells that count people, in tables of which other columns number something else.
COUNTING = ("flow", "sets", "flow_by_cluster", "missing", "baseline", "events", "harms", "losses")


def as_real(path: Path) -> None:
    """Say of a table that its data are real."""
    if path.suffix == ".parquet":
        table = pd.read_parquet(path)
        if "data_status" in table:
            files.write_parquet(path, table.assign(data_status="real"))
    elif path.suffix in (".csv", ".json"):
        files.write_text(path, path.read_text(encoding="utf-8").replace("synthetic", "real"))


def run_real(done: StudyFolder, folder: Path) -> None:
    """Say that a study that was run is of real data, and run again what asks whether it is."""
    study = StudyFolder(shutil.copytree(done.path, folder, dirs_exist_ok=True))
    study.change("config/study.yaml", "data_status: synthetic", "data_status: real")
    with inside(folder):
        for path in DERIVED.rglob("*.*"):
            as_real(path)
        for command in ("implement", "results"):
            study.run(command)
        study.report()


@pytest.fixture(scope="module")
def real(ccp_done: StudyFolder, tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    return StudyFolder(once(tmp_path_factory, "real", partial(run_real, ccp_done)))


@pytest.fixture
def shown(real: StudyFolder) -> pd.DataFrame:
    return read_results(real / "reports/results.csv")


@pytest.fixture(scope="module")
def before(real: StudyFolder) -> tuple[pd.DataFrame, dict]:
    """The results and the flow as no report has them."""
    with inside(real.path):
        study = load_study()
        parts = sorted((DERIVED / "results").glob("*.parquet"))
        table = pd.concat(map(pd.read_parquet, parts), ignore_index=True)
        flow = json.loads(layout.FLOW.read_text(encoding="utf-8"))
        return adjusted(by_key(table, study), load_plan(), study), flow


pytestmark = pytest.mark.study


def test_no_row_is_of_few_people(shown: pd.DataFrame) -> None:
    counted = shown[(shown["scale"] == "count") & ~shown["term"].isin(OTHERS)]
    assert not counted["estimate"].between(0, SMALLEST, inclusive="neither").any()
    assert not shown["n"].between(0, SMALLEST, inclusive="neither").any()
    shares = shown[shown["term"].isin(SHARES) & shown["n"].notna() & shown["estimate"].notna()]
    people = (shares["estimate"] * shares["n"].astype(float)).round()
    rest = shares["n"].astype(float) - people
    for some in (people, rest):
        assert not some.between(0, SMALLEST, inclusive="neither").any()
    assert shown.loc[shown["term"].isin(SINGLE), "estimate"].isna().all()
    gone = shown[shown["status"] == Status.SUPPRESSED]
    assert len(gone) > 500
    columns = ["estimate", "std_error", "conf_low", "conf_high", "p_value", "p_adjusted"]
    assert gone[columns].isna().all(axis=None)


def test_what_everything_rests_on_is_shown(real: StudyFolder, shown: pd.DataFrame) -> None:
    primary = shown[(shown["analysis"] == "ancova") & (shown["term"] == Term.DIFFERENCE)]
    assert (primary["n"] == 151).all()
    assert primary[["estimate", "conf_low", "conf_high"]].notna().all(axis=None)
    # Blank cells of the cascade say why, and degrees of freedom do not tell a number hidden.
    table = pd.read_csv(real / "reports/tables/cascade.csv", dtype=str, keep_default_na=False)
    cells = table.iloc[:, 1:-1].to_numpy().ravel()
    assert all(cells) and (cells == "[suppressed]").any()
    told = shown[shown["note"].str.contains("within clusters", na=False) & shown["n"].isna()]
    assert len(told) > 0 and not told["note"].str.contains(r"\d within clusters").any()
    # Figures draw no person.
    text = (real / "reports/report.html").read_text(encoding="utf-8")
    for name in ("check_panels_ancova", "check_others_ancova_1", "fidelity", "overlap", "patterns"):
        assert f"fig-{name}" not in text


def test_no_table_counts_few_people(real: StudyFolder) -> None:
    tables = {path.stem: path for path in (real / "reports/tables").glob("*.csv")}
    read = 0
    for name in COUNTING:
        if name not in tables:
            continue
        table = pd.read_csv(tables[name], dtype=str, keep_default_na=False)
        few = [cell for cell in table.to_numpy().ravel() if FEW.fullmatch(cell)]
        assert not few, (name, few)
        read += 1
    assert read >= 6
    queries = pd.read_csv(tables["queries"], dtype=str, keep_default_na=False)
    assert queries["Query"].tolist() == ["none"]
    counts = pd.read_csv(tables["query_counts"], dtype=str)["Queries"]
    assert (counts.str.replace(",", "").astype(int) >= SMALLEST).all()


def without_sizes(text: str, shown: pd.DataFrame) -> str:
    """Take out what a row of an imagined trial calls its size, behind its level."""
    rows = shown[(shown["analysis"] == NEXT_STUDY) & shown["subgroup"].notna()]
    levels, sizes = (
        "|".join(map(re.escape, sorted(set(rows[column]) - {""}, key=len, reverse=True)))
        for column in ("level", "subgroup")
    )
    return re.sub(rf'\b(?:{levels})(?:, |,"?|", "subgroup": ")(?:{sizes})', "", text)


def test_no_document_has_a_person_or_few_of_them(real: StudyFolder, shown: pd.DataFrame) -> None:
    people = pd.read_parquet(real / "data/derived/participants.parquet")["participant"]
    raw = pd.read_csv(real / "data/derived/queries.csv", dtype=str)
    for path in (real / "reports").rglob("*"):
        if path.suffix not in (".html", ".csv", ".json", ".svg"):
            continue
        text = path.read_text(encoding="utf-8")
        text = re.sub(r"<(style|script)\b.*?</\1>", "", text, flags=re.S)
        text = re.sub(r"<[^>]*>", "", text) if path.suffix == ".html" else text
        named = set(re.findall(r"\bCP\d{3}\b", text)) & set(people)
        assert not named, (path.name, sorted(named)[:3])
        few = PERSONS.findall(without_sizes(text, shown))
        assert not few, (path.name, few[:3])
        assert not set(re.findall(r"\bQ\d{4}\b", text)) & set(raw["id"]), path.name


def lines_of(path: Path) -> list[str]:
    """Return what a document of any format says: paragraphs, cells, or lines of a page."""
    if path.suffix == ".pdf":
        done = subprocess.run(["pdftotext", "-layout", path, "-"], capture_output=True, check=True)
        return [cell for line in done.stdout.decode().split("\n") for cell in line.split("  ")]
    if path.suffix == ".xlsx":
        book = openpyxl.load_workbook(path)
        cells = (cell for sheet in book for row in sheet.values for cell in row)
        return [str(cell) for cell in cells if cell is not None]
    with zipfile.ZipFile(path) as archive:
        text = archive.read("word/document.xml").decode()
    return [unescape(re.sub(r"<[^>]*>", "", line)) for line in text.split("</w:p>")]


def test_word_pdf_and_workbook_have_no_person_and_no_few_of_them(real: StudyFolder) -> None:
    people = set(pd.read_parquet(real / "data/derived/participants.parquet")["participant"])
    share = re.compile(r"[1-7] of \d+(?:, | \().*|\d+ of [1-7](?:, | \().*|[1-7] \(\d+\)")
    for name in ("report.docx", "report.pdf", "tables.xlsx"):
        if name.endswith("pdf") and not shutil.which("pdftotext"):
            continue
        lines = [line.strip() for line in lines_of(real / "reports" / name)]
        assert sum("[suppressed]" in line for line in lines) > 50, name
        assert not {word for line in lines for word in re.findall(r"\bCP\d{3}\b", line)} & people
        assert not [line for line in lines if PERSONS.search(line) or share.fullmatch(line)], name


def test_cells_of_the_workbook_that_count_are_not_few(real: StudyFolder) -> None:
    read = 0
    book = openpyxl.load_workbook(real / "reports/tables.xlsx")
    names = dict(book["Contents"].iter_rows(min_row=6, max_col=2, values_only=True))
    for sheet in book.worksheets[1:]:
        if names[sheet.title] not in COUNTING:
            continue
        beside = next(c.column for c in sheet[4] if str(c.value).startswith("Row of results"))
        for line in sheet.iter_rows(min_row=6, max_col=beside - 1):
            numbers = [cell for cell in line if isinstance(cell.value, int | float)]
            whole = [cell.value for cell in numbers if "." not in cell.number_format]
            assert not [n for n in whole if 0 < n < SMALLEST], (sheet.title, whole)
            read += len(whole)
    assert read > 100


def test_reasons_of_few_are_not_told_in_their_own_words(real: StudyFolder, before) -> None:
    """A reason is free text: one whose numbers are hidden is hidden with them."""
    table, flow = before
    told = json.dumps(flow).replace("unrelated", "fell off the pier at Southend")
    told = told.replace("discharged", "was discharged from the team")
    table = table.assign(subgroup=table["subgroup"].replace("injury", "broke a leg skiing"))
    with inside(real.path):
        shown = released(table, json.loads(told), load_study())
    whole = json.dumps(shown.flow) + shown.table.to_csv()
    assert "broke a leg skiing" in table.to_csv() and "pier" in told
    assert "pier" not in whole and "skiing" not in whole
    assert "reason 1 (not shown)" in whole and '"death"' in whole


def test_json_has_no_count_of_few_people(real: StudyFolder) -> None:
    told = json.loads((real / "reports/results.json").read_text(encoding="utf-8"))
    for row in told["results"]:
        assert not 0 < row.get("n", 0) < SMALLEST
        if row.get("scale") == "count" and row["term"] not in OTHERS:
            assert not 0 < row.get("estimate", 0) < SMALLEST
    lines = (line for display in told["displays"] for line in display["rows"])
    numbers = [number for line in lines for cell in line for number in cell.get("numbers", [])]
    assert len(numbers) > 500
    few = [n for n in numbers if n["place"].startswith("flow.json") and 0 < n["value"] < SMALLEST]
    assert few == []


def test_the_list_names_everything_that_is_not_shown(
    real: StudyFolder, shown: pd.DataFrame
) -> None:
    listed = pd.read_csv(real / "reports/tables/suppressed.csv", dtype=str)
    gone = set(shown.loc[shown["status"] == Status.SUPPRESSED, "row"])
    assert gone <= set(listed["Place"])
    flow = (real / layout.SHOWN.as_posix()).read_text(encoding="utf-8")
    assert (listed["File"] == "flow").sum() >= 50 and WITHHELD in flow
    assert listed["Why"].notna().all()


def test_nothing_hidden_follows_from_what_is_shown(real: StudyFolder, shown, before) -> None:
    """Cells are known if the files show them; of all others two solutions at least exist."""
    table, flow = before
    released_flow = json.loads((real / layout.SHOWN.as_posix()).read_text(encoding="utf-8"))
    with inside(real.path):
        own = Counted(load_study(), table, flow)
    rows = shown.set_index("row").to_dict("index")
    known = set()
    for key, (kind, *path) in own.places:
        if kind == "row":
            at, column = path
            cell = rows[own.rows[at]["row"]][column]
            there = pd.notna(cell)
        else:
            cell = released_flow
            if path[0] == "expected":
                continue
            for step in path:  # a reason that is not told has another name
                there = not isinstance(cell, dict) or step in cell
                cell = cell[step] if there else WITHHELD
            there = cell != WITHHELD
        known |= {key} if there else set()
    away = set(own.counts.values) - known
    few = {key for key, value in own.counts.values.items() if 0 < value < SMALLEST}
    printed = {key for key in few if own.counts.uses[key]}
    assert not printed & known
    asked = few | {key for key in away if own.counts.uses[key]}
    assert len(asked) > 1000
    assert determined(own.counts, away, asked) == set()


def test_other_data_are_released_as_they_are(ccp_done: StudyFolder) -> None:
    with inside(ccp_done.path):
        table, study = read_results(layout.RESULTS), load_study()
        flow = json.loads(layout.FLOW.read_text(encoding="utf-8"))
        found = released(table, flow, study)
        assert found.table is table and found.flow is flow
        assert not found.away
    assert not (table["status"] == Status.SUPPRESSED).any()
    assert json.loads((ccp_done / layout.SHOWN.as_posix()).read_text(encoding="utf-8")) == flow


def table_of(cells: np.ndarray) -> Counts:
    """A table of counts with its margins."""
    counts = Counts()
    total = counts.put(("all",), cells.sum())
    rows = [counts.put(("row", i), n) for i, n in enumerate(cells.sum(axis=1))]
    columns = [counts.put(("column", j), n) for j, n in enumerate(cells.sum(axis=0))]
    for (i, j), n in np.ndenumerate(cells):
        counts.put(("cell", i, j), n)
    for i, key in enumerate(rows):
        assert counts.relate(key, [("cell", i, j) for j in range(cells.shape[1])])
    for j, key in enumerate(columns):
        assert counts.relate(key, [("cell", i, j) for i in range(cells.shape[0])])
    assert counts.relate(total, rows) and counts.relate(total, columns)
    return counts


def solutions(counts: Counts, away: set) -> list[dict]:
    """All numbers of what is hidden that go with what is shown, one after another."""
    names = sorted(away)
    least = [int(counts.values[name] > 0) for name in names]
    most = max(counts.values.values())
    found = []
    for numbers in product(*(range(low, most + 1) for low in least)):
        cells = counts.values | dict(zip(names, numbers, strict=True))
        if all(sum(c * cells[k] for k, c in one.items()) == 0 for one in counts.relations):
            found.append(dict(zip(names, numbers, strict=True)))
    return found


@pytest.mark.parametrize("seed", range(12))
def test_every_hidden_cell_of_a_table_has_two_solutions(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cells = rng.choice([0, 2, 3, 4, 6, 9], (2, 2), p=[0.1, 0.2, 0.1, 0.2, 0.2, 0.2])
    counts = table_of(cells)
    away = hidden(counts, 4)
    assert all(key in away for key, n in counts.values.items() if 0 < n < 4)
    if len(away) <= 4:
        found = solutions(counts, away)
        assert all(len({one[key] for one in found}) > 1 for key in away)
    assert determined(counts, away, away) == set()


def test_what_follows_is_found() -> None:
    counts = table_of(np.array([[2, 10], [11, 12]]))
    assert determined(counts, {("cell", 0, 0)}, {("cell", 0, 0)}) == {("cell", 0, 0)}
    assert len(hidden(counts, 8)) >= 4


def test_people_who_are_left_of_a_total_are_few() -> None:
    counts = Counts()
    all_, part = counts.put(("all",), 40, 30), counts.put(("part",), 37)
    counts.beside(all_, part)
    assert hidden(counts, 8) >= {part}
    assert all_ not in hidden(counts, 8)
