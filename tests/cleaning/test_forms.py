"""Values in another form than the dictionary's: read where they can only mean one thing."""

from __future__ import annotations

import datetime as dt
import re
import zipfile
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pyreadstat
import pytest
from test_decode import column, decoded

from ccp_analysis.cleaning.read import read_raw
from ccp_analysis.config.study import RawFile
from ccp_analysis.errors import StudyError


def file(suffix: str = "csv", **more) -> RawFile:
    return RawFile(path=Path(f"f.{suffix}"), rows="participant", **more)


# --- single precision -----------------------------------------------------------------------------


def written(tmp_path: Path, kind: str, values: np.ndarray) -> RawFile:
    """Numbers in a file of that kind, as a program would write them that holds them as `values`."""
    path = tmp_path / f"a.{kind}"
    frame = pd.DataFrame({"x": values})
    if kind == "dta" and values.dtype == np.float32:
        frame.to_stata(path, write_index=False)
    elif kind == "dta":
        pyreadstat.write_dta(frame, str(path))
    elif kind == "sav":
        pyreadstat.write_sav(frame, str(path))
    else:
        frame.astype(float).to_excel(path, index=False)
    return RawFile(path=path, rows="participant")


DECIMALS = [0.6, -9.9, 0.1, 3, 1234.56, 1e-3, 0.5, np.nan, 16777216, 36.6, -0.285]


@pytest.mark.parametrize("kind", ["dta", "sav", "xlsx"])
@pytest.mark.parametrize("widened", [False, True])
def test_single_precision_is_read_as_it_was_entered(tmp_path, kind, widened):
    values = np.array(DECIMALS, dtype=np.float32)
    asked = column("number", missing={"-9.9": "not done"}, minimum=-0.285, maximum=16777216)
    sheet = read_raw(written(tmp_path, kind, values.astype(float) if widened else values), [asked])
    texts = sheet.cells["x"].astype(str).tolist()
    expected = [f"{v:.15g}" for v in DECIMALS if v == v]
    assert [text for text in texts if text] == expected
    [note] = sheet.notes
    assert (note.column, note.n, note.rule) == ("x", 7, "stored in single precision")
    assert note.value == "0.6"
    values, queries = decoded(texts, asked, file(kind))
    assert queries["rule"].tolist() == ["missing code"]


@pytest.mark.parametrize("kind", ["dta", "sav", "xlsx"])
def test_double_precision_is_left_as_it_is(tmp_path, kind):
    numbers = np.array([0.6, float(np.float32(0.1)), 1 / 3, 2.0**-20])
    sheet = read_raw(written(tmp_path, kind, numbers), [column("number")])
    # Spreadsheets keep 16 digits.
    np.testing.assert_allclose(sheet.cells["x"].astype(float), numbers, rtol=1e-15)
    assert sheet.notes == ()


def test_every_decimal_of_six_digits_survives_single_precision(tmp_path):
    rng = np.random.default_rng(7)
    entered = np.round(rng.uniform(-999, 999, 4000), 3)
    sheet = read_raw(written(tmp_path, "dta", entered.astype(np.float32)), [column("number")])
    assert sheet.cells["x"].astype(float).tolist() == entered.tolist()


def test_value_labels_of_a_column_of_single_precision_still_belong_to_their_numbers(tmp_path):
    frame = pd.DataFrame({"x": np.array([0.1, 1.5, 1.5], np.float32).astype(float)})
    labels = {"x": {float(np.float32(0.1)): "Low", 1.5: "High"}}
    pyreadstat.write_sav(frame, str(tmp_path / "a.sav"), variable_value_labels=labels)
    asked = column("category", codes={"l": ["Low"], "h": ["High"]})
    sheet = read_raw(RawFile(path=tmp_path / "a.sav", rows="participant"), [asked])
    assert sheet.labels == {"x": {"0.1": "Low", "1.5": "High"}}


SIGNIFICANT = {"R": 15, "Python": 17, "Stata": 8, "nine": 9}


def csv_of(tmp_path: Path, texts: list[str], **more) -> RawFile:
    quoted = [f'"{text}"' for text in texts]
    (tmp_path / "a.csv").write_text("\n".join(["x", *quoted]) + "\n")
    return RawFile(path=tmp_path / "a.csv", rows="participant", **more)


@pytest.mark.parametrize("program", SIGNIFICANT)
@pytest.mark.parametrize("sign", ["point", "comma"])
def test_single_precision_in_text_is_read_as_it_was_entered(tmp_path, program, sign):
    decimals = [v for v in DECIMALS if v == v]
    singles = [float(np.float32(v)) for v in decimals]
    long = [repr(v) if program == "Python" else f"{v:.{SIGNIFICANT[program]}g}" for v in singles]
    texts = [re.sub(r"^(-?)0\.", r"\1.", t) if program == "Stata" else t for t in long]
    texts = [t.replace(".", ",") for t in texts] if sign == "comma" else texts
    asked = column("number", missing={"-9.9": "not done"}, minimum=-0.285, maximum=16777216)
    spec = csv_of(tmp_path, texts, decimal=sign)
    sheet = read_raw(spec, [asked])
    values, queries = decoded(sheet.cells["x"].astype(str).tolist(), asked, spec)
    assert values.dropna().tolist() == [v for v in decimals if v != -9.9]
    assert queries.loc[queries["severity"] != "note"].empty
    assert [note.rule for note in sheet.notes] == ["stored in single precision"]


@pytest.mark.parametrize("kind", ["dta", "sav", "xlsx", "csv"])
def test_a_number_of_double_precision_leaves_the_others_of_its_column(tmp_path, kind):
    numbers = np.array([36.6, *np.float32([-9.9, 0.6])])
    asked = column("number", missing={"-9.9": "not done"}, maximum=0.6)
    spec = (
        csv_of(tmp_path, [repr(float(n)) for n in numbers])
        if kind == "csv"
        else written(tmp_path, kind, numbers)
    )
    assert read_raw(spec, [asked]).cells["x"].tolist() == ["36.6", "-9.9", "0.6"]


@pytest.mark.parametrize("text", ["-9.89999961853027", "-9.899999618530273", "-9.8999996"])
def test_among_doubles_codes_and_limits_of_single_precision_are_still_those(tmp_path, text):
    texts = ["0.1234567891", text, "0.60000002", "0.30000001192092896", "1.10000002384186"]
    asked = column("number", missing={"-9.9": "not done"}, maximum=0.6)
    sheet = read_raw(csv_of(tmp_path, texts), [asked])
    assert sheet.cells["x"].tolist() == ["0.1234567891", "-9.9", "0.6", *texts[3:]]
    asked = column("category", codes={"1.1": ["Low"], "1.2": ["High"]})
    assert read_raw(csv_of(tmp_path, texts), [asked]).cells["x"].tolist() == [*texts[:4], "1.1"]


ENTERED = ["0.6000001", "1.234567", "0.60000000", "0.1234567891", "123456789", "2.00390625"]


@pytest.mark.parametrize("text", ENTERED)
def test_what_was_entered_with_its_digits_is_left_as_it_is(tmp_path, text):
    sheet = read_raw(csv_of(tmp_path, [text, "1.5"]), [column("number", maximum=0.6)])
    assert sheet.cells["x"].tolist() == [text, "1.5"]
    assert sheet.notes == ()


def test_a_missing_code_written_as_single_precision_is_kept(tmp_path):
    asked = column("number", missing={"-9.899999618530273": "not done"})
    sheet = read_raw(csv_of(tmp_path, ["-9.899999618530273", "0.60000002"]), [asked])
    assert sheet.cells["x"].tolist() == ["-9.899999618530273", "0.6"]


def test_identifiers_and_free_text_are_no_numbers(tmp_path):
    for kind in ("id", "text"):
        sheet = read_raw(csv_of(tmp_path, ["0.60000002"]), [column(kind)])
        assert sheet.cells["x"].tolist() == ["0.60000002"]


# --- codes and whole numbers with a fraction of zero ----------------------------------------------


# --- dates ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["sav", "dta"])
def test_midnights_of_statistical_files(tmp_path, kind):
    frame = pd.DataFrame({"x": [dt.datetime(2020, 1, 31), dt.datetime(1995, 7, 1), pd.NaT]})
    path = tmp_path / f"a.{kind}"
    write = pyreadstat.write_sav if kind == "sav" else pyreadstat.write_dta
    write(frame, str(path))
    sheet = read_raw(RawFile(path=path, rows="participant"), [column("date")])
    assert sheet.cells["x"].astype(str).tolist()[:2] == ["2020-01-31", "1995-07-01"]


# --- decimal signs --------------------------------------------------------------------------------


# --- formulas -------------------------------------------------------------------------------------


def with_computed(path: Path, values: dict[str, str]) -> Path:
    """The same workbook as a spreadsheet program saves it: with values beside some formulas."""
    target = path.with_name("computed.xlsx")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name).decode()
            if name.endswith("sheet1.xml"):
                for cell, value in values.items():
                    kind = "" if value.isdecimal() else ' t="str"'
                    content, n = re.subn(
                        rf'<c r="{cell}"><f>(.*?)</f><v ?/></c>',
                        rf'<c r="{cell}"{kind}><f>\1</f><v>{value}</v></c>',
                        content,
                    )
                    assert n == 1
            new.writestr(name, content)
    return target


def test_formulas_are_read_as_last_computed(tmp_path):
    book = openpyxl.Workbook()
    for row in (
        ["id", "x", "y"],
        ["P1", 2, "=B2*2"],
        ["P2", None, '=IF(B3="","",B3*2)'],
        ["P3", 4, "=B4*2"],
        ['=IF(B5="","","P4")', None, None],
        ["P5", 5, "=B6*2"],
    ):
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    path = with_computed(tmp_path / "a.xlsx", {"C2": "4", "C3": "", "C6": "10", "A5": ""})
    columns = [column("id").model_copy(update={"column": name}) for name in ("id", "x", "y")]
    sheet = read_raw(RawFile(path=path, rows="participant"), columns)
    # What no program has computed is its own text, and so no number; it is not blank.
    assert sheet.cells["y"].tolist() == ["4", "", "=B4*2", "10"]
    assert sheet.rows.tolist() == [2, 3, 4, 6]
    [note] = [n for n in sheet.notes if n.column == "y"]
    assert note[1:] == (3, "=B2*2", "4", "formulas, read as last computed")


# --- a whole study --------------------------------------------------------------------------------

PARTICIPANTS = "data/derived/participants.parquet"
WHOLE = re.compile(r"-?\d+")
DAY = re.compile(r"(\d{4})-(\d\d)-(\d\d)")


def rewrite(change) -> None:
    """Write every cell of the study's files anew; `change` gets a number, the header, the cell.

    The number is that of the identifier, so that a row that stands twice still does.
    """
    for path in Path("data/raw").glob("*.csv"):
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        who = table.iloc[:, 0].str.extract(r"(\d+)")[0].astype(int)
        for name in table.columns[1:]:
            table[name] = [change(i, name, text) for i, text in zip(who, table[name], strict=True)]
        table.to_csv(path, index=False)


def test_a_study_in_other_forms_gives_the_same_bytes(ccp_study, ccp_done):
    def change(i: int, name: str, text: str) -> str:
        if WHOLE.fullmatch(text):
            return f"{text}.0"
        dotted = r"\3.\2.\1" if i % 2 else r"\1-\2-\3 00:00:00"
        return DAY.sub(dotted, text) if DAY.fullmatch(text) else text

    rewrite(change)
    ccp_study.clean()
    assert Path(PARTICIPANTS).read_bytes() == (ccp_done / PARTICIPANTS).read_bytes()
    queries = pd.read_csv("data/derived/queries.csv", dtype=str, keep_default_na=False)
    before = pd.read_csv(ccp_done / "data/derived/queries.csv", dtype=str, keep_default_na=False)
    assert (queries["row"] != "0").sum() == len(before)
    assert set(queries.loc[queries["row"] == "0", "severity"]) == {"note"}


def test_decimal_commas_in_every_second_row_stop_or_are_read(ccp_study, ccp_done):
    items = re.compile(r"rgu_\d\d")
    commas = 0

    def change(i: int, name: str, text: str) -> str:
        nonlocal commas
        if i % 2 and items.fullmatch(name) and WHOLE.fullmatch(text.strip()):
            commas += text != "-99"
            return f"{text.strip()},0"
        return text

    rewrite(change)
    with pytest.raises(StudyError) as caught:
        ccp_study.clean()
    assert len(caught.value.faults) == 2 * 27
    counts = [int(re.search(r": (\d+) of", fault)[1]) for fault in caught.value.faults]
    assert commas <= sum(counts) <= commas + 54  # and some -99,0
    study = Path("config/study.yaml")
    study.write_text(study.read_text().replace("rows: participant}", "rows: participant, DEC}"))
    study.write_text(study.read_text().replace("DEC", "decimal: either"))
    ccp_study.clean()
    assert Path(PARTICIPANTS).read_bytes() == (ccp_done / PARTICIPANTS).read_bytes()
