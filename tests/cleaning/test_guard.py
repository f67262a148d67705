"""What could identify a person stops the run, and is repeated nowhere."""

from __future__ import annotations

import datetime as dt
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tiny import RAW

from ccp_analysis.cleaning.guard import guard, nhs_number
from ccp_analysis.cleaning.sheet import Sheet, categorical_of
from ccp_analysis.config.dictionary import Column

ROOT = Path(__file__).parents[2]
DATE = dt.date(2021, 1, 1)


def found(text: str, kind: str = "text", name: str = "remark", **more) -> list[str]:
    plain = {"file": "f", "column": name, "name": "x", "visit": "", "label": "X", "unit": ""}
    plain |= {"codes": {}, "missing": {}, "minimum": None, "maximum": None, "type": kind}
    column = Column(**(plain | more))
    cells = pd.DataFrame({name: categorical_of(["fine", text])})
    return guard(Sheet(Path("f.csv"), cells, np.array([2, 3])), [column], DATE)


IDENTIFYING = {
    "write to ann.smith@example.org please": "an e-mail address",
    "rang 020 7946 0958 twice": "a telephone number",
    "07700 900123": "a telephone number",
    "+44 (0)7700 900 123": "a telephone number",
    "moved to YO10 5DD": "a postcode",
    "sw1a1aa": "a postcode",
    "NHS 943 476 5919": "an NHS number",
    "9434765919": "an NHS number",
    "born 14/02/1971": "a date that can be a date of birth",
    "1971-02-14": "a date that can be a date of birth",
    "spoke with Mrs Smith": "a name",
    "her sister is called Joan": "a name",
}
HARMLESS = [
    *("likes tea", "moved in 1971", "9434765918", "seen 14/02/2019", "CP001", "score 12.5 of 20"),
    *("2019-08-01", "walked 10 km in 2 h", "T01", "1234567890.12", "missed the bus at 10:45"),
    "called twice",
]


@pytest.mark.parametrize("text", IDENTIFYING)
def test_identifying_text_is_found_and_not_repeated(text):
    [fault] = found(text)
    assert fault.startswith(f"f.csv, line 3, column 'remark': {IDENTIFYING[text]} stands there;")
    assert text not in fault
    assert found(text, identifying="allowed") == []


@pytest.mark.parametrize("text", HARMLESS)
def test_harmless_text_is_let_through(text):
    assert found(text) == []


@pytest.mark.parametrize("kind", ["id", "number", "category", "integer"])
def test_a_number_of_the_health_service_is_one_in_any_column(kind):
    codes = {"codes": {"a": []}} if kind == "category" else {}
    assert len(found("9434765919", kind, **codes)) == 1


NAMES = ["Surname", "first_name", "e-mail", "HomePhone", "post code", "NHSNumber", "dob"]


@pytest.mark.parametrize("name", [*NAMES, "date of birth"])
def test_a_header_that_identifies(name):
    [fault] = found("x", name=name)
    assert f"column '{name}': by its name it identifies people" in fault


@pytest.mark.parametrize("name", ["namely", "address_changed_by_gp_n", "team_name_code", "phoned"])
def test_headers_that_only_look_like_it(name):
    assert (found("x", name=name) == []) == (name != "address_changed_by_gp_n")


@given(st.integers(0, 999_999_999))
def test_nine_digits_have_one_check_digit_or_none(first):
    valid = [d for d in range(10) if nhs_number(f"{first:09d}{d}")]
    assert len(valid) <= 1


def test_published_numbers():
    assert nhs_number("9434765919")
    assert not nhs_number("9434765918")
    assert not nhs_number("0000000000")


def test_an_allowed_column_of_free_text_goes_no_further(tiny):
    tiny.write("first.csv", RAW["first.csv"].replace("likes tea", "ann@example.org"))
    path = tiny.path / "config/dictionary.csv"
    table = pd.read_csv(path, dtype=str, keep_default_na=False).assign(identifying="")
    table.loc[table["name"] == "remark", "identifying"] = "allowed"
    table.to_csv(path, index=False)
    people, _, _ = tiny.clean()
    assert "remark" not in people
    for path in tiny.path.glob("*.*"):
        if path.name != "first.csv":
            assert b"ann@" not in path.read_bytes()


def test_only_synthetic_or_public_studies_are_in_the_repository():
    listed = subprocess.run(
        ["git", "ls-files", "*config/study.yaml"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    paths = [ROOT / line for line in listed.stdout.splitlines()]
    if listed.returncode:  # not a repository: what is there
        paths = [*ROOT.glob("config/study.yaml"), *ROOT.glob("examples/*/config/study.yaml")]
    assert len(paths) >= 2
    for path in paths:
        status = yaml.safe_load(path.read_text(encoding="utf-8"))["data_status"]
        assert status in ("synthetic", "public"), path
