"""How alike the arms are in what was measured at baseline, before and after weighting."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from ccp_analysis.analyses.design import ACTIVE, Sample, sample
from ccp_analysis.analyses.models.team_means import teams_of
from ccp_analysis.analyses.rows import Rows, contrast_label
from ccp_analysis.analyses.weights import Weighed, weigh
from ccp_analysis.config.models import WEIGHTED
from ccp_analysis.config.plan import Plan
from ccp_analysis.config.study import Study
from ccp_analysis.errors import RefusedError, status_of
from ccp_analysis.groups import in_order, names_of
from ccp_analysis.models.balance import balance, team_balance
from ccp_analysis.models.weighting_pairs import EXACT
from ccp_analysis.results.terms import Inference, Model, Population, Role, Status, Term

BALANCE = "balance"  # id of these rows among the analyses
COST = "cost"


@dataclass(frozen=True)
class Characteristic:
    """A column to be compared: a number, or whether a person has a category.

    Attributes
    ----------
    name, category : str
        Variable (without its visit), and the category; empty of a number.
    values : numpy.ndarray
        Shape (m, n); NaN where it is not known and was not imputed.
    """

    name: str
    category: str
    values: np.ndarray


@dataclass(frozen=True)
class People:
    """Everybody with a baseline, and the weights that the plan asks for.

    Attributes
    ----------
    study, plan : Study, Plan
        Design, and what is asked.
    chosen : Sample
        All completed tables.
    seen : numpy.ndarray of bool, shape (n,)
        Who has the primary outcome at follow-up.
    weights : dict
        Weighted model → weights, or why there are none.
    """

    study: Study
    plan: Plan
    chosen: Sample
    seen: np.ndarray
    weights: dict[str, Weighed | RefusedError]

    @property
    def arm(self) -> np.ndarray:
        """Whether people are in the active arm, 0 or 1, shape (n,)."""
        return self.chosen.stacked(ACTIVE)[0].astype(int)


def people_of(study: Study, plan: Plan, imputed: pd.DataFrame) -> People:
    """Weigh everybody by what the plan wants balanced, with the primary outcome's baseline."""
    outcome = next((o for o in plan.outcomes if o.role == Role.PRIMARY), plan.outcomes[0])
    baseline = f"{outcome.id}_{study.baseline.id}"
    baseline = baseline if baseline in imputed else ""
    asked = plan.confounding
    chosen = sample(study, imputed, "imputed", asked.covariates if asked else [])
    last = f"{outcome.id}_{study.follow_ups[-1].id}"
    observed = imputed[imputed["imputation"] == 0].set_index("participant")[last]
    seen = observed.reindex(chosen.first["participant"]).notna().to_numpy()
    weights: dict[str, Weighed | RefusedError] = {}
    if asked:
        for model in WEIGHTED:
            try:
                weights[model] = weigh(study, chosen, model, asked, baseline)
            except RefusedError as error:
                weights[model] = error
    return People(study, plan, chosen, seen, weights)


def characteristics(people: People, participants: pd.DataFrame) -> Iterator[Characteristic]:
    """Yield what is compared: the baseline table, then outcomes and cost at baseline."""
    study, plan, chosen = people.study, people.plan, people.chosen
    known = participants.set_index("participant").reindex(chosen.first["participant"])
    first = study.baseline.id
    stems = [*(outcome.id for outcome in plan.outcomes), COST]
    for name in [*plan.baseline_table, *(f"{stem}_{first}" for stem in stems)]:
        stem = name.removesuffix(f"_{first}")
        if name in chosen.frame and is_numeric_dtype(chosen.frame[name]):
            yield Characteristic(stem, "", chosen.stacked(name))
        elif name in known and is_numeric_dtype(known[name]):
            values = known[name].to_numpy(dtype=float)
            yield Characteristic(stem, "", np.broadcast_to(values, (chosen.m, chosen.n)))
        elif name in known:
            held = names_of(known[name])
            for category in in_order(held):
                has = (held == category).astype(float).where(held.notna()).to_numpy(dtype=float)
                yield Characteristic(
                    stem, str(category), np.broadcast_to(has, (chosen.m, chosen.n))
                )


def balance_rows(people: People, participants: pd.DataFrame) -> Rows:
    """Return standardised differences of people and of cluster means, and variance ratios."""
    rows: Rows = []
    each = list(characteristics(people, participants))
    for one in each:
        rows += _compared(people, one, Model.NONE, None)
        rows += _compared(people, one, Model.NONE, None, people.seen)
        for model, weights in people.weights.items():
            if isinstance(weights, Weighed):
                rows += _compared(people, one, model, weights.weights)
    for model, weights in people.weights.items():
        if isinstance(weights, RefusedError):
            reason = {"status": status_of(weights), "note": str(weights)}
            rows.append({"model": model, "term": Term.MEAN_DIFFERENCE, **reason})
    shared = {
        "analysis": BALANCE,
        "role": Role.DESCRIPTIVE,
        "visit": people.study.baseline.id,
        "level": contrast_label(people.study),
        "population": Population.COMPLETED,
        "inference": Inference.NONE,
        "m": people.chosen.m,
    }
    return [{**shared, **row} for row in rows]


def _compared(
    people: People,
    one: Characteristic,
    model: str,
    weights: np.ndarray | None,
    inside: np.ndarray | None = None,
) -> Rows:
    """Compare the arms in one characteristic, of those of whom it is known."""
    who = np.isfinite(one.values).all(axis=0)
    who = who if inside is None else who & inside
    arm, values = people.arm[who], one.values[:, who, None]
    head = {"outcome": one.name, "subgroup": one.category, "model": model, "n": int(who.sum())}
    if inside is not None:
        head["population"] = Population.COMPLETE_CASES
    own = None if weights is None else weights[:, who]
    if len(np.unique(arm)) < 2:
        note = "nobody in one of the arms has it"
        return [{**head, "term": Term.MEAN_DIFFERENCE, "status": Status.REFUSED, "note": note}]
    found = balance(values, arm, own)
    scaled = {"scale": "standardised"}
    difference = float(found.difference.mean())
    # Where weights balance exactly, what is left is rounding, which differs between processors.
    difference = 0.0 if weights is not None and abs(difference) < EXACT else difference
    row = {**head, **scaled, "term": Term.MEAN_DIFFERENCE, "estimate": difference}
    if not np.isfinite(difference):
        return [{**row, "estimate": None, "status": Status.REFUSED, "note": "nobody differs in it"}]
    rows: Rows = [row]
    if not one.category and inside is None:
        ratio = float(found.ratio.mean())
        rows.append({**head, "term": Term.VARIANCE_RATIO, "scale": "ratio", "estimate": ratio})
    if people.study.clusters and inside is None:
        rows.append(head | scaled | _of_clusters(people, one, who, own))
    return rows


def _of_clusters(
    people: People, one: Characteristic, who: np.ndarray, weights: np.ndarray | None
) -> dict[str, object]:
    """Compare means of clusters within pairs, of values averaged over the imputations."""
    _, team, pair, arm = teams_of(people.study, people.chosen)
    row: dict[str, object] = {"term": Term.CLUSTER_DIFFERENCE, "inference": Inference.PAIRED_T}
    if len(np.unique(team[who])) < len(pair):
        return row | {
            "status": Status.REFUSED,
            "note": "it is known of nobody in one of the clusters",
        }
    if any(sorted(arm[pair == code]) != [0, 1] for code in np.unique(pair)):
        note = "every pair must be two teams, one in each arm"
        return row | {"status": Status.REFUSED, "note": note}
    mean = one.values[:, who].mean(axis=0)[:, None]
    own = None if weights is None else weights.mean(axis=0)
    level = people.plan.confidence_level
    try:
        found = team_balance(mean, team[who], pair, arm, own)
    except ValueError as error:
        return row | {"status": status_of(error), "note": str(error).rstrip(".")}
    low, high = found.interval(level)
    return row | {
        "estimate": float(found.estimate[0]),
        "std_error": float(found.std_error[0]),
        "df": float(found.df[0]),
        "conf_low": float(low[0]),
        "conf_high": float(high[0]),
        "conf_level": level,
        "n_clusters": len(pair),
        "note": "values averaged over the imputations; the denominator counts as known",
    }
