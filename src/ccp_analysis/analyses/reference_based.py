"""Reference-based imputation analysed: jackknife of conditional means, Rubin's rules over draws."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from ccp_analysis.analyses.allocation import allocated, require_inference
from ccp_analysis.analyses.design import Sample, design, sample
from ccp_analysis.analyses.jackknife import arm_means, jackknife
from ccp_analysis.analyses.lost import delta_by_person, existing, strategy_by_person
from ccp_analysis.analyses.question import Question, least_squares, require_comparable
from ccp_analysis.analyses.rows import Rows, arm_rows, complete, contrast_label, with_note
from ccp_analysis.config.sensitivity import ReferenceBased, Scenario
from ccp_analysis.config.study import Study, Visit
from ccp_analysis.errors import StudyError
from ccp_analysis.imputation.posterior import draw_parameters
from ccp_analysis.imputation.reference import (
    STRATEGIES,
    NormalModel,
    Parameters,
    People,
    complete_outcomes,
    event_visits,
    fit_normal_model,
)
from ccp_analysis.layout import PLAN
from ccp_analysis.models.inference import Inference
from ccp_analysis.results import terms
from ccp_analysis.results.terms import Model, Status, Term

REPEATED = (
    "repeated-sampling variance: how the estimate would vary from study to study (jackknife, one "
    "{unit} left out at a time)"
)
ANCHORED = (
    "information-anchored variance: missing values count no more than at random (Rubin's rules "
    "over random draws)"
)

# Share of the largest value by which values may differ and count as the same. Groups name rows: far
# from rounding and from what anybody assumes, every processor makes the same ones.
ALIKE = 1e-9


@dataclass(frozen=True)
class Problem:
    """An outcome with its follow-ups, and what is assumed of those who were lost.

    Attributes
    ----------
    chosen : list of Sample
        Of every follow-up the completed tables, for covariates and design: of everybody, less
        those whose outcome does not exist then.
    people : People
        Outcomes as observed; covariates averaged over the imputations.
    event : numpy.ndarray of int
        As from `event_visits`, shape (n,).
    strategies : numpy.ndarray of str
        Shape (scenarios, n).
    deltas : numpy.ndarray
        Added to what is imputed, shape (scenarios, n).
    base : Sample
        Completed tables of everybody.
    exists : numpy.ndarray of bool
        Whether there is an outcome, observed or not, shape (n, v).
    known : numpy.ndarray, optional
        What is added to the sum over the visits, shape (n,), if that is compared: v is one then.
    """

    chosen: list[Sample]
    people: People
    event: np.ndarray
    strategies: np.ndarray
    deltas: np.ndarray
    base: Sample
    exists: np.ndarray
    known: np.ndarray | None = None

    def completed(
        self,
        model: NormalModel,
        scenario: int,
        kept: np.ndarray | None = None,
        parameters: Parameters | None = None,
        rng: np.random.Generator | None = None,
    ) -> np.ndarray:
        """Return outcomes (..., n, v) under a scenario, of everybody or of those kept."""
        kept = np.arange(len(self.event)) if kept is None else kept
        gone = np.isnan(model.people.outcome)
        found = complete_outcomes(
            model, self.event[kept], self.strategies[scenario][kept], parameters, rng
        )
        found = found + np.where(gone, self.deltas[scenario][kept, None], 0.0)
        if self.known is None:
            return found
        return found.sum(axis=-1, keepdims=True) + self.known[kept, None]


def reference_rows(
    entry: ReferenceBased,
    study: Study,
    tables: pd.DataFrame,
    participants: pd.DataFrame,
    ask: Question,
    rng: np.random.Generator,
    total: np.ndarray | None = None,
) -> Rows:
    """Compare the arms on one outcome at every follow-up, under each scenario.

    Parameters
    ----------
    entry : ReferenceBased
        Scenarios and variances asked for.
    study : Study
        Arms, clusters, visits.
    tables : pandas.DataFrame
        Imputations 0 (observed) to m: outcomes as observed, baseline and covariates as completed.
    participants : pandas.DataFrame
        The cleaned table, for who came and why people left.
    ask, rng
        The outcome, whose `value` is the stem of the variables; for the draws.
    total : numpy.ndarray, optional
        Compares the sum over the follow-ups, with this added to everyone's, in the order of the
        observed table, shape (n,): what is known whoever was lost.

    Returns
    -------
    list of dict
        `perspective` names the scenario, or those that impute the same. A scenario that is not
        possible has one row with the status refused.

    Raises
    ------
    StudyError
        If the plan does not fit the study.
    ValueError
        If the arms cannot be compared or the imputation model cannot be fitted.
    """
    visits = [v for v in study.follow_ups if f"{ask.value}_{v.id}" in tables]
    if not visits:
        raise StudyError(f"{PLAN}: '{ask.value}' is not measured at any follow-up.")
    units = _unit_variable(entry, study)
    everything = _problem(entry.scenarios, study, tables, participants, ask, visits)
    if total is not None:
        everything, visits = _summed(everything, tables, total), visits[-1:]
    model = fit_normal_model(everything.people)
    refused: Rows = []
    found: dict[int, np.ndarray] = {}
    for position, scenario in enumerate(entry.scenarios):
        try:
            found[position] = everything.completed(model, position)
        except ValueError as error:
            refused.append(_refusal(scenario, study, ask, str(error)))
    rows = list(refused)
    if not found:
        return rows
    alike = [_alike({s: z[:, k] for s, z in found.items()}) for k in range(len(visits))]
    # Of scenarios that are alike at a visit the first stands for all.
    wanted = sorted({group[0] for groups in alike for group in groups})
    layout = _Layout(entry, study, ask, visits, alike, wanted)
    if terms.Inference.JACKKNIFE in entry.variances:
        inference = _jackknife(everything, study, ask, wanted, units)
        data = [Sample(c.first, 1, False, c.population) for c in everything.chosen]
        note = REPEATED.format(unit=allocated(study).whole_label)
        rows += layout.rows(data, inference, note, terms.Inference.JACKKNIFE)
    if "draws" in entry.variances:
        inference, name = _drawn(everything, model, study, ask, wanted, rng)
        rows += layout.rows(everything.chosen, inference, ANCHORED, name)
    return rows


def _summed(everything: Problem, tables: pd.DataFrame, total: np.ndarray) -> Problem:
    """Return the problem of the sum over the visits, which everybody has."""
    people = tables.loc[tables["imputation"] == 0, "participant"]
    known = pd.Series(total, index=people).loc[everything.base.first["participant"]].to_numpy()
    there = np.full((len(known), 1), True)
    return replace(everything, chosen=[everything.base], exists=there, known=known)


def _unit_variable(entry: ReferenceBased, study: Study) -> str | None:
    """Return the variable whose values are left out one by one; None for participants."""
    if study.clusters is None:
        if entry.resample not in (None, "participant"):
            raise StudyError(
                f"{PLAN}: '{entry.id}' leaves out a {entry.resample} at a time, and the study has "
                "no clusters; expected resample: participant."
            )
        return None
    if entry.resample not in (None, "pair"):
        unit = study.clusters.unit_label
        what = f"single {unit}s" if entry.resample == "unit" else "single participants"
        raise StudyError(
            f"{PLAN}: '{entry.id}' leaves out {what}, which misstates the variance: the {unit} is "
            f"the unit of allocation, and only a {study.clusters.pair_label} holds both arms; "
            "expected resample: pair."
        )
    return study.clusters.pair


def _problem(
    scenarios: list[Scenario],
    study: Study,
    tables: pd.DataFrame,
    participants: pd.DataFrame,
    ask: Question,
    visits: list[Visit],
) -> Problem:
    names = [f"{ask.value}_{v.id}" for v in visits]
    chosen = sample(study, tables, "imputed", [ask.baseline, *ask.covariates, *names])
    for name in names:
        require_comparable(study, chosen, name)
    order = chosen.first["participant"]
    observed = tables[tables["imputation"] == 0].set_index("participant").loc[order]
    outcome = observed[names].to_numpy(dtype=float)
    who = participants.set_index("participant").loc[order]
    came = who[[f"interviewed_{v.id}" for v in visits]].to_numpy(dtype=bool)
    event = event_visits(came | ~np.isnan(outcome))
    people = People(
        outcome,
        (chosen.first[study.arms.variable] == study.arms.active).to_numpy(),
        design(chosen, [ask.baseline], []).X[..., 2:].mean(axis=0),
        design(chosen, ask.covariates, []).X[..., 2:].mean(axis=0),
        allocated(study).units(chosen),
        allocated(study).pairs(chosen),
    )
    strategies = [strategy_by_person(s, who, event < len(visits)) for s in scenarios]
    deltas = [delta_by_person(s.delta, study, who) for s in scenarios]
    return Problem(
        [existing(chosen, name) for name in names],
        people,
        event,
        np.stack(strategies),
        np.stack(deltas),
        chosen,
        np.column_stack([np.isfinite(chosen.stacked(name)).all(axis=0) for name in names]),
    )


def _alike(found: dict[int, np.ndarray]) -> list[list[int]]:
    """Group the scenarios that impute the same values."""
    groups: list[list[int]] = []
    for position, values in found.items():
        for group in groups:
            size = np.abs(found[group[0]]).max(initial=0.0)
            if np.allclose(found[group[0]], values, rtol=0.0, atol=ALIKE * size):
                group.append(position)
                break
        else:
            groups.append([position])
    return groups


def _jackknife(
    everything: Problem, study: Study, ask: Question, scenarios: list[int], units: str | None
) -> Inference:
    """Return inference on difference and means, shape (scenarios, v, 3)."""
    base, there = everything.base, everything.exists
    found = design(base, [ask.baseline, *ask.covariates], allocated(study).factors)
    X, pairs = found.own.mean(axis=0), None if found.pair is None else found.pair.codes
    n = len(X)
    code = np.arange(n) if units is None else base.codes(units)

    def estimate(kept: np.ndarray) -> np.ndarray:
        model = fit_normal_model(everything.people.take(kept))
        values = np.stack([everything.completed(model, s, kept) for s in scenarios])
        at_visits = []
        for k, seen in enumerate(there[kept].T):
            of = None if pairs is None else pairs[kept][seen]
            at_visits.append(arm_means(X[kept][seen], values[:, seen, k], of))
        return np.stack(at_visits, axis=1)

    names = np.unique(code)
    left_out = []
    for name in names:
        kept = np.flatnonzero(code != name)
        try:
            left_out.append(estimate(kept))
        except ValueError as error:
            what = f"a {allocated(study).whole_label}"
            raise ValueError(f"with {what} left out, {error}") from error
    df = np.inf if units is None else len(names) - 1
    return jackknife(estimate(np.arange(n)), np.stack(left_out), df)


def _drawn(
    everything: Problem,
    model: NormalModel,
    study: Study,
    ask: Question,
    scenarios: list[int],
    rng: np.random.Generator,
) -> tuple[Inference, str]:
    """Return inference of m draws, arrays (m, scenarios, v, 3), and its name.

    All scenarios have the same random numbers, so that they differ by what they assume alone.
    """
    base, people = everything.base, everything.people
    own = design(base, [ask.baseline], []).X[..., 2:]
    common = design(base, ask.covariates, []).X[..., 2:]
    varies = (np.ptp(own, axis=0) > 0).any() or (np.ptp(common, axis=0) > 0).any()
    values = np.empty((base.m, len(scenarios), *everything.exists.shape))
    for k, one in enumerate(rng.spawn(base.m)):
        if varies:
            # Covariates of this imputation.
            model = fit_normal_model(
                People(people.outcome, people.active, own[k], common[k], people.team, people.pair)
            )
        parameters = draw_parameters(model, 1, one)
        parameters = Parameters(parameters.coef[0], parameters.covariance[0])
        state = one.bit_generator.state
        for position, scenario in enumerate(scenarios):
            one.bit_generator.state = state
            values[k, position] = everything.completed(
                model, scenario, parameters=parameters, rng=one
            )
    found, name = [], ""
    for k, chosen in enumerate(everything.chosen):
        X = design(chosen, [ask.baseline, *ask.covariates], allocated(study).factors)
        y = values[:, :, everything.exists[:, k], k]
        inference, name = allocated(study).infer(chosen, least_squares(X, y))
        require_inference(inference.part((..., [0])))
        found.append(inference)
    arrays = [
        np.stack([np.broadcast_to(getattr(f, part), f.estimate.shape) for f in found], axis=2)
        for part in ("estimate", "std_error", "df")
    ]
    return Inference(*arrays), name


@dataclass(frozen=True)
class _Layout:
    """Which row belongs to which estimate."""

    entry: ReferenceBased
    study: Study
    ask: Question
    visits: list[Visit]
    alike: list[list[list[int]]]
    wanted: list[int]

    def rows(self, samples: list[Sample], found: Inference, variance: str, name: str) -> Rows:
        """Return the rows of an inference (scenarios, v, 3), of draws (m, scenarios, v, 3)."""
        rows: Rows = []
        for k, (visit, data) in enumerate(zip(self.visits, samples, strict=True)):
            for group in self.alike[k]:
                scenarios = [self.entry.scenarios[s] for s in group]
                at = self.wanted.index(group[0])
                arrays = [
                    values[:, at, k] if data.imputed else values[None, at, k]
                    for values in (found.estimate, found.std_error, found.df)
                ]
                part = arm_rows(self.study, data, Inference(*arrays), self.ask.level)
                part = complete(part, self.study, data, self.ask, Model.ANCOVA, name)
                part = with_note(part, f"{_assumed(scenarios, self.study)}; {variance}")
                columns = {"visit": visit.id, **_scenario_columns(scenarios, self.study)}
                rows += [{**row, **columns} for row in part]
        return rows


def _scenario_columns(scenarios: list[Scenario], study: Study) -> dict[str, Any]:
    given = scenarios[0].delta
    deltas = [given.get(arm, 0.0) for arm in reversed(study.arms.ordered)]
    delta = next((d for d in deltas if d), None)
    return {"perspective": " = ".join(s.name for s in scenarios), "delta": delta}


def _assumed(scenarios: list[Scenario], study: Study) -> str:
    """Say in words what is assumed of those who were lost."""
    first = scenarios[0]
    words = STRATEGIES[first.strategy]
    if first.reasons:
        words += (
            " ("
            + ", ".join(
                f"{reason}: {STRATEGIES[strategy]}" for reason, strategy in first.reasons.items()
            )
            + ")"
        )
    for arm, delta in first.delta.items():
        words += f", {delta:+g} on everything imputed in '{study.arms.levels[arm]}'"
    if len(scenarios) > 1:
        words += f"; at this visit the same as {', '.join(s.name for s in scenarios[1:])}"
    return words


def _refusal(scenario: Scenario, study: Study, ask: Question, reason: str) -> dict[str, Any]:
    return {
        "outcome": ask.outcome,
        "scale": ask.scale,
        "model": Model.ANCOVA,
        "term": Term.DIFFERENCE,
        "level": contrast_label(study),
        "status": Status.REFUSED,
        "note": reason,
        **_scenario_columns([scenario], study),
    }
