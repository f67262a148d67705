"""Planned subgroups: the arm's interaction with a baseline variable in the ANCOVA."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ccp_analysis.analyses.allocation import allocated
from ccp_analysis.analyses.design import ACTIVE, Sample, design, sample
from ccp_analysis.analyses.question import Question, fitted, require_comparable
from ccp_analysis.analyses.rows import Rows, complete, contrast_label, pooled_rows, with_note
from ccp_analysis.config.study import Study
from ccp_analysis.errors import StudyError
from ccp_analysis.groups import in_order
from ccp_analysis.models.inference import linear
from ccp_analysis.models.ols import OlsFit, fit_ols
from ccp_analysis.models.pooling_joint import pool_joint
from ccp_analysis.models.small_sample import JointTest
from ccp_analysis.refused import require_imputed
from ccp_analysis.results.terms import Inference, Model, Pooling, Status, Term

ON_OBSERVED = "on the observed data, as the imputation models have no such interaction"
TOWARDS_ZERO = (
    "the imputation models have no such interaction, which draws the imputed one towards zero"
)


def subgroup(study: Study, imputed: pd.DataFrame, data: str, ask: Question) -> Rows:
    """Return the interaction of arm and a variable, and the difference within its levels.

    A number has one interaction, per SD, and differences one SD below and above its mean; a
    category an interaction for each level but the first, a difference within each, and where there
    are three levels or more a joint test. The joint test is pooled over the imputations (D1) where
    people are the units; with clusters, or too few imputations, it is of the observed data. Where
    the contributions of clusters are averaged, all is: that rule needs every term of the analysis
    in the imputation models, which have no such interaction.
    """
    if data == "imputed" and ask.pooling == Pooling.AVERAGED:
        return with_note(subgroup(study, imputed, "observed", ask), ON_OBSERVED)
    variable = ask.subgroup
    if variable not in imputed:
        raise StudyError(
            f"config/analysis.yaml: the subgroup variable '{variable}' is not in the completed "
            "tables; expected a covariate or an auxiliary variable of the imputation."
        )
    chosen = _people(study, imputed, data, ask)
    if pd.api.types.is_numeric_dtype(imputed[variable]):
        return _by_number(study, chosen, ask)
    levels = in_order(chosen.first[variable])
    levels = [code for code in ask.codes if code in levels] or levels
    rows = _by_category(study, chosen, levels, ask)
    if len(levels) > 2:
        pooled = _pooled_joint(study, chosen, levels, ask)
        seen = _people(study, imputed, "observed", ask)
        rows += pooled or _joint(study, seen, levels, ask)
    return rows


def _people(study: Study, imputed: pd.DataFrame, data: str, ask: Question) -> Sample:
    needed = [ask.value, ask.baseline, *ask.covariates, ask.subgroup]
    completed = imputed.loc[imputed["imputation"] > 0, ask.subgroup]
    if data == "imputed":
        require_imputed(imputed, needed)
    if data == "imputed" and completed.isna().any():
        raise ValueError(
            f"the subgroup variable '{ask.subgroup}' has missing values that were not imputed; a "
            "complete variable is expected, or data: observed"
        )
    chosen = sample(study, imputed, data, needed)
    require_comparable(study, chosen, ask.value)
    return chosen


def _others(chosen: Sample, study: Study, ask: Question) -> tuple[np.ndarray, list[str]]:
    """Return the centred columns of the ANCOVA without the subgroup variable's own."""
    rest = [c for c in ask.covariates if c != ask.subgroup]
    plain = design(chosen, [ask.baseline, *rest], allocated(study).factors)
    return plain.X[..., 2:], plain.columns[2:]


def _by_number(study: Study, chosen: Sample, ask: Question) -> Rows:
    values = chosen.stacked(ask.subgroup)
    sd = float(np.sqrt(values.var(axis=1, ddof=1).mean()))
    if sd == 0:
        raise ValueError(f"'{ask.subgroup}' is the same for everyone")
    z = (values - values.mean()) / sd
    others, names = _others(chosen, study, ask)
    active = chosen.stacked(ACTIVE)
    own = np.stack([np.ones_like(z), active, active * z, z], axis=-1)
    X = np.concatenate([own, others], axis=-1)
    columns = ["Intercept", ACTIVE, f"{ACTIVE}:{ask.subgroup}", ask.subgroup, *names]
    fit = fitted(fit_ols, columns, X, chosen.stacked(ask.value))
    L = np.zeros((3, X.shape[-1]))
    L[0, 2] = 1.0
    L[1, 1:3], L[2, 1:3] = (1.0, -1.0), (1.0, 1.0)
    labels = [f"{ask.subgroup}, per SD"]
    labels += [f"{ask.subgroup}, 1 SD {side} the mean" for side in ("below", "above")]
    terms = [Term.INTERACTION, Term.WITHIN_SUBGROUP, Term.WITHIN_SUBGROUP]
    rows = _rows(study, chosen, fit, L, list(zip(terms, labels, strict=True)), ask)
    return with_note(rows, f"SD {sd:.4g}, mean {values.mean():.4g}")


def _by_category(study: Study, chosen: Sample, levels: list[str], ask: Question) -> Rows:
    fit, L = _category_fit(study, chosen, levels, ask)
    first, *rest = levels
    named = [(Term.INTERACTION, f"{ask.subgroup}, {code} - {first}") for code in rest]
    named += [(Term.WITHIN_SUBGROUP, f"{ask.subgroup}, {code}") for code in levels]
    rows = _rows(study, chosen, fit, L, named, ask)
    count = chosen.first[ask.subgroup].value_counts()
    for row, code in zip(rows[len(rest) :], levels, strict=True):
        # Imputed levels differ between the tables: the first is no better than another.
        row["n"] = None if chosen.imputed and _varies(chosen, ask.subgroup) else int(count[code])
    return rows


def _varies(chosen: Sample, variable: str) -> bool:
    values = chosen.frame[variable].to_numpy(dtype=str).reshape(chosen.m, chosen.n)
    return bool((values != values[0]).any())


def _category_fit(
    study: Study, chosen: Sample, levels: list[str], ask: Question
) -> tuple[OlsFit, np.ndarray]:
    """Fit a difference within each level; contrasts are the interactions, then the differences."""
    held = chosen.frame[ask.subgroup].to_numpy(dtype=str).reshape(chosen.m, chosen.n, 1)
    at = (held == np.array(levels, dtype=str)).astype(float)
    active = chosen.stacked(ACTIVE)[..., None]
    for position, code in enumerate(levels):
        for arm, inside in zip(study.arms.ordered, (1 - active, active), strict=True):
            if ((at * inside)[..., position].sum(axis=-1) == 0).any():
                label = study.arms.levels[arm]
                raise ValueError(f"nobody in the arm '{label}' has {ask.subgroup} {code}")
    others, names = _others(chosen, study, ask)
    dummies = at[..., 1:] - at[..., 1:].mean(axis=1, keepdims=True)
    X = np.concatenate([np.ones_like(active), active * at, dummies, others], axis=-1)
    columns = ["Intercept", *(f"{ACTIVE}, {code}" for code in levels), *levels[1:], *names]
    fit = fitted(fit_ols, columns, X, chosen.stacked(ask.value))
    k = len(levels)
    within = np.zeros((k, X.shape[-1]))
    within[:, 1 : k + 1] = np.eye(k)
    return fit, np.vstack([within[1:] - within[0], within])


def _rows(
    study: Study,
    chosen: Sample,
    fit: OlsFit,
    L: np.ndarray,
    named: Sequence[tuple[str, str]],
    ask: Question,
) -> Rows:
    inference, method = allocated(study).infer(chosen, fit, L, robust=ask.robust)
    rows = pooled_rows(chosen, inference, ask.level, needed=len(L), apart=True)
    for row, (term, label) in zip(rows, named, strict=True):
        row |= {"term": term, "level": contrast_label(study), "subgroup": label}
    rows = complete(rows, study, chosen, ask, Model.ANCOVA, method)
    return with_note(rows, TOWARDS_ZERO) if chosen.imputed else rows


def _pooled_joint(study: Study, chosen: Sample, levels: list[str], ask: Question) -> Rows:
    """Test all interactions at once over the imputations; nothing where that is not possible.

    A cluster-robust test has a statistic and degrees of freedom of its own kind, for which no rule
    of pooling is known, and with few clusters D1 has no reference distribution.
    """
    if study.clusters or ask.robust or not chosen.imputed:
        return []
    q = len(levels) - 1
    fit, L = _category_fit(study, chosen, levels, ask)
    covariances = fit.sigma2[..., None, None] * (L[:q] @ fit.bread @ L[:q].T)
    test = pool_joint(linear(L[:q], fit.coef), covariances, float(fit.df_resid))
    if not np.isfinite(test.statistic):
        return []
    row = _joint_row(study, test, ask) | {"note": "joint test pooled over imputations (D1)"}
    return with_note(complete([row], study, chosen, ask, Model.ANCOVA, Inference.D1), TOWARDS_ZERO)


def _joint_row(study: Study, test: JointTest, ask: Question) -> dict[str, Any]:
    return {
        "term": Term.INTERACTION,
        "level": contrast_label(study),
        "subgroup": f"{ask.subgroup}, all levels",
        "statistic": float(np.ravel(test.statistic)[0]),
        "df_num": test.df_num,
        "df": float(np.ravel(test.df)[0]),
        "p_value": float(np.ravel(test.p_value)[0]),
    }


def _joint(study: Study, seen: Sample, levels: list[str], ask: Question) -> Rows:
    """Test all interactions at once, on the observed data."""
    q = len(levels) - 1
    fit, L = _category_fit(study, seen, levels, ask)
    by_units = study.clusters is not None or ask.robust
    test = allocated(study).jointly(seen, fit, L[:q]) if by_units else _wald_f(fit, L[:q])
    row = _joint_row(study, test, ask) | {"note": "joint test on the observed data"}
    if not np.isfinite(row["statistic"]):
        few = f"too few {study.clusters.unit_label}s" if study.clusters else "too few people"
        why = test.used_up.sentence() if test.used_up is not None else ""
        row = {key: row[key] for key in ("term", "level", "subgroup")}
        row |= {"status": Status.REFUSED if why else Status.FAILED}
        row |= {"note": why or f"{few} for a joint test of {q} interactions"}
    method = Inference.AHT_F if by_units else Inference.F
    return complete([row], study, seen, ask, Model.ANCOVA, method)


def _wald_f(fit: OlsFit, L: np.ndarray) -> JointTest:
    """Return the classical F test that all contrasts are zero."""
    estimate = linear(L, fit.coef)
    solved = np.linalg.solve(L @ fit.bread @ L.T, estimate[..., None])[..., 0]
    statistic = (estimate * solved).sum(axis=-1) / len(L) / fit.sigma2
    df = np.full(statistic.shape, float(fit.df_resid))
    return JointTest(statistic, len(L), df, np.ones(statistic.shape))
