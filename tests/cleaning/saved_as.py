"""A study's CSV files saved again in other formats, as other programs would hold them."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pyreadstat

from ccp_analysis.config.dictionary import Column, key_of, load_dictionary
from ccp_analysis.config.study import load_study

NUMBER = re.compile(r"-?(0|[1-9]\d*)(\.\d+)?")
MISSING = {"-99": -99, "na": -98, "not asked": -97}


def cells(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def redirect(suffix: str) -> None:
    """Let study.yaml name the files of another suffix."""
    path = Path("config/study.yaml")
    path.write_text(re.sub(r"(path: data/raw/\w+)\.csv", rf"\1.{suffix}", path.read_text()))


def as_xlsx(path: Path) -> None:
    table = cells(path)
    book = openpyxl.Workbook()
    book.active.title = "Export"
    book.active.append(list(table))
    for row in table.itertuples(index=False):
        book.active.append([_typed(text) for text in row])
    book.save(path.with_suffix(".xlsx"))


def _typed(text: str) -> object:
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        return dt.datetime.fromisoformat(text)
    if NUMBER.fullmatch(text):
        return float(text) if "." in text else int(text)
    return text or None


def as_delimited(path: Path, delimiter: str, encoding: str) -> None:
    table = cells(path)
    table.to_csv(path, sep=delimiter, index=False, encoding=encoding, lineterminator="\r\n")


def as_statistical(path: Path, kind: str) -> None:
    """Numbers with declared missing values, categories with value labels, dates as dates."""
    study = load_study()
    columns = {
        c.column: c for c in load_dictionary(study) if study.files[c.file].path.stem == path.stem
    }
    table = cells(path)
    out, labels, missing = {}, {}, {}
    for name, texts in table.items():
        column = columns[str(name)]
        if column.type == "date":
            out[name] = [dt.date.fromisoformat(t) if t else None for t in texts]
        elif column.type in ("integer", "category"):
            values, labels[name] = _coded(texts, column)
            gone = {MISSING[key]: reason for key, reason in _reasons(column).items()}
            if kind == "dta":
                tags = dict(zip(gone, "abc", strict=False))
                values = [tags.get(v, None if v is None else int(v)) for v in values]
                labels[name] |= {tags[code]: reason for code, reason in gone.items()}
                missing[name] = [tag for tag in tags.values() if tag in values]
                labels[name] = {k: v for k, v in labels[name].items() if k in set(values)}
                out[name] = pd.Series(values, dtype=object)
            else:
                labels[name] |= gone
                missing[name] = list(gone)
                out[name] = pd.Series([np.nan if v is None else v for v in values], dtype=float)
        else:
            out[name] = texts
    frame = pd.DataFrame(out)
    labels = {name: of for name, of in labels.items() if of}
    missing = {name: of for name, of in missing.items() if of}
    target = str(path.with_suffix(f".{kind}"))
    if kind == "sav":
        pyreadstat.write_sav(frame, target, variable_value_labels=labels, missing_ranges=missing)
    else:
        for name in frame:
            if name not in missing and columns[str(name)].type in ("integer", "category"):
                frame[name] = frame[name].astype("Int64").astype(float)
        pyreadstat.write_dta(
            frame, target, variable_value_labels=labels, missing_user_values=missing, version=15
        )


def _reasons(column: Column) -> dict[str, str]:
    return {key_of(code): reason for code, reason in column.missing.items()}


def _coded(texts: pd.Series, column: Column) -> tuple[list[float | None], dict[object, str]]:
    codes = {code: number for number, code in enumerate(column.codes, start=1)}
    meanings = column.meanings() if column.codes else {}
    values: list[float | None] = []
    for text in texts:
        key = key_of(text)
        if not key:
            values.append(None)
        elif key in MISSING:
            values.append(MISSING[key])
        else:
            values.append(codes[meanings[key]] if codes else float(key))
    labels = {number: (column.codes[code] or [code])[0] for code, number in codes.items()}
    return values, dict(labels)
