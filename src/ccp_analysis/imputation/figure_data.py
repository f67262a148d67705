"""What can be seen of an imputation: traces, values, patterns, and who is missing."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ccp_analysis.config.study import Study
from ccp_analysis.groups import in_order
from ccp_analysis.imputation import Imputed
from ccp_analysis.imputation.encoding import Encoded
from ccp_analysis.imputation.plan import Variable

SHOWN = 20  # imputations of which the values are kept for figures


def traces(
    study: Study, variables: list[Variable], encoded: Encoded, result: Imputed
) -> pd.DataFrame:
    """Return mean and SD of the imputed values at every iteration, of every chain.

    Parameters
    ----------
    study, variables, encoded, result
        The imputation.

    Returns
    -------
    pandas.DataFrame
        variable, level (of a category), iteration and chain (from 1), mean, sd, data_status. Of a
        category the mean is the share of the level.
    """
    iterations, _, m = result.chain_mean.shape
    parts = []
    for column, owner in enumerate(encoded.owner):
        mean, sd = result.chain_mean[:, column], result.chain_sd[:, column]
        if np.isnan(mean).all():
            continue
        parts.append(
            pd.DataFrame(
                {
                    "variable": variables[owner].name,
                    "level": encoded.levels[column],
                    "iteration": np.repeat(np.arange(1, iterations + 1), m),
                    "chain": np.tile(np.arange(1, m + 1), iterations),
                    "mean": mean.ravel(),
                    "sd": sd.ravel(),
                    "data_status": study.data_status,
                }
            )
        )
    columns = ["variable", "level", "iteration", "chain", "mean", "sd", "data_status"]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)


def values(study: Study, variables: list[Variable], completed: pd.DataFrame) -> pd.DataFrame:
    """Count the observed and the imputed values of every incomplete variable.

    Parameters
    ----------
    study, variables
        The imputation.
    completed : pandas.DataFrame
        Imputations 0 (observed) to m, same people in the same order.

    Returns
    -------
    pandas.DataFrame
        variable, imputation (0 is what was observed, then what was filled in in the first
        `SHOWN`), value (of a number), level (of a category), people, data_status.
    """
    observed = completed[completed["imputation"] == 0]
    numbers = range(min(SHOWN, completed["imputation"].max()) + 1)
    parts: dict[str, list] = {name: [] for name in ("variable", "imputation", "value", "level")}
    people: list[np.ndarray] = []
    for variable in variables:
        missing = observed[variable.name].isna().to_numpy()
        if not missing.any():
            continue
        tables = completed[variable.name].to_numpy()[: len(missing) * len(numbers)]
        for number, table in zip(numbers, tables.reshape(-1, len(missing)), strict=True):
            shown = table[missing] if number else table
            found, counts = np.unique(shown[pd.notna(shown)], return_counts=True)
            category, k = bool(variable.codes), len(found)
            parts["variable"] += [variable.name] * k
            parts["imputation"] += [number] * k
            parts["value"] += [np.nan] * k if category else found.tolist()
            parts["level"] += found.tolist() if category else [""] * k
            people.append(counts)
    counted = np.concatenate(people) if people else np.empty(0, dtype=int)
    return pd.DataFrame(parts).assign(people=counted, data_status=study.data_status)


def patterns(study: Study, variables: list[Variable], people: pd.DataFrame) -> pd.DataFrame:
    """Count the patterns of missing values.

    Parameters
    ----------
    study, variables
        The imputation.
    people : pandas.DataFrame
        Everyone whose data are completed.

    Returns
    -------
    pandas.DataFrame
        pattern (from 1, the most frequent first), people, missing (number of variables missing in
        it), variable, observed, data_status; a row for each pattern and incomplete variable.
    """
    names = [v.name for v in variables if people[v.name].isna().any()]
    if not names:
        columns = ["pattern", "people", "missing", "variable", "observed", "data_status"]
        return pd.DataFrame(columns=columns)
    there = people[names].notna().to_numpy()
    kinds, counts = np.unique(there, axis=0, return_counts=True)
    lacking = (~kinds).sum(axis=1)
    order = np.lexsort([np.arange(len(kinds)), lacking, -counts])
    k, v = kinds.shape
    return pd.DataFrame(
        {
            "pattern": np.repeat(np.arange(1, k + 1), v),
            "people": np.repeat(counts[order], v),
            "missing": np.repeat(lacking[order], v),
            "variable": np.tile(np.array(names, dtype=object), k),
            "observed": kinds[order].ravel(),
            "data_status": study.data_status,
        }
    )


def losses(
    study: Study, people: pd.DataFrame, characteristics: list[str], clusters: list[str]
) -> pd.DataFrame:
    """Compare those seen at a follow-up with those lost to it.

    Parameters
    ----------
    study : Study
        Visits and arms.
    people : pandas.DataFrame
        Everyone with a baseline interview.
    characteristics : list of str
        Baseline variables; numbers or categories.
    clusters : list of str
        Design variables (arm, pair, cluster), of which shares are given.

    Returns
    -------
    pandas.DataFrame
        visit, characteristic, level (of a category), n_seen and n_lost (with a value), seen and
        lost (mean, or share of the level), sd (over both, pooled), difference (lost less seen, in
        SDs; Austin 2009, Stat Med 28:3083-3107), people and people_lost (of the level, or with a
        value), lost_share (of the people of the level, how many are lost), data_status.
    """
    rows = []
    for visit in study.follow_ups:
        seen = people[f"interviewed_{visit.id}"].to_numpy(dtype=bool)
        for name in [*clusters, *characteristics]:
            column = people[name]
            if pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column):
                rows.append({**_compared(column, seen), "visit": visit.id, "characteristic": name})
                continue
            for level in in_order(column):
                share = (column == level).astype(float).where(column.notna())
                row = _compared(share, seen)
                inside = (share == 1).to_numpy()
                row |= {"people": inside.sum(), "people_lost": (inside & ~seen).sum()}
                row["lost_share"] = float((~seen)[inside].mean())
                rows.append({**row, "visit": visit.id, "characteristic": name, "level": level})
    columns = ["visit", "characteristic", "level", "n_seen", "n_lost", "seen", "lost", "sd"]
    counted = ["people", "people_lost", "lost_share"]
    table = pd.DataFrame(rows, columns=[*columns, "difference", *counted])
    return table.assign(level=table["level"].fillna(""), data_status=study.data_status)


def _compared(column: pd.Series, seen: np.ndarray) -> dict[str, float]:
    """Return counts, means, pooled SD and standardised difference of two groups."""
    here, away = (column[group].dropna().to_numpy(dtype=float) for group in (seen, ~seen))
    spread = [group.var(ddof=1) if len(group) > 1 else np.nan for group in (here, away)]
    sd = float(np.sqrt(np.mean(spread)))
    mean = [float(group.mean()) if len(group) else np.nan for group in (here, away)]
    apart = (mean[1] - mean[0]) / sd if sd > 0 else np.nan
    return {
        "n_seen": len(here),
        "n_lost": len(away),
        "seen": mean[0],
        "lost": mean[1],
        "sd": sd,
        "difference": apart,
        "people": len(here) + len(away),
        "people_lost": len(away),
    }
