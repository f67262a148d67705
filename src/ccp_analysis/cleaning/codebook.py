"""The codebook's data: every analysis variable at every visit, described from the cleaned data."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from ccp_analysis.cleaning.table import PARTICIPANT, RawTable, tally
from ccp_analysis.config.dictionary import Column
from ccp_analysis.config.instruments import Instrument
from ccp_analysis.config.study import Study
from ccp_analysis.groups import in_order

TEXT = ["variable", "name", "visit", "visit_label", "source", "file", "column", "label", "type"]
SUMMARY = ["mean", "sd", "minimum", "q1", "median", "q3", "maximum"]
COLUMNS = [
    *TEXT,
    "codes",
    "unit",
    "limits",
    "n",
    "missing",
    "missing_by_reason",
    *SUMMARY,
    "counts",
    "data_status",
]
NOT_SCORED = "too few items answered"
NO_CELL = ", or no cell of the value set"


def codebook(
    study: Study,
    dictionary: Sequence[Column],
    instruments: dict[str, Instrument],
    people: pd.DataFrame,
    tables: dict[str, RawTable],
    missing: pd.DataFrame,
) -> pd.DataFrame:
    """Describe all variables, without regard to arm.

    Parameters
    ----------
    study, dictionary, instruments
        What the variables mean.
    people : pandas.DataFrame
        Participants with their scores.
    tables : dict
        File id → `RawTable`, for the variables of files of events and practitioners.
    missing : pandas.DataFrame
        From `missing_values`.

    Returns
    -------
    pandas.DataFrame
        Columns `COLUMNS`, one row for each variable and visit: first those of the dictionary in its
        order, then the scores. ``source`` is dictionary or instrument. ``codes``, ``limits``,
        ``missing_by_reason`` and ``counts`` are JSON: code → label, name → limit, reason → number,
        code or date → number. A number is summarised (`SUMMARY`), a category counted; dates have
        their first and last day among the counts; people and what is for cleaning only are only
        numbered.
    """
    by_reason = {
        str(name): {str(why): int(n) for why, n in found.items() if n}
        for name, found in missing.groupby("variable", observed=True)["reason"]
        .value_counts(sort=False)
        .unstack(fill_value=0)
        .iterrows()
    }
    lines = []
    for column in dictionary:
        table, name = tables[column.file], column.variable
        of_people = study.files[column.file].of_people and name in people
        values = (people if of_people else table.values)[name]
        why = by_reason.get(name, {}) if of_people else tally(table.why[name])
        lines.append(_described(column) | _distribution(column, values) | {"why": why})
    lines += _scores(instruments, people, study)
    for line in lines:
        line["visit_label"] = study.times.get(line["visit"], "")
        line["missing_by_reason"] = _json(line.pop("why"))
        line["data_status"] = study.data_status
    table = pd.DataFrame(lines, columns=COLUMNS)
    table[SUMMARY] = table[SUMMARY].astype(float)
    return table


def _json(content: dict[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False)


def _described(column: Column) -> dict[str, Any]:
    limits = {
        key: getattr(column, key)
        for key in ("minimum", "maximum", "soft_minimum", "soft_maximum")
        if getattr(column, key) is not None
    }
    labels = {code: (names or [code])[0] for code, names in column.codes.items()}
    return {
        "variable": column.variable,
        "name": column.name,
        "visit": column.visit,
        "source": "dictionary",
        "file": column.file,
        "column": column.column,
        "label": column.label,
        "type": column.type,
        "codes": _json(labels),
        "unit": column.unit,
        "limits": _json(limits),
    }


def _distribution(column: Column, values: pd.Series) -> dict[str, Any]:
    found = values.dropna()
    base: dict[str, Any] = {"n": len(found), "missing": len(values) - len(found), "counts": "{}"}
    if column.hidden or column.type in ("id", "text") or column.name == PARTICIPANT:
        return base
    if column.type == "date":
        days = {"first": found.min(), "last": found.max()} if len(found) else {}
        return base | {"counts": _json({key: f"{day:%Y-%m-%d}" for key, day in days.items()})}
    number = is_numeric_dtype(found)
    if column.codes:
        codes = {float(c): c for c in column.codes} if number else None
        counts = found.map(codes).value_counts() if codes else found.value_counts()
        ordered = {code: int(counts.get(code, 0)) for code in column.codes}
        return base | {"counts": _json(ordered)} | (_numbers(found) if codes else {})
    if not number:
        counts = found.value_counts()
        return base | {"counts": _json({name: int(counts[name]) for name in in_order(found)})}
    return base | _numbers(found)


def _numbers(values: pd.Series) -> dict[str, float]:
    if values.empty:
        return {}
    quartiles = np.quantile(values.to_numpy(dtype=float), [0, 0.25, 0.5, 0.75, 1])
    return dict(zip(SUMMARY, [values.mean(), values.std(ddof=1), *quartiles], strict=True))


def _scores(
    instruments: dict[str, Instrument], people: pd.DataFrame, study: Study
) -> Iterator[dict[str, Any]]:
    """Yield the scores of instruments and subscales at the visits that they have."""
    for name, instrument in instruments.items():
        parts = {name: instrument.label}
        parts |= {f"{name}_{s}": part.label for s, part in instrument.subscales.items()}
        for score, label in parts.items():
            for visit in ["", *(v.id for v in study.visits)]:
                variable = f"{score}_{visit}" if visit else score
                if variable not in people:
                    continue
                values = people[variable]
                empty = values.isna()
                there = f"interviewed_{visit}"
                seen = people[there] if there in people else pd.Series(True, index=people.index)
                why = {
                    NOT_SCORED + NO_CELL * bool(instrument.valued_by): int((empty & seen).sum()),
                    "no interview": int((empty & ~seen).sum()),
                }
                limits = dict(zip(("minimum", "maximum"), instrument.range, strict=True))
                yield {
                    "variable": variable,
                    "name": score,
                    "visit": visit,
                    "source": "instrument",
                    "file": "",
                    "column": "",
                    "label": label,
                    "type": "score",
                    "codes": "{}",
                    "unit": instrument.unit,
                    "limits": _json(limits if score == name else {}),
                    "n": int((~empty).sum()),
                    "missing": int(empty.sum()),
                    "why": {reason: n for reason, n in why.items() if n},
                    "counts": "{}",
                } | _numbers(values.dropna())
