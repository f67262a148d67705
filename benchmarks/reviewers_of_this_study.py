"""What a reviewer brings in place of the plan's inference, on studies drawn like the shipped one.

Needs the shipped study to have been run (data/derived). Nothing is lost; all outcomes SYNTHETIC.
Prints level, power and width of each at the intraclass correlation as estimated:

    PYTHONPATH=src python benchmarks/reviewers_of_this_study.py [--draws 10000]
"""

from __future__ import annotations

import argparse
from dataclasses import replace

import ccp_analysis  # noqa: F401  (sets the number of BLAS threads before NumPy loads)

# isort: split
import numpy as np
from characteristics import like

from ccp_analysis.characteristics.draws import studies
from ccp_analysis.characteristics.measures import measures
from ccp_analysis.characteristics.scenarios import WITH_DIFFERENCE, scenario
from ccp_analysis.config.characteristics import AT_ESTIMATE, BLOCK
from ccp_analysis.models.ols import classical, fit_ols
from ccp_analysis.models.robust import cluster_covariance, cluster_robust
from ccp_analysis.results.terms import Term

Found = dict[str, list[tuple[np.ndarray, np.ndarray, np.ndarray]]]


def found_in(name: str, draws: int) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Return estimate, standard error and degrees of freedom by each inference."""
    trial, own = like()
    true = scenario(own, name)
    assert true is not None
    true = replace(true, losses="none")
    layout, L = own.layout, own.design.contrasts[:1]
    pair, count = layout.pair[layout.team], len(layout.pair)
    parts: Found = {}
    for number in range(draws // BLOCK):
        y, _, _ = studies(trial.plan.seed, own, true, number)
        fit = fit_ols(own.X, y)
        planned, plain = cluster_robust(fit, layout.team, L), classical(fit, L)

        def sandwich(groups: np.ndarray, kind: str, fit=fit) -> np.ndarray:
            return np.sqrt(cluster_covariance(fit, groups, kind)[:, 1, 1])

        estimate, whole = fit.coef[:, 1], np.ones(len(y))
        ways = {
            "CR2 by team, Satterthwaite (the plan)": (planned.std_error[:, 0], planned.df[:, 0]),
            "CR3 by team (jackknife), t of teams less one": (
                sandwich(layout.team, "CR3"),
                whole * (count - 1),
            ),
            "CR1 by pair, t of pairs less one": (sandwich(pair, "CR1"), whole * pair.max()),
            "CR1 by team, t of teams less one": (
                sandwich(layout.team, "CR1"),
                whole * (count - 1),
            ),
            "CR0 by team, normal quantiles": (sandwich(layout.team, "CR0"), whole * np.inf),
            "teams ignored": (plain.std_error[:, 0], plain.df[:, 0]),
        }
        for way, (error, df) in ways.items():
            parts.setdefault(way, []).append((estimate, error, df))
    return {
        way: (np.concatenate(b) * own.sd, np.concatenate(e) * own.sd, np.concatenate(df))
        for way, (b, e, df) in ((way, zip(*values, strict=True)) for way, values in parts.items())
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--draws", type=int, default=10_000)
    draws = parser.parse_args().draws
    _, own = like()
    none, some = (found_in(name, draws) for name in (AT_ESTIMATE, AT_ESTIMATE + WITH_DIFFERENCE))
    print(
        f"{draws:,} SYNTHETIC studies, ICC {own.icc.estimate:.3f}, difference {own.difference}.\n"
    )
    print("| inference | level | Monte Carlo interval | power | width |\n|---|---|---|---|---|")
    for way, values in none.items():
        kept = measures(values, 0.0, 0.95, seeks=False)
        power = measures(some[way], own.difference or 0.0, 0.95, seeks=True)[Term.POWER]
        level, width = kept[Term.TEST_LEVEL], kept[Term.INTERVAL_WIDTH]
        flag = " flagged" * level.off
        print(
            f"| {way} | {level.estimate:.3f} | {level.low:.3f} to {level.high:.3f}{flag} | "
            f"{power.estimate:.3f} | {width.estimate:.2f} |"
        )


if __name__ == "__main__":
    main()
