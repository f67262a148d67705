from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from made_up import VILE, Folder, make
from test_document import Page

from ccp_analysis.errors import StudyError
from ccp_analysis.report import codebook

NUMBER = {"mean": 41.25, "sd": 10.5, "minimum": 18, "q1": 33, "median": 40, "q3": 50, "maximum": 70}


def line(name: str, visit: str = "", **more: Any) -> dict[str, Any]:
    json_columns = {key: json.dumps(more.pop(key, {})) for key in codebook.READABLE}
    shared = {"variable": f"{name}_{visit}" if visit else name, "name": name, "visit": visit}
    shared |= {"source": "dictionary", "file": "people", "column": name, "label": name.title()}
    shared |= {"type": "integer", "unit": "", "n": 40, "missing": 1, "data_status": "synthetic"}
    return shared | dict.fromkeys(codebook.NUMBERS) | json_columns | more


LINES = [
    line("age", unit="years", limits={"minimum": 18, "maximum": 100}, **NUMBER),
    line(
        "sex",
        label=VILE,
        type="category",
        codes={"f": "Female", "m": "<i>Male</i> & *others*"},
        counts={"f": 30, "m": 10},
        missing_by_reason={"<b>refused</b>": 1},
    ),
    line("met", type="date", counts={"first": "2019-01-21", "last": "2020-01-01"}),
    line("note", type="text", label="=1+1"),
    line("s1", "start", type="ordinal", codes={"0": "Never", "1": "=HYPERLINK()"}),
    line("sleep", "start", source="instrument", file="", column="", type="score", **NUMBER),
    line("sleep", "later", source="instrument", file="", column="", type="score", n=0, missing=41),
]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    folder = make("clustered", tmp_path_factory.mktemp("codebook") / "study")
    pd.DataFrame(LINES).to_parquet(folder.path / "codebook.parquet")
    write(folder)
    return folder


def write(folder: Folder, name: str = "codebook") -> None:
    with folder.inside():
        codebook.run(
            codebook=Path("codebook.parquet"),
            html=Path(f"{name}.html"),
            csv=Path(f"{name}.csv"),
        )


def test_the_page_holds_everything_it_needs(written: Folder) -> None:
    page = Page(written.text("codebook.html"))
    assert page.tags.count("script") == page.tags.count("h1") == 1
    assert not {"link", "iframe", "img", "i", "b"} & set(page.tags)
    targets = [link.removeprefix("#") for link in page.every("href")]
    assert len(targets) == len(set(targets)) == 7  # with that of the text
    assert set(targets) <= set(page.every("id"))
    assert ("html", "lang", "en-GB") in page.attributes


def test_contents_are_by_visit_and_instrument(written: Folder) -> None:
    with written.inside():
        source = written.source()
        found = codebook.chapters(source.study, source.instruments, pd.DataFrame(LINES))
    titles = [(chapter.title, [part.title for part in chapter.parts]) for chapter in found]
    assert titles == [
        ("Measured once", ["File people.csv"]),
        ("Start", ["Sleep (SLP)"]),
        ("End", ["Sleep (SLP)"]),
    ]
    assert [entry.variable for entry in found[1].parts[0].entries] == ["s1_start", "sleep_start"]


def test_entries_are_summarised_counted_and_drawn() -> None:
    age, sex, met, *_, nothing = map(codebook.entry, LINES)
    assert age.summary == "mean 41.2 (SD 10.5); median 40 (quartiles 33 to 50); range 18 to 70"
    assert (age.box.q1, age.box.median) == pytest.approx((100 * 15 / 52, 100 * 22 / 52))
    assert {("Range", "at least 18, at most 100"), ("Unit", "years")} <= set(age.facts)
    assert [(bar.label, bar.n, bar.width, bar.percent) for bar in sex.bars] == [
        ("f = Female", 30, 75, "75"),
        ("m = <i>Male</i> & *others*", 10, 25, "25"),
    ]
    assert sex.box is None and sex.reasons == [("<b>refused</b>", "1")]
    assert ("First day", "2019-01-21") in met.facts
    assert (nothing.n, nothing.missing, nothing.summary, nothing.box) == ("0", "41", "", None)


def test_markup_is_text_and_formulas_are_escaped(written: Folder) -> None:
    page = Page(written.text("codebook.html"))
    assert VILE in page.text
    assert "<b>refused</b> 1" in page.text
    rows = written.rows("codebook.csv")
    assert rows[3]["label"] == "'=1+1"
    assert rows[1]["counts"] == "f=30; m=10"
    assert rows[4]["codes"] == "0=Never; 1==HYPERLINK()"
    with (written.path / "codebook.csv").open(newline="", encoding="utf-8") as handle:
        assert {row["data_status"] for row in csv.DictReader(handle)} == {"synthetic"}


def test_synthetic_data_stands_on_the_page(written: Folder, tmp_path: Path) -> None:
    banner = '<div class="banner" role="note">SYNTHETIC DATA</div>'
    assert banner in written.text("codebook.html")
    public = make("clustered", tmp_path / "study", status="public")
    pd.DataFrame(LINES).assign(data_status="public").to_parquet(public.path / "codebook.parquet")
    write(public)
    assert "SYNTHETIC" not in public.text("codebook.html")
    # And the same bytes again.
    write(written, "again")
    for kind in ("html", "csv"):
        assert written.text(f"again.{kind}") == written.text(f"codebook.{kind}")


def test_faults_are_named(tmp_path: Path) -> None:
    folder = make("clustered", tmp_path / "study")
    with pytest.raises(StudyError, match=r"codebook\.parquet: the file is missing"):
        write(folder)
    table = pd.DataFrame(LINES).assign(data_status="real")
    table.to_parquet(folder.path / "codebook.parquet")
    with pytest.raises(StudyError, match="data status 'real' found; expected 'synthetic'"):
        write(folder)
