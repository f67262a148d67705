"""Net benefit, acceptability, imputation and bootstrap where the true costs and effects are known.

Draws trials of ten teams in five Trusts (151 people, teams of unequal size) with skewed costs and
utilities whose true differences are exact (`tools/synthetic/trial_with_costs.py`): no
difference, a dominant intervention, a trade-off at 20,000 pounds per QALY; with moderately and
strongly skewed costs; with an intraclass correlation of 0 and 0.05. All data are synthetic. Prints
Markdown:

    PYTHONPATH=src:tools python benchmarks/economic_evaluation.py [--draws 8000] [--imputed 300]
                                                            [--bootstrapped 500]
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace

import ccp_analysis  # noqa: F401  (sets the number of BLAS threads before NumPy loads)

# isort: split
import numpy as np
from known_truths import (
    AT_MAIN,
    BOOTSTRAP_DRAWS,
    GRID,
    ICC,
    LEVEL,
    LOST,
    MAIN,
    METHODS,
    NOBODY_LOST,
    OUTCOMES,
    M,
    bootstrap,
    coverage_error,
    coverage_of_cost,
    crossing,
    curves,
    lose_and_impute,
    monotone,
    performance,
    simulate,
)
from synthetic.trial_with_costs import (
    EQUAL,
    POPULATIONS,
    TRUTHS,
    UNEQUAL,
    Population,
)


def table(*heads: str) -> None:
    print("\n| " + " | ".join(heads) + " |")
    print("|" + "---|" * len(heads))


def line(*cells: str) -> None:
    print("| " + " | ".join(cells) + " |", flush=True)


def cells(draws: int):
    """Yield costs, truth, ICC, and what the full data sets give."""
    for skew, population in POPULATIONS.items():
        for name, truth in TRUTHS.items():
            for icc in ICC:
                there = replace(population, icc=icc)
                yield skew, name, icc, simulate(truth, there, draws, skew, name, str(icc))


def print_complete(draws: int) -> None:
    """Print bias, coverage, rivals, crossing and monotony without missing data."""
    rows = {(skew, name, icc): found for skew, name, icc, found in cells(draws)}
    heads = ("costs", "truth", "ICC")
    fared = {
        (*key, method): performance(one, TRUTHS[key[1]])
        for key, found in rows.items()
        for method, one in found.items()
    }
    print(
        f"\nBias and its Monte Carlo error, {draws} data sets: QALYs, net benefit at pounds a QALY"
    )
    table(*heads, *OUTCOMES)
    for skew, name, icc in rows:
        p = fared[skew, name, icc, METHODS[0]]
        values = (f"{b:+.2f} ± {e:.2f}" for b, e in zip(p.bias[:1], p.bias_error[:1], strict=True))
        more = (f"{b:+.1f} ± {e:.1f}" for b, e in zip(p.bias[1:], p.bias_error[1:], strict=True))
        line(skew, name, f"{icc:g}", *values, *more)
    worst = max(
        np.abs(p.bias / p.bias_error).max() for key, p in fared.items() if key[-1] == METHODS[0]
    )
    print(f"\nThe largest of these biases is {worst:.1f} Monte Carlo errors.")
    band = 3 * coverage_error(draws)
    print(
        f"\nCoverage of 95 % intervals, CR2 and Satterthwaite; {LEVEL} ± 3 Monte Carlo errors: "
        f"{LEVEL - band:.4f} to {LEVEL + band:.4f}"
    )
    table(*heads, *OUTCOMES)
    for key in rows:
        covers = fared[*key, METHODS[0]].covers
        line(key[0], key[1], f"{key[2]:g}", *(f"{share:.3f}" for share in covers))
    print(f"\nNet benefit at {MAIN:,.0f}, by method: coverage (standard error / SD of estimates)")
    table(*heads, *METHODS, f"rejects zero ({METHODS[0]})")
    for key in rows:
        each = [fared[*key, method] for method in METHODS]
        shown = (f"{p.covers[AT_MAIN]:.3f} ({p.se_ratio[AT_MAIN]:.2f})" for p in each)
        line(key[0], key[1], f"{key[2]:g}", *shown, f"{each[0].rejects[AT_MAIN]:.3f}")
    print_crossing(rows)
    print_monotone(rows)


def print_crossing(rows: dict) -> None:
    """Print where acceptability is one half on the trade-off."""
    print(
        f"\nTrade-off: where acceptability is one half (truth {TRUTHS['trade-off'].threshold:,.0f})"
    )
    table(
        "costs",
        "ICC",
        "mean net benefit is zero at",
        "mean curve is .5 at",
        "mean curve at the truth",
        "curves above .5 at the truth",
    )
    for (skew, name, icc), found in rows.items():
        if name == "trade-off":
            c = crossing(curves(found[METHODS[0]]), TRUTHS[name])
            pounds = (f"{v:,.0f} ± {e:,.0f}" for v, e in (c.net_benefit, c.curve))
            shares = (f"{v:.4f} ± {e:.4f}" for v, e in (c.at_truth, c.above))
            line(skew, f"{icc:g}", *pounds, *shares)


def print_monotone(rows: dict) -> None:
    """Print how far curves rise where the intervention is dominant."""
    print(f"\nDominant: does acceptability rise from 0 to {GRID[-1]:,.0f}?")
    table(
        "costs",
        "ICC",
        "expected curve at 0, 20,000, 50,000",
        "rises",
        "turns at",
        "mean of curves at 0, 20,000, 50,000",
        "rises",
        "data sets whose curve never falls",
    )
    at = np.searchsorted(GRID, [0.0, MAIN, GRID[-1]])
    for (skew, name, icc), found in rows.items():
        if name == "dominant":
            m = monotone(curves(found[METHODS[0]]))
            turns = f"{m.peak:,.0f}" if m.peak == m.peak else "never"
            line(
                skew,
                f"{icc:g}",
                *(
                    text
                    for curve, after in ((m.expected, turns), (m.mean, None))
                    for text in (
                        ", ".join(f"{value:.3f}" for value in curve[at]),
                        "yes" if (np.diff(curve) >= 0).all() else "no",
                        after,
                    )
                    if text is not None
                ),
                f"{m.share:.3f}",
            )


def print_reasons(draws: int) -> None:
    """Print what makes intervals of cost cover more than they should."""
    print(f"\nCoverage of the interval of cost by CR2, no difference, ICC 0, {draws} data sets")
    table("costs", "unequal teams, adjusted", "equal teams, adjusted", "equal teams, unadjusted")
    flat = Population(spread=(0.1, 0.1), some=(1.0, 1.0), spread_anew=(0.1, 0.1))
    flat = replace(flat, some_anew=(1.0, 1.0))
    alike = replace(flat, cost=(2_400.0,) * 5)
    populations = {
        **POPULATIONS,
        "nearly symmetric": flat,
        "nearly symmetric, the same in all Trusts": alike,
    }
    for skew, population in populations.items():
        shares = (
            coverage_of_cost(population, design, adjust, draws)
            for design, adjust in ((UNEQUAL, True), (EQUAL, True), (EQUAL, False))
        )
        line(skew, *(f"{share:.3f}" for share in shares))


def print_proportional(draws: int) -> None:
    """Print what an effect in proportion to what people would have cost does to the estimates."""
    print(f"\nStrongly skewed costs, dominant in proportion to each cost, ICC 0, {draws} data sets")
    truth = replace(TRUTHS["dominant"], proportional=True)
    p = performance(
        simulate(truth, POPULATIONS["strong"], draws, "in proportion")[METHODS[0]], truth
    )
    table("", *OUTCOMES)
    line("bias", *(f"{b:+.2f} ± {e:.2f}" for b, e in zip(p.bias, p.bias_error, strict=True)))
    line("covers", *(f"{share:.3f}" for share in p.covers))


def print_imputed(draws: int) -> None:
    """Print bias and coverage with missing follow-ups."""
    print(
        f"\n{LOST} of {sum(UNEQUAL.sizes)} follow-ups missing at random given the baseline, "
        f"m = {M}, {draws} data sets; Monte Carlo error of a coverage of .95: "
        f"{coverage_error(draws):.3f}"
    )
    moved = "less the estimate had nobody been lost: "
    table(
        *("costs", "truth", "ICC", "inference", f"bias, net benefit at {MAIN:,.0f}"),
        *(f"{moved}QALYs × 1000", "cost", "net benefit", "covers: QALYs", "cost", "net benefit"),
    )
    chosen, sign = [0, 1, AT_MAIN], np.array([1, -1, 1])
    for skew, name in (*(("moderate", truth) for truth in TRUTHS), ("strong", "trade-off")):
        for icc in ICC:
            truth, population = TRUTHS[name], replace(POPULATIONS[skew], icc=icc)
            found = lose_and_impute(truth, population, draws, skew, name, str(icc))
            for rule, one in found.items():
                p = performance(one, truth)
                change = sign * (one.estimate - found[NOBODY_LOST].estimate)[:, chosen]
                error = change.std(axis=0, ddof=1) / draws**0.5
                line(
                    *(skew, name, f"{icc:g}", rule),
                    f"{p.bias[AT_MAIN]:+.1f} ± {p.bias_error[AT_MAIN]:.1f}",
                    *(
                        f"{m:+.{k}f} ± {e:.{k}f}" if rule != NOBODY_LOST else ""
                        for m, e, k in zip(change.mean(axis=0), error, (2, 1, 1), strict=True)
                    ),
                    *(f"{share:.3f}" for share in p.covers[chosen]),
                )


def print_bootstrap(draws: int) -> None:
    """Print the coverage of the two-stage bootstrap."""
    print(
        f"\nTwo-stage bootstrap, {BOOTSTRAP_DRAWS} draws in each of {draws} complete data sets, "
        "trade-off: coverage of the 95 % percentile interval (SD of draws / SD of estimates; CR2 "
        f"on the same data); Monte Carlo error of a coverage of .95: {coverage_error(draws):.3f}"
    )
    table("costs", "ICC", "QALYs", "cost", f"net benefit at {MAIN:,.0f}")
    for skew, icc in (("moderate", 0.0), ("moderate", 0.05), ("moderate", 0.2), ("strong", 0.05)):
        population = replace(POPULATIONS[skew], icc=icc)
        found = bootstrap(TRUTHS["trade-off"], population, draws, skew, str(icc))
        shown = (f"{share:.3f} ({ratio:.2f}; {cr2:.3f})" for share, ratio, cr2 in found.values())
        line(skew, f"{icc:g}", *shown)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--draws", type=int, default=8_000)
    parser.add_argument("--imputed", type=int, default=300)
    parser.add_argument("--bootstrapped", type=int, default=500)
    asked = parser.parse_args()
    started = time.perf_counter()
    print("SYNTHETIC data throughout.")
    print_complete(asked.draws)
    print_reasons(asked.draws)
    print_proportional(asked.draws)
    print_imputed(asked.imputed)
    print_bootstrap(asked.bootstrapped)
    print(f"\n{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
