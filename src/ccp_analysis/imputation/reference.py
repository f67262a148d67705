"""Reference-based imputation: what became of people after they were lost, assumed and not observed.

A multivariate normal model of all follow-ups is fitted by REML to what was observed. For somebody
whose visits end early, a strategy says which mean the missing ones have; given that mean and the
common covariance they are imputed conditionally on the person's observed visits, by their
expectation or by random draws.

Strategies: missing at random (MAR); jump to reference (JR), copy reference (CR), copy increments in
reference (CIR) and last mean carried forward (LMCF) of Carpenter, Roger & Kenward (2013, J Biopharm
Stat 23:1352-1371); conditional means as in Wolbers et al. (2022, Pharm Stat 21:1246-1257).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ccp_analysis.groups import groups
from ccp_analysis.models.absorbed import fit_absorbed
from ccp_analysis.models.mixed import MixedFit, fit_mixed
from ccp_analysis.models.ols import OlsFit, fit_ols, independent_columns

STRATEGIES = {
    "MAR": "missing at random",
    "JR": "jump to reference",
    "CR": "copy reference",
    "CIR": "copy increments in reference",
    "LMCF": "last mean carried forward",
}


@dataclass(frozen=True)
class People:
    """What the imputation knows of n people with v follow-up visits.

    Attributes
    ----------
    outcome : numpy.ndarray
        Shape (n, v); NaN is missing.
    active : numpy.ndarray of bool
        Whether in the arm that is not the reference, shape (n,).
    by_visit, common : numpy.ndarray
        Complete covariates with a slope at every visit, shape (n, q), and with one slope for all
        visits, shape (n, r).
    team, pair : numpy.ndarray of int or None
        Unit of allocation and pair of units of each person, shape (n,). With teams, every team has
        a mean of its own at every visit.
    """

    outcome: np.ndarray
    active: np.ndarray
    by_visit: np.ndarray
    common: np.ndarray
    team: np.ndarray | None = None
    pair: np.ndarray | None = None

    @property
    def visits(self) -> int:
        """Number of visits, v."""
        return self.outcome.shape[1]

    def take(self, kept: np.ndarray) -> People:
        """Return some of the people, by index."""
        return People(
            self.outcome[kept],
            self.active[kept],
            self.by_visit[kept],
            self.common[kept],
            None if self.team is None else self.team[kept],
            None if self.pair is None else self.pair[kept],
        )


@dataclass(frozen=True)
class Parameters:
    """Values of a model's parameters.

    Attributes
    ----------
    coef : numpy.ndarray
        Shape (..., p).
    covariance : numpy.ndarray
        Of a person's visits, shape (..., v, v).
    """

    coef: np.ndarray
    covariance: np.ndarray


@dataclass(frozen=True)
class NormalModel:
    """A multivariate normal model of the visits, fitted.

    Attributes
    ----------
    people : People
        To whom it was fitted.
    columns : numpy.ndarray or None
        Design of everybody at every visit, shape (n, v, p), where nothing is absorbed.
    contrast : numpy.ndarray
        Active arm minus reference arm at every visit, shape (v, p). With teams, the mean over the
        pairs of the difference between their teams.
    estimate : Parameters
        Without leading axes.
    fit : MixedFit or OlsFit
        Where they come from; least squares where there is a single visit, with teams absorbed
        where they can be.
    """

    people: People
    columns: np.ndarray | None
    contrast: np.ndarray
    estimate: Parameters
    fit: MixedFit | OlsFit

    @property
    def design(self) -> np.ndarray:
        """Design of everybody at every visit, shape (n, v, p)."""
        return _means(self.people)[0] if self.columns is None else self.columns

    def means(self, coef: np.ndarray) -> np.ndarray:
        """Return everybody's means at the visits by coefficients (..., p), shape (..., n, v)."""
        if self.columns is not None:
            return (self.columns @ coef[..., None, :, None])[..., 0]
        teams = groups(self.people.team)
        slopes = coef[..., len(teams.names) :]
        own = np.concatenate([self.people.by_visit, self.people.common], axis=1)
        return (coef[..., teams.codes] + slopes @ own.T)[..., None]

    @property
    def whole(self) -> MixedFit | OlsFit:
        """The fit with nothing absorbed."""
        if not isinstance(self.fit, OlsFit) or self.fit.absorbed is None:
            return self.fit
        seen = ~np.isnan(self.people.outcome)
        return fit_ols(self.design[seen], self.people.outcome[seen])


def fit_normal_model(people: People) -> NormalModel:
    """Fit means for arm (or team) and visit, covariates, and one unstructured covariance by REML.

    Parameters
    ----------
    people : People
        Everybody; those with no visit observed are left out of the fit and can be imputed.

    Returns
    -------
    NormalModel

    Raises
    ------
    ValueError
        If an arm or a team was not observed at a visit, or the model cannot be fitted.

    Notes
    -----
    Without teams this is rbmi's imputation model with a common covariance. With teams, fixed
    effects of team and visit stand for the arm: a missing person keeps the team's own mean, however
    few the teams, where a predicted random effect would shrink to nothing in the many data sets in
    which the variance between few teams is estimated at zero.
    """
    seen = ~np.isnan(people.outcome)
    if seen.any() and (absorbed := _absorbing(people)) is not None:
        return absorbed
    design, contrast = _means(people)
    if not seen.any():
        raise ValueError("nobody was observed at any visit")
    rows, outcome = design[seen], people.outcome[seen]
    kept = independent_columns(rows)
    if not np.isin(np.flatnonzero(contrast.any(axis=0)), kept).all():
        what = "an arm" if people.team is None else "a team"
        raise ValueError(f"{what} has nobody who was observed at one of the visits")
    design, contrast, rows = design[..., kept], contrast[:, kept], rows[:, kept]
    person, visit = np.nonzero(seen)
    fit: OlsFit | MixedFit = (
        fit_mixed(rows, outcome, person, visit) if people.visits > 1 else fit_ols(rows, outcome)
    )
    if fit.status == "failed":
        raise ValueError(f"the imputation model was not fitted: {fit.note}")
    covariance = fit.sigma2.reshape(1, 1) if isinstance(fit, OlsFit) else fit.covariance
    return NormalModel(people, design, contrast, Parameters(fit.coef, covariance), fit)


def _absorbing(people: People) -> NormalModel | None:
    """Fit a single visit with teams absorbed; None where that is not enough to see a fault."""
    seen = ~np.isnan(people.outcome[:, 0])
    if people.visits > 1 or people.team is None:
        return None
    teams = groups(people.team)
    count, codes = len(teams.names), teams.codes
    W = np.concatenate([np.ones((len(seen), 1)), people.by_visit, people.common], axis=1)
    if count < 2 or len(np.unique(codes[seen])) < count or W.shape[1] < 2:
        return None
    fit = fit_absorbed(W[seen], people.outcome[seen, 0], codes[seen])
    if fit is None or fit.absorbed is None:
        return None
    coef = np.concatenate([fit.absorbed.effects, fit.coef[1:]])
    contrast = np.zeros((1, len(coef)))
    of_pairs = teams.within(groups(people.pair))
    contrast[0, :count] = _pair_contrast(people.active[teams.first], of_pairs)
    estimate = Parameters(coef, fit.sigma2.reshape(1, 1))
    return NormalModel(people, None, contrast, estimate, fit)


def _means(people: People) -> tuple[np.ndarray, np.ndarray]:
    """Return the design (n, v, p) and the contrast between the arms at every visit (v, p)."""
    n, v = people.outcome.shape
    if people.team is None:
        levels = np.column_stack([np.ones(n), people.active])
        difference = np.array([0.0, 1.0])
    else:
        teams, pairs = groups(people.team), groups(people.pair)
        levels = teams.indicators
        difference = _pair_contrast(people.active[teams.first], teams.within(pairs))
    own = np.concatenate([levels, people.by_visit], axis=1)
    q, r = own.shape[1], people.common.shape[1]
    design, contrast = np.zeros((n, v, v * q + r)), np.zeros((v, v * q + r))
    for k in range(v):
        design[:, k, k * q : (k + 1) * q] = own
        contrast[k, k * q : k * q + len(difference)] = difference
    design[:, :, v * q :] = people.common[:, None, :]
    return design, contrast


def _pair_contrast(active: np.ndarray, pair: np.ndarray) -> np.ndarray:
    """Return the weights of teams, shape (G,), in the mean difference within pairs."""
    pairs = np.unique(pair)
    weights = np.zeros(len(pair))
    for one in pairs:
        for arm, sign in ((True, 1.0), (False, -1.0)):
            inside = (pair == one) & (active == arm)
            if not inside.any():
                raise ValueError("every pair of teams must hold both arms")
            weights[inside] = sign / (inside.sum() * len(pairs))
    return weights


def event_visits(attended: np.ndarray) -> np.ndarray:
    """Return the first visit after the last one attended.

    Parameters
    ----------
    attended : numpy.ndarray of bool
        Shape (n, v).

    Returns
    -------
    numpy.ndarray of int
        Position of the intercurrent event, shape (n,): 0 for those who never came, v for those who
        came to the end.
    """
    v = attended.shape[1]
    return np.where(attended.any(axis=1), v - np.argmax(attended[:, ::-1], axis=1), 0)


def strategy_means(
    own: np.ndarray, reference: np.ndarray, event: np.ndarray, strategy: np.ndarray
) -> np.ndarray:
    """Return the mean that each person's visits are assumed to have.

    Parameters
    ----------
    own, reference : numpy.ndarray
        Means under the person's own arm and under the reference arm, shape (..., n, v).
    event : numpy.ndarray of int
        As from `event_visits`, shape (n,).
    strategy : numpy.ndarray of str
        Of each person, keys of `STRATEGIES`, shape (n,). It matters only where there is an event.

    Returns
    -------
    numpy.ndarray
        Shape (..., n, v).

    Raises
    ------
    ValueError
        If a strategy is unknown, or LMCF is asked for where no visit was observed.

    Notes
    -----
    With event d (visits from 0), own mean m and reference mean r: JR is m before d and r from d on;
    CR is r throughout; CIR is m before d and r_k + m_(d-1) - r_(d-1) from d on, which for d = 0 is
    r, the arms being alike before treatment; LMCF is m before d and m_(d-1) from d on.
    """
    for name in np.unique(strategy):
        if name not in STRATEGIES:
            raise ValueError(f"the strategy is one of {', '.join(STRATEGIES)}, not {name}")
    v = own.shape[-1]
    lost = event < v
    nothing = lost & (event == 0) & (strategy == "LMCF")
    if nothing.any():
        raise ValueError(
            f"last mean carried forward is not possible: {int(nothing.sum())} of the people have "
            "no observed follow-up whose mean could be carried forward"
        )
    after = np.arange(v) >= event[:, None]
    last = np.maximum(event - 1, 0)[:, None]
    at_last = np.broadcast_to(last, (*own.shape[:-1], 1))
    gain = np.take_along_axis(own - reference, at_last, axis=-1)
    gain = np.where(event[:, None] == 0, 0.0, gain)
    carried = np.take_along_axis(own, at_last, axis=-1)
    assumed = {
        "JR": np.where(after, reference, own),
        "CR": reference,
        "CIR": np.where(after, reference + gain, own),
        "LMCF": np.where(after, carried, own),
    }
    means = own
    for name, mean in assumed.items():
        means = np.where((lost & (strategy == name))[:, None], mean, means)
    return means


def complete_outcomes(
    model: NormalModel,
    event: np.ndarray,
    strategy: np.ndarray,
    parameters: Parameters | None = None,
    rng: np.random.Generator | None = None,
) -> np.ndarray:
    """Impute what is missing given what was observed.

    Parameters
    ----------
    model : NormalModel
        Model and people.
    event, strategy : numpy.ndarray
        As for `strategy_means`, shape (n,).
    parameters : Parameters, optional
        Values to impute from, with any leading axes; the estimates by default.
    rng : numpy.random.Generator, optional
        Draws from the conditional distribution; without it the conditional mean is taken.

    Returns
    -------
    numpy.ndarray
        Outcomes, shape (..., n, v); observed values as they are.

    Raises
    ------
    ValueError
        As `strategy_means`.
    """
    parameters = parameters or model.estimate
    people, own = model.people, model.means(parameters.coef)
    difference = (model.contrast @ parameters.coef[..., None])[..., 0]
    reference = own - people.active[:, None] * difference[..., None, :]
    mean = strategy_means(own, reference, event, strategy)
    completed = np.where(np.isnan(people.outcome), mean, people.outcome)
    noise = None if rng is None else rng.standard_normal(completed.shape)
    for who, seen in _patterns(people.outcome):
        completed[..., who[:, None], np.flatnonzero(~seen)] = _given(
            mean[..., who, :],
            people.outcome[who],
            parameters.covariance,
            seen,
            None if noise is None else noise[..., who, :][..., ~seen],
        )
    return completed


def _patterns(outcome: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the people and the visits seen of every pattern that has a gap."""
    seen = ~np.isnan(outcome)
    patterns, code = np.unique(seen, axis=0, return_inverse=True)
    code = code.reshape(-1)
    return [(np.flatnonzero(code == k), p) for k, p in enumerate(patterns) if not p.all()]


def _given(
    mean: np.ndarray,
    outcome: np.ndarray,
    covariance: np.ndarray,
    seen: np.ndarray,
    noise: np.ndarray | None,
) -> np.ndarray:
    """Return missing visits given observed ones, for people of one pattern: (..., k, missing)."""
    gone = ~seen
    between = covariance[..., seen, :][..., :, gone]
    slopes = np.linalg.solve(covariance[..., seen, :][..., :, seen], between)
    found = mean[..., gone] + (outcome[:, seen] - mean[..., seen]) @ slopes
    if noise is None:
        return found
    left = covariance[..., gone, :][..., :, gone] - np.swapaxes(between, -1, -2) @ slopes
    return found + noise @ np.swapaxes(np.linalg.cholesky(left), -1, -2)
