"""The models: what plan, checks and report need to know of each; how they are fitted, no word.

A model is its entry here and its fit in `analyses` (`analyses.comparison.MODELS`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from ccp_analysis.results.terms import Model, Term


@dataclass(frozen=True)
class ModelSpec:
    """A model of the plan or of the results.

    Attributes
    ----------
    id : Model
        Its word in the results, and in the plan.
    label : str
        What the report calls it.
    planned : bool
        Whether it can stand in the plan.
    clusters : bool
        Whether it needs clusters.
    baseline : bool
        Whether the outcome must have been measured at baseline.
    visits : {"one", "all", "each"}
        Whether it is of one follow-up, of all with one difference, or of all with one at each.
    pooled : bool
        Whether the rule by which its imputations are pooled can be chosen.
    averaged : bool
        Whether its inference is by clusters, so that their contributions can be averaged.
    shiftable : bool
        Whether deltas can be added to its outcome.
    checked : bool
        Whether its assumptions can be checked.
    subgroups : bool
        Whether subgroup analyses can be planned with it.
    ratio : Term or None
        The ratio that it estimates beside a difference.
    """

    id: Model
    label: str
    planned: bool = True
    clusters: bool = False
    baseline: bool = True
    visits: Literal["one", "all", "each"] = "one"
    pooled: bool = True
    averaged: bool = True
    shiftable: bool = False
    checked: bool = False
    subgroups: bool = False
    ratio: Term | None = None


SPECS = [
    # Follow-up on arm, baseline, pair, covariates
    ModelSpec(Model.ANCOVA, "ANCOVA", shiftable=True, checked=True, subgroups=True),
    # Follow-up less baseline on arm, pair, covariates
    ModelSpec(Model.CHANGE, "Change score", shiftable=True),
    # Arm by visit in the long table
    ModelSpec(Model.DID, "Difference in differences"),
    # ANCOVA with a random cluster intercept
    ModelSpec(
        Model.MIXED, "Mixed model", clusters=True, averaged=False, shiftable=True, checked=True
    ),
    # Paired analysis of baseline-adjusted cluster means
    ModelSpec(Model.TEAM_MEANS, "Paired team means", clusters=True, shiftable=True),
    # Random person intercept over all follow-ups
    ModelSpec(Model.REPEATED, "Repeated measures", visits="all", pooled=False, averaged=False),
    # Unstructured covariance over all follow-ups, arm and baseline by visit
    ModelSpec(
        Model.MMRM, "MMRM with baseline by visit", visits="each", pooled=False, averaged=False
    ),
    ModelSpec(
        Model.MMRM_ONE_SLOPE,
        "MMRM with one baseline slope",
        planned=False,
        visits="each",
        pooled=False,
        averaged=False,
    ),
    # The baseline as a visit with a common mean
    ModelSpec(Model.CLDA, "cLDA", visits="each", pooled=False, averaged=False),
    # Binary outcomes and counts, which take a baseline where there is one
    ModelSpec(Model.LOGISTIC, "Logistic regression", baseline=False, ratio=Term.ODDS_RATIO),
    ModelSpec(Model.POISSON, "Poisson regression", baseline=False, ratio=Term.RATE_RATIO),
    # Of the evaluation alone
    ModelSpec(Model.SUR, "Seemingly unrelated regressions", planned=False),
    ModelSpec(Model.LOG_LINK, "Log-link regression", planned=False),
    ModelSpec(Model.NET_BENEFIT, "Net-benefit regression", planned=False),
    ModelSpec(Model.TWO_STAGE_BOOTSTRAP, "Two-stage bootstrap", planned=False),
    ModelSpec(Model.DESCRIPTIVE, "Unadjusted", planned=False),
]


def which(has: Callable[[ModelSpec], bool]) -> tuple[str, ...]:
    """Return the models of the plan that have something, by their words, in order."""
    return tuple(spec.id.value for spec in SPECS if spec.planned and has(spec))


PLANNED = which(lambda spec: True)
CLUSTERED = which(lambda spec: spec.clusters)
WITHOUT_BASELINE = which(lambda spec: not spec.baseline)
LONGITUDINAL = which(lambda spec: spec.visits != "one")
OVER_VISITS = which(lambda spec: spec.visits == "each")
AVERAGED = which(lambda spec: spec.averaged)
POOLED = which(lambda spec: spec.pooled)
SHIFTABLE = which(lambda spec: spec.shiftable)
CHECKED = which(lambda spec: spec.checked)
SUBGROUPED = which(lambda spec: spec.subgroups)
LABELS: dict[str, str] = {spec.id: spec.label for spec in SPECS}
RATIOS: dict[str, Term] = {spec.id: spec.ratio for spec in SPECS if spec.ratio}
