"""Power and assurance of a next trial: the formulas beside drawn trials, analysed as the plan does.

Pairs of teams with a baseline, equal or unequal sizes and losses; the arms are compared by ANCOVA
with fixed pairs, CR2 and Satterthwaite's degrees of freedom. The formula of the power is the
noncentral t with the degrees of freedom and the variance of `models.assurance.Size`. For the
assurance a study of five pairs is drawn; each next trial has variances of its own, drawn from what
that study says of them. All data are SYNTHETIC. Prints Markdown:

    PYTHONPATH=src python benchmarks/next_trial.py [--draws 4000]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from itertools import product

import ccp_analysis  # noqa: F401  (sets the number of BLAS threads before NumPy loads)

# isort: split
import numpy as np

from ccp_analysis.characteristics.trials import Layout, Loss, Truth, draw, lose
from ccp_analysis.models.assurance import Size, assurance
from ccp_analysis.models.components import Components, components
from ccp_analysis.models.inference import power_of_t
from ccp_analysis.models.intraclass import strata
from ccp_analysis.models.ols import fit_ols
from ccp_analysis.models.robust import cluster_robust
from ccp_analysis.random import stream

SEED, CHUNK, LEVEL = 20261129, 250, 0.95
EFFECT, PEOPLE, LOST = 0.54, 15, 0.16
PAIRS, ICCS = (5, 8, 12, 20), (0.0, 0.05, 0.17)
# Sizes of teams in turn, as multiples of their mean: alike, and with a coefficient of variation of
# .35 over all of them.
SIZES = {"equal": (1.0,), "unequal": (0.53, 1.0, 1.47, 1.2, 0.8)}
PRIORS = {"beta(1, 1)": (1.0, 1.0), "beta(0.5, 22)": (0.5, 22.0)}
ASSURED = (8, 20)  # pairs


def layout_of(pairs: int, spread: tuple[float, ...]) -> Layout:
    """Return pairs of teams whose sizes go through the multiples in turn."""
    sizes = np.resize(np.array(spread), 2 * pairs) * PEOPLE
    return Layout.of_pairs(np.rint(sizes).astype(int).reshape(pairs, 2))


def found(layout: Layout, icc: float, effects: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return in which of the trials, each with its effect, the interval excludes zero."""
    draws = len(effects)
    trials = draw(layout, Truth(icc=icc), draws, rng)
    outcome = trials.outcome + effects[:, None] * layout.active
    there = ~lose(layout, trials.baseline, Loss(LOST, 0.5), rng)
    fixed = np.column_stack([np.ones(layout.n), layout.active, layout.pairs])
    fixed = np.broadcast_to(fixed, (draws, *fixed.shape))
    X = np.concatenate([fixed, trials.baseline[..., None]], axis=-1)
    # Rows of zeros are as good as none.
    fit = fit_ols(X * there[..., None], outcome * there)
    L = np.eye(X.shape[-1])[1]
    return np.asarray(cluster_robust(fit, layout.team, L, kind="CR2").p_value[:, 0] < 1.0 - LEVEL)


def size_of(layout: Layout) -> Size:
    """Return the size as the formulas take it."""
    sizes = layout.sizes.reshape(-1, 2)
    weights = sizes.prod(axis=1) / sizes.sum(axis=1)
    cv, kept = weights.std() / weights.mean(), 2.0 * weights.mean() / sizes.mean()
    return Size(sizes.mean() * (1.0 - LOST), len(sizes), float(cv), float(kept))


def powers(
    draws: int, pairs: tuple[int, ...] = PAIRS
) -> Iterator[tuple[str, int, float, float, float]]:
    """Yield sizes, pairs, correlation, power by formula and share of drawn trials."""
    for (name, spread), many, icc in product(SIZES.items(), pairs, ICCS):
        layout = layout_of(many, spread)
        size = size_of(layout)
        formula = power_of_t(EFFECT / float(size.variance(icc)) ** 0.5, size.df, LEVEL)
        rng = stream(SEED, "next_trial", name, str(many), f"{icc:g}")
        chunks = [np.full(min(CHUNK, draws - k), EFFECT) for k in range(0, draws, CHUNK)]
        drawn = np.concatenate([found(layout, icc, chunk, rng) for chunk in chunks])
        yield name, many, icc, formula, float(drawn.mean())


def studied(prior: tuple[float, float]) -> Components:
    """Return what one study of five pairs says of the variances."""
    layout = layout_of(5, SIZES["unequal"])
    study = draw(layout, Truth(icc=0.05), 1, stream(SEED, "next_trial", "study"))
    X = np.column_stack([np.ones(layout.n), layout.active, layout.pairs, study.baseline[0]])
    return components(strata(fit_ols(X, study.outcome[0]), layout.team), prior)


def assurances(
    draws: int, pairs: tuple[int, ...] = ASSURED
) -> Iterator[tuple[str, int, float, float]]:
    """Yield prior, pairs, assurance by formula and share of drawn trials."""
    for (name, prior), many in product(PRIORS.items(), pairs):
        layout, known = layout_of(many, SIZES["unequal"]), studied(prior)
        rng = stream(SEED, "next_trial", name, str(many))
        node = rng.choice(len(known.icc), size=draws, p=known.weights)
        effects = EFFECT * (rng.standard_gamma(known.shape, draws) / known.rate[node]) ** 0.5
        drawn = [
            found(layout, float(known.icc[k]), effects[node == k], rng) for k in np.unique(node)
        ]
        formula = assurance(EFFECT, size_of(layout), known, LEVEL)
        yield name, many, formula, float(np.concatenate(drawn).mean())


def _said(formula: float, drawn: float, draws: int) -> str:
    error = (drawn * (1.0 - drawn) / draws) ** 0.5
    return f"{formula:.3f} | {drawn:.3f} ± {error:.3f} | {drawn - formula:+.3f} |"


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=4000)
    draws = parser.parse_args().draws
    print(f"Seed {SEED}, {draws} draws of each line; SYNTHETIC data.\n")
    print(
        "| sizes | pairs | ICC | power by formula | drawn | difference |\n|---|---|---|---|---|---|"
    )
    for name, pairs, icc, formula, drawn in powers(draws):
        print(f"| {name} | {pairs} | {icc:g} | {_said(formula, drawn, draws)}", flush=True)
    print("\n| prior | pairs | assurance by formula | drawn | difference |\n|---|---|---|---|---|")
    for name, pairs, formula, drawn in assurances(draws):
        print(f"| {name} | {pairs} | {_said(formula, drawn, draws)}", flush=True)


if __name__ == "__main__":
    main()
