"""How the scales did in these data: reliability, floor and ceiling, without regard to arm."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ccp_analysis.cleaning.score import columns_by_name, items_of, visits_of
from ccp_analysis.config.dictionary import Column
from ccp_analysis.config.instruments import Instrument

COLUMNS = [
    "scale",
    "subscale",
    "visit",
    "label",
    "items",
    "minimum_answered",
    "lowest",
    "highest",
    "n_asked",
    "n",
    "n_prorated",
    "alpha",
    "n_alpha",
    "mean",
    "sd",
    "minimum",
    "maximum",
    "floor_percent",
    "ceiling_percent",
]


def cronbach_alpha(items: pd.DataFrame) -> tuple[float, int]:
    """Return Cronbach's alpha of complete answers, and their number.

    Alpha = k / (k - 1) (1 - sum of the items' variances / variance of their sum) (Cronbach 1951).

    Parameters
    ----------
    items : pandas.DataFrame, shape (n, k)
        Answers, reversed where items are; rows with a missing answer do not count.

    Returns
    -------
    alpha : float
        NaN with fewer than two items or complete rows, or where the sum does not vary.
    n : int
        Complete rows.
    """
    answers = items.dropna().to_numpy(dtype=float)
    n, k = answers.shape
    if n < 2 or k < 2:
        return np.nan, n
    total = answers.sum(axis=1).var(ddof=1)
    if total <= 0:
        return np.nan, n
    return float(k / (k - 1) * (1 - answers.var(axis=0, ddof=1).sum() / total)), n


def scale_table(
    people: pd.DataFrame,
    scores: pd.DataFrame,
    instruments: dict[str, Instrument],
    dictionary: Sequence[Column],
    asked: dict[str, pd.Series],
) -> pd.DataFrame:
    """Describe every scale and subscale at every visit.

    Parameters
    ----------
    people : pandas.DataFrame
        Items, named as in `Column.variable`.
    scores : pandas.DataFrame
        From `score_instruments`, before the dead are valued.
    instruments, dictionary
        The scales and their items.
    asked : dict
        Visit → who was interviewed then.

    Returns
    -------
    pandas.DataFrame
        Columns `COLUMNS`. `floor_percent` and `ceiling_percent` are of the scores: how many have
        the lowest and the highest possible one. `n_prorated` scores rest on fewer answers than
        items. Alpha is left out for value sets.
    """
    by_name = columns_by_name(dictionary)
    everyone = pd.Series(True, index=people.index)
    lines = []
    for name, instrument in instruments.items():
        for visit in visits_of(name, instrument, by_name):
            items = items_of(people, visit, instrument, by_name)[asked.get(visit, everyone)]
            for part in _parts(name, instrument, by_name, visit):
                at = f"_{visit}" if visit else ""
                lines.append(_line(part, items[part["names"]], scores[part["score"] + at]))
    return pd.DataFrame(lines, columns=COLUMNS)


def _parts(
    name: str, instrument: Instrument, by_name: dict[str, list[Column]], visit: str
) -> Iterator[dict[str, Any]]:
    """Yield the scale and its subscales."""
    common = {
        "scale": name,
        "visit": visit,
        "minimum_answered": instrument.minimum_answered,
        "summed": instrument.score != "value_set",
    }
    low, high = instrument.range
    yield common | {
        "subscale": "",
        "label": instrument.label,
        "score": name,
        "names": instrument.items,
        "lowest": low,
        "highest": high,
    }
    for subscale, part in instrument.subscales.items():
        limits = np.array([_limits(by_name[item], visit) for item in part.items])
        ends = limits.sum(axis=0) if instrument.score == "sum" else limits.mean(axis=0)
        yield common | {
            "subscale": subscale,
            "label": part.label,
            "score": f"{name}_{subscale}",
            "names": part.items,
            "lowest": ends[0],
            "highest": ends[1],
        }


def _limits(columns: Sequence[Column], visit: str) -> tuple[float, float]:
    """Return the lowest and highest answer to an item; NaN where it has no limits."""
    column = next(c for c in columns if c.visit == visit)
    if column.type == "ordinal":
        levels = [float(code) for code in column.codes]
        return min(levels), max(levels)
    low, high = column.minimum, column.maximum
    return (np.nan if low is None else low), (np.nan if high is None else high)


def _line(part: dict[str, Any], items: pd.DataFrame, score: pd.Series) -> dict[str, Any]:
    score = score.loc[items.index]
    found = score.dropna()
    partly = items.isna().any(axis=1) & score.notna()
    alpha, n_alpha = cronbach_alpha(items) if part["summed"] else (np.nan, 0)
    described: dict[str, Any] = dict.fromkeys(
        ["mean", "sd", "minimum", "maximum", "floor_percent", "ceiling_percent"], np.nan
    )
    if len(found):
        described = {
            "mean": found.mean(),
            "sd": found.std(ddof=1),
            "minimum": found.min(),
            "maximum": found.max(),
            "floor_percent": 100 * np.isclose(found, part["lowest"], atol=1e-9).mean(),
            "ceiling_percent": 100 * np.isclose(found, part["highest"], atol=1e-9).mean(),
        }
    counts = {
        "items": items.shape[1],
        "n_asked": len(items),
        "n": len(found),
        "n_prorated": int(partly.sum()),
        "alpha": alpha,
        "n_alpha": n_alpha,
    }
    return {key: part[key] for key in COLUMNS if key in part} | counts | described
