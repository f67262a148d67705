"""Which tables and figures the report of a study has, in the order of their numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ccp_analysis.results.terms import Model, Role

if TYPE_CHECKING:
    from ccp_analysis.config.economics import Economics
    from ccp_analysis.config.plan import Plan
    from ccp_analysis.config.study import Study

PANELS, PAIRS, OTHERS = "check_panels_", "check_pairs_", "check_others_"
ON_A_PAGE = 6  # outcomes whose checks are drawn below one another


def tables_of(study: Study, economics: Economics | None, plan: Plan | None = None) -> list[str]:
    """Return the names of a study's tables, in the order in which the report numbers them.

    Parameters
    ----------
    study : Study
        Its clusters decide on tables by cluster, its allocation and visits on some others.
    economics : Economics or None
        The economic evaluation, where there is one.
    plan : Plan, optional
        Its models, subgroups, checks and planned numbers decide on the rest; without it only the
        tables are named that do not depend on it.

    Returns
    -------
    list of str
        Each is the stem of a file in ``reports/tables``.
    """
    clusters = study.clusters is not None
    checks = bool(plan and plan.checks)
    there = {
        "flow": True,
        "flow_by_cluster": clusters,
        "baseline": True,
        "estimands": bool(plan and plan.estimands),
        "observed": True,
        "comparison": True,
        "ratios": _fits(plan, Model.LOGISTIC, Model.POISSON),
        "methods": True,
        "pair_differences": clusters and _fits(plan, Model.TEAM_MEANS),
        "not_randomised": not study.randomised and _fits(plan, Model.CHANGE, Model.DID),
        "visits": len(study.follow_ups) > 1 and _fits(plan, Model.MMRM, Model.CLDA),
        "intraclass": _fits(plan, Model.MIXED, Model.REPEATED),
        "subgroups": bool(plan and plan.subgroups),
        "detectable": True,
        "sample_size": bool(plan and plan.planned),
        "missing": True,
        "losses": True,
        "imputation_models": True,
        "congenial": bool(plan and any(a.data == "imputed" for a in plan.analyses)),
        "deltas": bool(plan and plan.sensitivity and plan.sensitivity.delta),
        "scenarios": bool(plan and plan.sensitivity and plan.sensitivity.reference_based),
        "checks": checks,
        "left_out": checks and clusters,
        "resource_use": economics is not None,
        "prices": economics is not None,
        "economic_means": economics is not None,
        "economics": economics is not None,
        "net_benefit": economics is not None,
        "ratios_of_cost": economics is not None,
        "economic_sensitivity": bool(economics and economics.sensitivity),
        "failed": True,
        "files": True,
        "sets": True,
        "scales": True,
        "query_counts": True,
        "queries": True,
        "checks_others": checks and _others(plan) > 0,
        "cheers": economics is not None,
    }
    return [name for name, wanted in there.items() if wanted]


def figures_of(study: Study, economics: Economics | None, plan: Plan | None = None) -> list[str]:
    """Return the names of a study's figures, in the order in which the report numbers them.

    Parameters
    ----------
    study : Study
        Its clusters and visits decide on what can be drawn.
    economics : Economics or None
        The economic evaluation, where there is one.
    plan : Plan, optional
        As in `tables_of`.

    Returns
    -------
    list of str
        Each is the stem of an SVG and a PNG file in ``reports/figures``.
    """
    clusters, several = study.clusters is not None, len(study.follow_ups) > 1
    there = {
        "flow": True,
        "course": several,
        "forest": True,
        "methods": True,
        "pair_differences": clusters and _fits(plan, Model.TEAM_MEANS),
        "visits": several and _fits(plan, Model.MMRM, Model.CLDA),
        "subgroups": bool(plan and plan.subgroups),
        "missing": True,
        "patterns": plan is not None,
        "predictors": plan is not None,
        "imputation": plan is not None,
        "tipping": bool(plan and plan.sensitivity and plan.sensitivity.delta),
    }
    checked = plan.checks if plan else []
    there |= {PANELS + analysis: True for analysis in checked}
    there |= {PAIRS + analysis: clusters for analysis in checked}
    there |= {
        "acceptability": economics is not None,
        "plane": economics is not None,
        "tornado": bool(economics and economics.sensitivity),
    }
    for analysis in checked:
        pages = -(-_others(plan) // ON_A_PAGE)
        there |= {f"{OTHERS}{analysis}_{page}": True for page in range(1, pages + 1)}
    return [name for name, wanted in there.items() if wanted]


def check_of(name: str) -> tuple[str, str, int]:
    """Return kind, analysis and page (from 1, of the other outcomes) of a figure of the checks."""
    kind = next(kind for kind in (PANELS, PAIRS, OTHERS) if name.startswith(kind))
    rest = name.removeprefix(kind)
    if kind != OTHERS:
        return kind, rest, 1
    analysis, _, page = rest.rpartition("_")
    return kind, analysis, int(page)


def _fits(plan: Plan | None, *models: str) -> bool:
    return plan is not None and any(analysis.model in models for analysis in plan.analyses)


def _others(plan: Plan) -> int:
    return sum(outcome.role != Role.PRIMARY for outcome in plan.outcomes)
