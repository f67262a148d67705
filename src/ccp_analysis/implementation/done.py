"""Was it done: the cascade from recruitment to a full delivery, fidelity and dose."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd

from ccp_analysis.groups import names_of
from ccp_analysis.implementation.exposures import contacts, had_steps, number, reached
from ccp_analysis.implementation.scope import IMPLEMENTATION, Row, Scope, mean, share
from ccp_analysis.models.intraclass import intraclass_interval
from ccp_analysis.models.ols import fit_ols
from ccp_analysis.models.random_intercept import fit_random_intercept
from ccp_analysis.results.terms import Inference, Model, Population, Role, Status, Term

RECRUITED, INTERVIEWED, CONTACT, REACH = "recruited", "interviewed", "contact", "reach"
DOSE, HIGH = "dose", "high_fidelity"
CONTAMINATION = "contamination: what the comparison arm got of it"
Summary = Callable[[Scope, np.ndarray, np.ndarray], Row]


def done_rows(scope: Scope, participants: pd.DataFrame, delivery: pd.DataFrame | None) -> list[Row]:
    """Return what of the intervention was done, by arm and by cluster."""
    rows: list[Row] = []
    for arm, n in participants[scope.study.arms.variable].astype(str).value_counts().items():
        row: Row = {"outcome": RECRUITED, "term": Term.NUMBER, "level": arm, "scale": "count"}
        rows.append(row | {"estimate": int(n), "n": int(n)})
    for outcome, visit, values in _stages(scope, participants, delivery):
        rows += _by_team(scope, participants, values, share, outcome, visit, Term.REACHED)
    if scope.asked.fidelity:
        at, fidelity = scope.asked.fidelity, number(participants[scope.asked.fidelity.variable])
        rows += _numbers(scope, participants, fidelity, at.instrument, at.visit, "points")
        high = np.where(np.isnan(fidelity), np.nan, fidelity >= at.high)
        rows += _by_team(scope, participants, high, share, HIGH, at.visit, Term.PROPORTION)
    if delivery is not None:
        given = contacts(participants, delivery)
        rows += _numbers(scope, participants, given, DOSE, "", "contacts")
    shared = {"analysis": IMPLEMENTATION, "role": Role.DESCRIPTIVE, "model": Model.NONE}
    shared |= {"population": Population.RECRUITED, "inference": Inference.NONE}
    return [{**shared, **row} for row in rows]


def _stages(
    scope: Scope, people: pd.DataFrame, delivery: pd.DataFrame | None
) -> Iterator[tuple[str, str, np.ndarray]]:
    """Yield the stages of the cascade, their visit, and who got there (NaN where unknown)."""
    first, asked = scope.study.baseline.id, scope.asked
    yield INTERVIEWED, first, people[f"interviewed_{first}"].to_numpy(dtype=float)
    if delivery is not None:
        yield CONTACT, "", (contacts(people, delivery) > 0).astype(float)
        for step, had in had_steps(asked, people, delivery).items():
            yield str(step), "", had.to_numpy(dtype=float)
    name, visits = asked.reach.variable, [visit.id for visit in scope.study.visits]
    visit = next((visit for visit in visits if name.endswith(f"_{visit}")), "")
    yield REACH, visit, reached(asked, people)


def _by_team(
    scope: Scope,
    people: pd.DataFrame,
    values: np.ndarray,
    summary: Summary,
    outcome: str,
    visit: str,
    term: Term,
) -> list[Row]:
    """Summarise what is known, by arm and by cluster; of the other arm it is contamination."""
    arms = scope.study.arms
    arm = people[arms.variable].astype(str).to_numpy()
    team, known = scope.codes(people), ~np.isnan(values)
    parts = [(name, "", arm == name) for name in arms.ordered]
    for name, own in scope.teams(people).items():
        unit = people[scope.study.clusters.unit if scope.study.clusters else "participant"]
        parts.append((own, name, (names_of(unit) == name).to_numpy()))
    received = outcome != INTERVIEWED
    rows = []
    for own, name, inside in parts:
        who = inside & known
        row = {"outcome": outcome, "visit": visit, "term": term, "level": own, "subgroup": name}
        row |= summary(scope, values[who], team[who])
        said = CONTAMINATION if received and own == arms.reference else None
        row["note"] = "; ".join(filter(None, [said, row.get("note")]))
        rows.append(row)
    return rows


def _numbers(
    scope: Scope, people: pd.DataFrame, values: np.ndarray, outcome: str, visit: str, scale: str
) -> list[Row]:
    """Return means and standard deviations by arm and cluster, and how alike a cluster's are."""

    def spread(scope: Scope, inside: np.ndarray, team: np.ndarray) -> Row:
        n = len(inside)
        sd = {"estimate": float(inside.std(ddof=1))} if n > 1 else {"status": Status.REFUSED}
        return {**sd, "n": n} | ({} if n > 1 else {"note": "of fewer than two people"})

    rows = _by_team(scope, people, values, mean, outcome, visit, Term.MEAN)
    rows += _by_team(scope, people, values, spread, outcome, visit, Term.SD)
    active = people[scope.study.arms.variable].astype(str) == scope.study.arms.active
    who = active.to_numpy() & ~np.isnan(values)
    head = {"outcome": outcome, "visit": visit, "level": scope.study.arms.active}
    if scope.study.clusters:
        rows.append(head | {"term": Term.INTRACLASS} | _alike(scope, values, who, people))
    return [{"scale": scale} | row for row in rows]


def _alike(scope: Scope, values: np.ndarray, who: np.ndarray, people: pd.DataFrame) -> Row:
    """Return the intraclass correlation within the active arm."""
    team, inside = scope.codes(people)[who], values[who]
    row: Row = {"scale": "proportion", "n": len(inside), "n_clusters": len(np.unique(team))}
    X = np.ones((len(inside), 1))
    try:
        if len(inside) == 0 or np.ptp(inside) == 0:
            raise ValueError("everybody has the same, or nobody has it")
        fit = fit_random_intercept(X, inside, team)
        limits = intraclass_interval(fit_ols(X, inside), team, scope.level)
    except ValueError as error:
        return row | {"status": Status.REFUSED, "note": str(error).rstrip(".")}
    between, within = float(fit.var_group), float(fit.var_resid)
    cut = ", its lower limit truncated at zero" if limits.truncated else ""
    row |= {"estimate": between / (between + within), "conf_level": scope.level}
    row |= {"conf_low": limits.low, "conf_high": limits.high, "inference": Inference.F}
    note = f"exact interval (Harville and Fenech) for values that are normal{cut}"
    status = Status.BOUNDARY if between == 0 else Status.OK
    return row | {"note": note, "status": status}


def fidelity_points(scope: Scope, participants: pd.DataFrame) -> pd.DataFrame:
    """Return each participant's fidelity, by cluster, for the figure; without identifiers."""
    if scope.asked.fidelity is None:
        return pd.DataFrame()
    values = number(participants[scope.asked.fidelity.variable])
    arms, clusters = scope.study.arms, scope.study.clusters
    series = names_of(participants[clusters.unit if clusters else arms.variable])
    active = (participants[arms.variable].astype(str) == arms.active).astype(float)
    points = pd.DataFrame({"series": series, "x": active, "y": values}).dropna(subset=["y"])
    points = points.assign(figure="fidelity", outcome=scope.asked.fidelity.instrument)
    return points.sort_values(["x", "series", "y"], ignore_index=True)
