"""What drawn studies take from the actual one: people, teams, variances, losses, imputation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from ccp_analysis.analyses.allocation import allocated
from ccp_analysis.analyses.design import ACTIVE, Design, Sample, design
from ccp_analysis.analyses.models.team_means import teams_of
from ccp_analysis.analyses.planned import question_of, visit_of
from ccp_analysis.analyses.question import Question, least_squares, sample_for
from ccp_analysis.characteristics.trials import Layout
from ccp_analysis.config.instruments import Instrument
from ccp_analysis.config.models import Model
from ccp_analysis.config.plan import Analysis, Outcome
from ccp_analysis.config.trial import Trial
from ccp_analysis.imputation.matching import PER_DONOR
from ccp_analysis.models.absorbed import fit_absorbed, with_indicators
from ccp_analysis.models.glm import fit_glm
from ccp_analysis.models.intraclass import intraclass_interval
from ccp_analysis.models.ols import OlsFit, RankDeficientError, fit_ols
from ccp_analysis.models.random_intercept import fit_random_intercept
from ccp_analysis.results.terms import Role, Status

MODELS: tuple[str, ...] = (Model.ANCOVA, Model.MIXED, Model.TEAM_MEANS)
METHODS = ("norm", "lrd", "pmm")
LEAST = 2  # people of a team who are seen, where there were as many
USABLE = 0.95  # share of those lost who have a predictor that counts in drawn studies
DIRECTION = 1e-13  # of a team's design, beside its largest
MOST = 5_000_000  # numbers of a design that are fitted at once: 40 MB
SINGULAR = 1e-8  # of a column, what others and the teams leave of it


class NotDrawnError(ValueError):
    """Studies like the actual one cannot be drawn: a sentence says why."""


@dataclass(frozen=True)
class Share:
    """The intraclass correlation as estimated, and the limits of its interval."""

    estimate: float
    low: float
    high: float


@dataclass(frozen=True)
class Actual:
    """The actual study, as far as drawn ones are like it; n people.

    Attributes
    ----------
    outcome : Outcome
        A primary outcome of the plan.
    entry : Analysis
        Its primary analysis.
    entries : list of Analysis
        The analyses of the plan that drawn studies can have, that one first.
    asked : dict
        What each asks, by its id.
    people : Sample
        One completed table.
    design : Design
        Of that table: X has shape (1, n, p).
    layout : Layout
        Teams; without clusters the arms.
    sd : float
        Residual standard deviation, teams included, in units of the outcome.
    icc : Share
        Share of its square that lies between teams.
    expected : numpy.ndarray
        Mean in the reference arm in residual SDs, shape (n,).
    chance : numpy.ndarray
        Chance of being lost, shape (n,).
    losses : str
        How that was estimated.
    least : int
        People of a team who are seen.
    auxiliary : float
        Correlation with the residual of the other predictors of the imputation model, as one score.
    method : str
        By which the outcome is imputed; empty where nothing is missing.
    donors, m : int
        Donors of an imputation, and imputations.
    difference : float or None
        The one that matters, or that was planned for, in units of the outcome.
    """

    outcome: Outcome
    entry: Analysis
    entries: list[Analysis]
    asked: dict[str, Question]
    people: Sample
    design: Design
    layout: Layout
    sd: float
    icc: Share
    expected: np.ndarray
    chance: np.ndarray
    losses: str
    least: int
    auxiliary: float
    method: str
    donors: int
    m: int
    difference: float | None

    @property
    def X(self) -> np.ndarray:
        """The design that all drawn studies share, shape (n, p)."""
        return self.design.X[0]

    @cached_property
    def condensed(self) -> Condensed:
        """The design in as many rows of each team as its columns differ in there."""
        return condense(self.X, self.layout.team)


@dataclass(frozen=True)
class Condensed:
    """People of a team turned into fewer rows, in which a fit has the same sums by team.

    What the turned outcomes leave out is orthogonal to the design within every team, so that
    coefficients, scores by team and all that CR2 and Satterthwaite's degrees of freedom are made of
    stay as they are; residual variances do not.

    Attributes
    ----------
    X, team : numpy.ndarray
        Design and team of each row, shapes (r, p) and (r,).
    rows, turns : list of numpy.ndarray
        Of each team its people, and what turns their outcomes, shape (people, rows).
    """

    X: np.ndarray
    team: np.ndarray
    rows: list[np.ndarray]
    turns: list[np.ndarray]

    def outcomes(self, y: np.ndarray) -> np.ndarray:
        """Turn outcomes of people (..., n) into those of the rows (..., r)."""
        parts = zip(self.rows, self.turns, strict=True)
        return np.concatenate([y[..., rows] @ turn for rows, turn in parts], axis=-1)


def condense(X: np.ndarray, team: np.ndarray) -> Condensed:
    """Turn the rows of each team of a design (n, p) by its own singular vectors."""
    rows = [np.flatnonzero(team == code) for code in range(int(team.max()) + 1)]
    found, turns = [], []
    for own in rows:
        left, size, right = np.linalg.svd(X[own], full_matrices=False)
        kept = size > DIRECTION * size[0]
        found.append(size[kept, None] * right[kept])
        turns.append(left[:, kept])
    team = np.repeat(np.arange(len(rows)), [len(part) for part in found])
    return Condensed(np.concatenate(found), team, rows, turns)


def primary_of(trial: Trial) -> list[tuple[Outcome, Analysis]]:
    """Return the primary outcomes with their primary analysis."""
    plan, found = trial.plan, []
    for outcome in (o for o in plan.outcomes if o.role == Role.PRIMARY):
        own = [
            a for a in plan.analyses if a.role == Role.PRIMARY and outcome in plan.outcomes_of(a)
        ]
        found += [(outcome, entry) for entry in own[:1]]
    return found


def actual(
    trial: Trial, outcome: Outcome, entry: Analysis, tables: pd.DataFrame, models: pd.DataFrame
) -> Actual:
    """Estimate what drawn studies are to be like.

    Parameters
    ----------
    trial : Trial
        Configuration.
    outcome, entry
        Primary outcome and analysis.
    tables : pandas.DataFrame
        Imputations 0 (observed) to m.
    models : pandas.DataFrame
        Method and predictors of every imputed variable.

    Raises
    ------
    NotDrawnError
        If such studies cannot be drawn.
    """
    study, plan = trial.study, trial.plan
    if entry.model not in MODELS:
        listed = ", ".join(MODELS)
        raise NotDrawnError(
            f"studies are drawn for the models {listed}, and '{entry.id}' is by {entry.model}"
        )
    asked = {a.id: _question(trial, a, outcome) for a in _alike(trial, outcome, entry)}
    ask = asked[entry.id]
    every = sample_for(study, tables, "imputed", ask)
    factors = allocated(study).factors
    completed = design(every, [ask.baseline, *ask.covariates], factors)
    fits = least_squares(completed, every.stacked(ask.value))
    people = replace(every, frame=every.first, m=1)
    own = design(people, [ask.baseline, *ask.covariates], factors)
    layout = _layout(trial, people)
    sd, icc = _variances(trial, completed, fits, layout)
    observed = tables[tables["imputation"] == 0].set_index("participant")[ask.value]
    lost = observed.loc[people.frame["participant"]].isna().to_numpy()
    chance, losses = _chances(own, lost)
    seen = np.bincount(layout.team[~lost], minlength=len(layout.pair))
    method, auxiliary, donors = "", 0.0, 0
    if lost.any():
        method = str(models.loc[models["variable"] == ask.value, "method"].iloc[0])
        if method not in METHODS or plan.imputation.by_arm or seen.min() < 1:
            raise NotDrawnError(
                f"studies are drawn whose outcome is imputed in both arms together by "
                f"{', '.join(METHODS)}, with somebody of every team seen; not so '{outcome.id}'"
            )
        auxiliary = _auxiliary(every, own, layout, ask, models)
        donors = max(1, min(plan.imputation.donors, int((~lost).sum()) // PER_DONOR))
    return Actual(
        outcome=outcome,
        entry=entry,
        entries=_alike(trial, outcome, entry),
        asked=asked,
        people=people,
        design=own,
        layout=layout,
        sd=sd,
        icc=icc,
        expected=_expected(own, fits) / sd,
        chance=chance,
        losses=losses,
        least=min(LEAST, int(seen.min())),
        auxiliary=auxiliary,
        method=method,
        donors=donors,
        m=every.m,
        difference=difference_of(trial, outcome),
    )


def difference_of(trial: Trial, outcome: Outcome) -> float | None:
    """Return the difference that matters, or that was planned for; None where none is known."""
    instrument: Instrument | None = trial.instruments.get(outcome.id)
    if instrument is not None and instrument.mcid:
        return instrument.mcid
    planned = trial.plan.planned
    return planned.difference if planned and planned.outcome == outcome.id else None


def _alike(trial: Trial, outcome: Outcome, entry: Analysis) -> list[Analysis]:
    """Return the analyses of an outcome at its visit that can be drawn, the primary one first.

    A mixed model of observed data has rows of its own in every study, and is left out for its time.
    """
    found = [
        one
        for one in trial.plan.analyses
        if one.model in MODELS
        and outcome in trial.plan.outcomes_of(one)
        and visit_of(one) == visit_of(entry)
        and not (Model(one.model).spec.clusters and trial.study.clusters is None)
        and (one.id == entry.id or (one.model, one.data) != (Model.MIXED, "observed"))
    ]
    return sorted(found, key=lambda one: one.id != entry.id)


def _question(trial: Trial, entry: Analysis, outcome: Outcome) -> Question:
    parts = (trial.plan, trial.study, entry, outcome, trial.instruments, trial.dictionary)
    return question_of(*parts)


def _layout(trial: Trial, people: Sample) -> Layout:
    if trial.study.clusters is None:
        arm = people.frame[ACTIVE].to_numpy(dtype=int)
        return Layout(arm, np.zeros(2, dtype=int), np.arange(2))
    _, team, pair, arm = teams_of(trial.study, people)
    return Layout(team, pair, arm)


def _expected(own: Design, fits: OlsFit) -> np.ndarray:
    """Return the mean of everyone in the reference arm, coefficients averaged over the tables."""
    coef = fits.coef.mean(axis=0)
    if fits.absorbed is None:
        coef[1] = 0.0
        return own.X[0] @ coef
    effects = fits.absorbed.effects.mean(axis=0)[fits.absorbed.groups.codes]
    return effects + own.own[0][:, 2:] @ coef[2:]


def _variances(
    trial: Trial, completed: Design, fits: OlsFit, layout: Layout
) -> tuple[float, Share]:
    """Return residual SD and intraclass correlation, variances averaged over the imputations."""
    if trial.study.clusters is None:
        return float(np.mean(fits.sigma2)) ** 0.5, Share(0.0, 0.0, 0.0)
    y, size = fits.residuals, len(fits.residuals)
    # Some tables at a time, as the design has a column for every pair.
    some = max(1, MOST // completed.X[0].size)
    parts = [slice(k, k + some) for k in range(0, size, some)]
    mixed = [fit_random_intercept(completed.X[at], y[at], layout.team) for at in parts]
    known = np.concatenate([one.status != Status.FAILED for one in mixed])
    if not known.any():
        raise NotDrawnError(f"the variance between clusters is not known: {mixed[0].note.flat[0]}")
    between = float(np.mean(np.concatenate([one.var_group for one in mixed])[known]))
    within = float(np.mean(np.concatenate([one.var_resid for one in mixed])[known]))
    try:
        limits = intraclass_interval(fits, layout.team, trial.plan.confidence_level)
    except ValueError as error:
        raise NotDrawnError(f"the variance between clusters is not known: {error}") from error
    total = between + within
    return total**0.5, Share(between / total, limits.low, limits.high)


def person_columns(own: Design) -> np.ndarray:
    """Return the positions of what a design has of people: neither arm nor pair."""
    return np.array(
        [k for k, name in enumerate(own.columns) if k > 1 and not name.startswith("C(")], dtype=int
    )


def _chances(own: Design, lost: np.ndarray) -> tuple[np.ndarray, str]:
    """Return chances of loss by a logistic regression on the analysis's own variables."""
    X = own.X[0][:, [0, 1, *person_columns(own)]]
    if not lost.any():
        return np.zeros(len(lost)), "nobody was lost"
    try:
        fit = fit_glm(X, lost.astype(float), "binomial")
        if fit.status == Status.OK:
            return fit.fitted, "by a logistic regression on arm, baseline and covariates"
    except (RankDeficientError, ValueError):
        pass
    active = X[:, 1] > 0
    shares = [lost[active == arm].mean() for arm in (False, True)]
    return np.where(active, shares[1], shares[0]), "by the share of each arm"


def within_teams(columns: np.ndarray, layout: Layout) -> np.ndarray:
    """Return the positions of columns (n, q) that vary within teams and add to those before."""
    means = layout.teams.T @ columns / layout.sizes[:, None]
    apart = columns - means[layout.team]
    size = np.linalg.norm(columns, axis=0)
    left = np.abs(np.diagonal(np.linalg.qr(apart, mode="r")))
    return np.flatnonzero(left > SINGULAR * np.where(size > 0, size, 1.0))


def _auxiliary(
    every: Sample, own: Design, layout: Layout, ask: Question, models: pd.DataFrame
) -> float:
    """Return the partial multiple correlation of the imputation model's other predictors."""
    rows = models[models["variable"] == ask.value]
    rows = rows[pd.to_numeric(rows["usable_share"], errors="coerce") >= USABLE]
    known = {ask.baseline, *ask.covariates}
    frame = every.frame
    others = [
        name
        for name in rows["predictor"].unique()
        if name not in known and name in frame and pd.api.types.is_numeric_dtype(frame[name])
    ]
    if not others:
        return 0.0
    further = np.stack([every.stacked(name) for name in others], axis=-1)
    X = own.X[0][:, person_columns(own)]
    base = np.column_stack([np.ones(layout.n), X[:, within_teams(X, layout)]])
    base = np.broadcast_to(base, (every.m, *base.shape))
    y = every.stacked(ask.value)
    try:
        fits = [
            fit_absorbed(Z, y, layout.team) or fit_ols(with_indicators(Z, layout.team), y)
            for Z in (base, np.concatenate([base, further], axis=-1))
        ]
    except ValueError:
        return 0.0
    ratio = np.nanmean(fits[1].sigma2 / fits[0].sigma2)  # one less the adjusted partial R squared
    return float(np.sqrt(np.clip(1.0 - ratio, 0.0, 0.99)))
