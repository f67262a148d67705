"""The models: each with its word and all that plan, checks and report need to know of it.

A model is its entry here and its fit, a function of `analyses.models`; nothing is fitted here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from ccp_analysis.config import formulas
from ccp_analysis.config.formulas import Formula


@dataclass(frozen=True)
class ModelSpec:
    """What is to be known of a model.

    Attributes
    ----------
    label : str
        What the report calls it.
    fit : str
        Module and function of `analyses.models` that fit it to one outcome; empty for a model that
        is not one of the plan's.
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
    ratio : str
        The ratio that it estimates beside a difference, a word of `results.terms.Term`.
    weighted : bool
        Whether people are weighed, so that the plan must say by what (`confounding`).
    formula : Formula or None
        What is regressed on what: for the methods of the report, and for `explain`; None where
        nothing is.
    methods : str
        What the report's methods say of it, in Markdown; empty where their template does.
    """

    label: str
    fit: str = ""
    planned: bool = True
    clusters: bool = False
    baseline: bool = True
    visits: Literal["one", "all", "each"] = "one"
    pooled: bool = True
    averaged: bool = True
    shiftable: bool = False
    checked: bool = False
    subgroups: bool = False
    ratio: str = ""
    weighted: bool = False
    formula: Formula | None = None
    methods: str = ""


def _results_only(label: str, formula: Formula | None = None) -> ModelSpec:
    return ModelSpec(label, planned=False, formula=formula)


class Model(StrEnum):
    """What was fitted: its word in results and plan, and its `spec`."""

    spec: ModelSpec

    def __new__(cls, word: str, spec: ModelSpec = ModelSpec("")) -> Model:  # noqa: B008
        """Make a member of its word and what is to be known of it; ``Model(word)`` finds one."""
        member = str.__new__(cls, word)
        member._value_ = word
        member.spec = spec
        return member

    # Follow-up on arm, baseline, pair, covariates
    ANCOVA = (
        "ancova",
        ModelSpec(
            "ANCOVA",
            "ancova.ancova",
            shiftable=True,
            checked=True,
            subgroups=True,
            formula=formulas.ANCOVA,
        ),
    )
    # Follow-up less baseline on arm, pair, covariates
    CHANGE = (
        "change",
        ModelSpec("Change score", "change.change", shiftable=True, formula=formulas.CHANGE),
    )
    # ANCOVA of people weighed until the arms are alike in what was measured of them
    OVERLAP = (
        "ancova-overlap",
        ModelSpec(
            "ANCOVA with overlap weights",
            "weighted.overlap",
            weighted=True,
            formula=formulas.WEIGHTED,
            methods="**Weighted comparisons.** Each person has the probability of being in the "
            "other arm, given what was measured at baseline and the pair of clusters, as a weight "
            "(overlap weights, Li, Morgan and Zaslavsky 2018), by a logistic regression within "
            "each imputation (Leyrat et al. 2019). Weighted means of the variables in it are then "
            "the same in both arms. The ANCOVA of the weighted people adjusts for the same "
            "variables; standard errors are CR2 with the weights taken as known, the variant that "
            "keeps its level on a design of ten teams. The difference is an average over people "
            "who might have been in either arm.",
        ),
    )
    ENTROPY = (
        "ancova-entropy",
        ModelSpec(
            "ANCOVA with entropy balancing",
            "weighted.entropy",
            weighted=True,
            formula=formulas.WEIGHTED,
            methods="**Entropy balancing** (Hainmueller 2012) gives the weights nearest to equal "
            "ones with which each arm has the means of everybody; a check of the overlap weights.",
        ),
    )
    # Arm by visit in the long table
    DID = "did", ModelSpec("Difference in differences", "longitudinal.did", formula=formulas.DID)
    # ANCOVA with a random cluster intercept
    MIXED = (
        "mixed",
        ModelSpec(
            "Mixed model",
            "mixed.mixed",
            clusters=True,
            averaged=False,
            shiftable=True,
            checked=True,
            formula=formulas.MIXED,
        ),
    )
    # Paired analysis of baseline-adjusted cluster means
    TEAM_MEANS = (
        "team-means",
        ModelSpec(
            "Paired team means",
            "team_means.team_means",
            clusters=True,
            shiftable=True,
            formula=formulas.CLUSTER_MEANS,
        ),
    )
    # Random person intercept over all follow-ups
    REPEATED = (
        "repeated",
        ModelSpec(
            "Repeated measures",
            "longitudinal.repeated",
            visits="all",
            pooled=False,
            averaged=False,
            formula=formulas.REPEATED,
        ),
    )
    # Unstructured covariance over all follow-ups, arm and baseline by visit
    MMRM = (
        "mmrm",
        ModelSpec(
            "MMRM with baseline by visit",
            "longitudinal.mmrm",
            visits="each",
            pooled=False,
            averaged=False,
            formula=formulas.MMRM,
        ),
    )
    MMRM_ONE_SLOPE = (
        "mmrm-one-slope",
        ModelSpec(
            "MMRM with one baseline slope",
            "longitudinal.mmrm_one_slope",
            planned=False,
            visits="each",
            pooled=False,
            averaged=False,
            formula=formulas.MMRM_ONE_SLOPE,
        ),
    )
    # The baseline as a visit with a common mean
    CLDA = (
        "clda",
        ModelSpec(
            "cLDA",
            "longitudinal.clda",
            visits="each",
            pooled=False,
            averaged=False,
            formula=formulas.CLDA,
        ),
    )
    # Binary outcomes and counts, which take a baseline where there is one
    LOGISTIC = (
        "logistic",
        ModelSpec(
            "Logistic regression",
            "ratios.logistic",
            baseline=False,
            ratio="odds ratio",
            formula=formulas.LOGISTIC,
        ),
    )
    POISSON = (
        "poisson",
        ModelSpec(
            "Poisson regression",
            "ratios.poisson",
            baseline=False,
            ratio="rate ratio",
            formula=formulas.POISSON,
        ),
    )
    # Of the evaluation and of descriptions alone
    SUR = "sur", _results_only("Seemingly unrelated regressions", formulas.SUR)
    LOG_LINK = "log-link", _results_only("Log-link regression", formulas.POISSON)
    NET_BENEFIT = "net-benefit", _results_only("Net-benefit regression", formulas.ANCOVA)
    TWO_STAGE_BOOTSTRAP = (
        "two-stage-bootstrap",
        _results_only("Two-stage bootstrap", formulas.ANCOVA),
    )
    TSLS = "2sls", _results_only("Two-stage least squares", formulas.INSTRUMENTAL)
    TSLS_TEAMS = (
        "2sls-team-means",
        _results_only("Two-stage least squares on team means", formulas.INSTRUMENTAL_MEANS),
    )
    DESCRIPTIVE = "descriptive", _results_only("Unadjusted")
    NONE = "none", _results_only("")


def which(has: Callable[[ModelSpec], bool]) -> tuple[str, ...]:
    """Return the models of the plan that have something, by their words, in order."""
    return tuple(model.value for model in Model if model.spec.planned and has(model.spec))


PLANNED = which(lambda spec: True)
CLUSTERED = which(lambda spec: spec.clusters)
WEIGHTED = which(lambda spec: spec.weighted)
WITHOUT_BASELINE = which(lambda spec: not spec.baseline)
LONGITUDINAL = which(lambda spec: spec.visits != "one")
OVER_VISITS = which(lambda spec: spec.visits == "each")
AVERAGED = which(lambda spec: spec.averaged)
POOLED = which(lambda spec: spec.pooled)
SHIFTABLE = which(lambda spec: spec.shiftable)
CHECKED = which(lambda spec: spec.checked)
SUBGROUPED = which(lambda spec: spec.subgroups)
# Least squares on people: without clusters, their variances may be taken as unequal.
ROBUST = which(lambda spec: spec.shiftable and not spec.clusters)
LABELS: dict[str, str] = {model: model.spec.label for model in Model if model.spec.label}
RATIOS: dict[str, str] = {model: model.spec.ratio for model in Model if model.spec.ratio}
