"""Every number of the report that comes from the data leads to the cell that it is read from."""

from __future__ import annotations

import csv
import html
import json
import math
import re
import zipfile
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import jsonschema
import openpyxl
import pandas as pd
import pytest
import yaml

from ccp_analysis.config.plan import load_plan
from ccp_analysis.config.trial import Trial
from ccp_analysis.files import unescaped
from ccp_analysis.report.catalogue import tables_of
from ccp_analysis.report.section import Checklist
from ccp_analysis.results.table import COLUMNS, NUMBERS

ROOT = Path(__file__).parents[2]
DERIVED = Path("data/derived")
FIGURE_DATA = DERIVED / "figure_data"
A_NUMBER = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?")
MINUS = "\N{MINUS SIGN}"

# What is not read from the data, beside the words of the configuration. N is a number that stands
# in the configuration; other digits stand in the program.
NOT_DATA = [
    r"(?:Table|[Ff]igure) \d+",  # their numbers
    r"\b(?:19|20)\d\d\b",  # years: of the literature, of prices, of the data date
    r"Data as of \d+ \w+",  # the data date
    r"N% (?:(?:confidence |credible )?intervals?|CI)",  # the level
    r"N imputations(?: of N iterations)?|After N iterations|N donors|power of N",  # the plan
    r"(?:[Oo]ver|is|after) N months|N, N months",  # the horizon
    r"£N per QALY|the first 2,000 of N drawn|lasts N years?",  # the evaluation
    r"[Uu]tility(?: is|, which is) 0 from|the seed N",
    r"up to N on either side|none up to N",  # how far deltas go
    r"outside -?N to N|from 1 to 5|Fidelity of N or more",  # what instruments and rules allow
    r"than 0\.1 (?:standard|after)|within 0\.1 shaded|near 1, they|more than 5%|at most 5%|4/n",
    r"1 SD (?:above|below)|fewer than 10 had|dearest (?:5|10)%|Year \d|N drawn",
    r"correlation of N|to the power N|equivalent annual cost at 3\.5%",
    r"(?:with|tried,) N people in each|with N Trusts the|assurance of N%",  # sizes of a next trial
    r"beta\(N, N\)|beta\(1, 1\)",  # and what is taken before the data
    r"costs times N|at most 1 and seldom below 0",  # the grid of the plan, what a utility is
    r"(?<=Software\. ).*",  # versions
    r"program \d+\.\d+\.\d+(?:, checksum \w+)?",
    r"Analysis plan \d\S*(?: of \d+ \w+)?|[Vv]ersion \d\S*|locked on \d+ \w+|checksum \w+",
    r"deviates from it in \d+ fields?(?:, \d+ without a reason)?",
]
# Columns of tables that hold a configured number alone: deltas, thresholds, the MCID, prices,
# sizes and chances of a next trial.
CONFIGURED = {"deltas", "net_benefit", "detectable", "prices", "next_study"}
# Copies: of queries.csv, whose lines are named by its ids, and of fields of two configurations.
COPIED = {"queries", "deviations"}


class Page(HTMLParser):
    """The text of a report by blocks, numbers that lead somewhere replaced by a sign, and these."""

    LOUD = ("td", "th", "p", "li", "caption", "figcaption", "h1", "h2", "div", "tr", "table")
    QUIET = ("svg", "script", "style", "nav", "title", "code", "summary")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[tuple[str, dict[str, str | None]]] = []
        self.blocks: list[tuple[str, str]] = [("", "")]
        self.links: list[tuple[str, str, str]] = []
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if "id" in found:
            self.ids.add(found["id"] or "")
        if tag in ("br", "col", "meta", "img", "hr", "input", "link"):
            return
        self.open.append((tag, found))
        if tag in self.LOUD:
            self.blocks.append((self.table(), ""))
        if found.get("class") == "n":
            self.links.append((found["data-of"] or "", found["href"] or "", ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        classes = " ".join(attrs.get("class") or "" for _, attrs in self.open)
        if any(tag in self.QUIET for tag, _ in self.open) or "references" in classes:
            return
        if "header-section-number" in classes:
            return
        if self.open and self.open[-1][1].get("class") == "n":
            of, to, said = self.links.pop()
            self.links.append((of, to, said + data))
            data = "¤"
        table, text = self.blocks.pop()
        self.blocks.append((table, text + data))

    def table(self) -> str:
        names = [a.get("id") or "" for tag, a in self.open if tag in ("table", "div", "figure")]
        return next((n.removeprefix("tbl-") for n in names[::-1] if n.startswith("tbl-")), "")


class Cells:
    """What the files of a study say, read without the report."""

    def __init__(self) -> None:
        table = pd.read_csv("reports/results.csv", dtype=str, keep_default_na=False)
        self.rows = {row["row"]: row for row in table.to_dict("records")}
        self.files: dict[str, Any] = {"flow.json": json.loads((DERIVED / "flow.json").read_text())}

    def at(self, place: str) -> float | str:
        formula, _, places = place.partition("@")
        total = 0.0
        for term in formula.split("+"):
            found = [self.one(factor) for factor in term.split("*")]
            if isinstance(found[0], str):
                return found[0]
            total += math.prod(float(f) for f in found)
        return round(total, int(places)) if places else total

    def one(self, factor: str) -> float | str:
        name, _, pointer = factor.partition("#")
        if factor.isdigit():
            return int(factor)
        if not pointer:
            row, _, column = factor.partition(".")
            found = self.rows[row]
            return 1 if not column else found[column] if column == "note" else float(found[column])
        if name == "flow.json":
            part: Any = self.files[name]
            for step in pointer[1:].split("/"):
                step = re.sub(r"%(..)", lambda m: chr(int(m[1], 16)), step)
                part = part[int(step)] if isinstance(part, list) else part[step]
            return 1 if isinstance(part, dict) else part
        if name not in self.files:
            path = next(p for p in (DERIVED / name, FIGURE_DATA / name) if p.is_file())
            self.files[name] = (
                pd.read_csv(path, dtype=str, keep_default_na=False)
                if path.suffix == ".csv"
                else pd.read_parquet(path)
            )
        line, _, column = pointer[1:].partition("/")
        if not column:
            assert int(line) < len(self.files[name])
            return 1
        cell = self.files[name][column].iloc[int(line)]
        return cell if column == "note" else float(cell)


def is_printed(said: str, value: float | str) -> bool:
    """Return whether a text is a number as the report prints it: rounded, its sign or its size."""
    if isinstance(value, str):
        return said.replace(",", "") in value.replace(",", "")
    shown = re.sub(r"[^\d.<>]", "", said)
    if shown[:1] in ("<", ">"):
        return value < 0.001 if said[0] == "<" else value > 0.99
    places = len(shown.partition(".")[2])
    return f"{abs(value):.{places}f}" == shown and (MINUS not in said or value < 0)


@pytest.fixture(scope="module", params=["ccp_reported", "btheb_reported"])
def folder(request: pytest.FixtureRequest) -> Path:
    """A shipped study with its report."""
    return request.getfixturevalue(request.param).path


@pytest.fixture(autouse=True)
def _here(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


@pytest.fixture(scope="module")
def page(folder: Path) -> Page:
    return Page((folder / "reports/report.html").read_text(encoding="utf-8"))


@pytest.fixture
def others(folder: Path) -> dict[str, str]:
    """The places that are no single row, by their anchors in the page of all results."""
    text = (folder / "reports/results.html").read_text(encoding="utf-8")
    found = re.findall(r'<tr id="(p[0-9a-f]{15})"><td class="r">[^<]*</td><td>([^<]+)<', text)
    return {name: html.unescape(place) for name, place in found}


def test_every_number_is_that_of_its_cell(page: Page, others: dict[str, str]) -> None:
    cells = Cells()
    wrong = []
    for of, to, said in page.links:
        place = others[of[1:]] if of[0] == "#" else of
        anchor = to.removeprefix("results.html#")
        assert anchor in cells.rows or others[anchor] == place
        if not is_printed(said, cells.at(place)):
            wrong.append((said, place, cells.at(place)))
    assert not wrong
    assert len(page.links) > 500


def test_no_number_of_the_data_leads_nowhere(page: Page) -> None:
    assert leading_nowhere(page) == []


def test_a_number_without_its_place_is_found(folder: Path, page: Page) -> None:
    text = (folder / "reports/report.html").read_text(encoding="utf-8")
    found, links = 0, re.findall(r'<a [^>]*class="n"[^>]*>.*?</a>', text)
    for link in links[::97]:
        shown = re.sub("<[^>]*>", "", link)
        found += bool(leading_nowhere(Page(f"<p>It was {shown} then.</p>")))
    # A number may happen to be one of the configuration; among words that is not allowed either.
    assert len(links) == len(page.links) and found == len(links[::97])


@cache
def no_data(folder: Path) -> tuple[re.Pattern[str], list[re.Pattern[str]], set[float], set[str]]:
    """Return what finds words and sentences that are no data, configured numbers, checklists."""
    words, numbers = configured()
    either = re.compile("|".join(map(re.escape, sorted(words, key=len)[::-1])), re.IGNORECASE)
    said = [pattern.replace("N", r"[−-]?(\d[\d,]*(?:\.\d+)?)") for pattern in NOT_DATA]
    allowed = [re.compile(pattern) for pattern in said]
    lists = {item.name for item in tables_of(Trial()) if isinstance(item, Checklist)}
    return either, allowed, numbers, lists


def leading_nowhere(page: Page) -> list[tuple[str, str, str]]:
    """Return table, number and text of what is neither traced nor known to be no data."""
    either, allowed, numbers, lists = no_data(Path.cwd())

    def known(found: re.Match[str]) -> str:
        return "" if all(as_number(g) in numbers for g in found.groups() if g) else found[0]

    left = []
    for table, text in page.blocks:
        rest = either.sub("", text)
        for pattern in allowed:
            rest = pattern.sub(known, rest)
        for number in A_NUMBER.findall(rest) if table not in COPIED else ():
            alone = table in CONFIGURED and as_number(number) in numbers
            item = table in lists and re.fullmatch(r"\d+[a-z]?(\([ivx]+\))?", text.strip())
            if not alone and not item:
                left.append((table, number, text[:120]))
    return left


def test_the_page_of_all_results_has_every_row(folder: Path) -> None:
    text = (folder / "reports/results.html").read_text(encoding="utf-8")
    ids = re.findall(r'\bid="?([^" >]+)', text)
    rows = pd.read_csv(folder / "reports/results.csv", dtype=str, keep_default_na=False)["row"]
    assert set(rows) <= set(ids)
    assert len(ids) == len(set(ids))
    assert not re.search(r'(?:src|href)="(?!#|results|report)', text)
    assert "None" not in text
    assert "<NA>" not in text


def test_the_workbook_has_numbers_in_cells_with_their_places(folder: Path, tmp_path: Path) -> None:
    book = openpyxl.load_workbook(folder / "reports/tables.xlsx")
    study = yaml.safe_load((folder / "config/study.yaml").read_text(encoding="utf-8"))
    assert book.properties.created.date().isoformat() == str(study["data_date"])
    rows = pd.read_csv(folder / "reports/results.csv", dtype=str, keep_default_na=False)
    by_id = {row["row"]: row for row in rows.to_dict("records")}
    checked = 0
    for sheet in book.worksheets[1:]:
        assert str(sheet["A1"].value).startswith(f"{sheet.title}. ")
        values = list(sheet.iter_rows(min_row=6, values_only=True))
        beside = next(c.column for c in sheet[4] if str(c.value).startswith("Row of results"))
        for line in values:
            for at, place in enumerate(line[beside - 1 :]):
                row, _, column = str(place).partition(".")
                cell = row in by_id and re.fullmatch("[a-z_]+", column) and column != "note"
                if cell and isinstance(line[at], int | float):
                    checked += 1
                    assert math.isclose(line[at], float(by_id[row][column]), rel_tol=1e-15)
    assert checked > 100


def test_the_exchanged_results_are_those_of_the_table(folder: Path) -> None:
    schema = json.loads((ROOT / "docs/schema/results.json").read_text(encoding="utf-8"))
    assert list(schema["$defs"]["result"]["properties"]) == COLUMNS
    content = json.loads((folder / "reports/results.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(content)
    rows = pd.read_csv(folder / "reports/results.csv", dtype=str, keep_default_na=False)
    for exchanged, row in zip(content["results"], rows.to_dict("records"), strict=True):
        assert set(exchanged) == {column for column, cell in row.items() if cell}
        for column, value in exchanged.items():
            text = row[column]
            assert value == (float(text) if column in NUMBERS else unescaped(text))
    for display in content["displays"]:
        with (folder / "reports" / display["file"]).open(encoding="utf-8-sig", newline="") as file:
            header, *lines = csv.reader(file)
        assert [said["text"] for said in display["header"]] == list(map(unescaped, header[:-1]))
        shown = [[said["text"] for said in row] for row in display["rows"]]
        assert shown == [list(map(unescaped, line[:-1])) for line in lines]


def test_no_mark_is_left_in_what_is_given_out(folder: Path) -> None:
    mark = re.compile(rb"\xf3[\xb0-\xbf][\x80-\xbf]{2}")
    for path in (folder / "reports").rglob("*"):
        if path.suffix in (".html", ".csv", ".json", ".svg"):
            assert not mark.search(path.read_bytes()), path
        elif path.suffix in (".docx", ".xlsx"):
            with zipfile.ZipFile(path) as parts:
                named = [n for n in parts.namelist() if n.endswith(".xml")]
                assert not any(mark.search(parts.read(n)) for n in named), path
    assert (folder / "reports/tables/flow.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    assert not (folder / "reports/results.csv").read_bytes().startswith(b"\xef\xbb\xbf")


def as_number(text: str) -> float:
    return float(text.replace(",", "").replace(MINUS, "-").lstrip("-"))


def configured() -> tuple[set[str], set[float]]:
    """Return the texts with digits, and the numbers, of the configuration of a study."""
    plan = load_plan()
    chances = [plan.confidence_level, *(plan.next_study.power if plan.next_study else [])]
    words, numbers = set(), {as_number(f"{chance * 100:g}") for chance in chances}
    for path in sorted(Path("config").rglob("*")):
        found: list[Any] = []
        if path.suffix == ".yaml":
            found = list(leaves(yaml.safe_load(path.read_text(encoding="utf-8"))))
        elif path.suffix == ".csv":
            with path.open(encoding="utf-8-sig", newline="") as handle:
                found = [cell for row in csv.reader(handle) for cell in row]
        for leaf in map(str, found):
            numbers |= {as_number(n) for n in A_NUMBER.findall(leaf)}
            # A label stands in the text whole, without what is in brackets, or as part of a list.
            for part in (*re.split(r"[;|=\n]", leaf), leaf.partition(" (")[0], leaf):
                if re.search(r"\d", part) and re.search("[a-zA-Z]", part):
                    words.add(" ".join(part.split()).rstrip("."))
    return words, numbers


def leaves(part: Any) -> list[Any]:
    if isinstance(part, dict):
        return [leaf for key, value in part.items() for leaf in (key, *leaves(value))]
    if isinstance(part, list):
        return [leaf for value in part for leaf in leaves(value)]
    return [part]
