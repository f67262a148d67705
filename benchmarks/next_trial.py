"""The power of a next trial: the formula beside drawn trials, analysed as the plan does.

Pairs of teams with a baseline, equal or unequal sizes and losses; the arms are compared by ANCOVA
with fixed pairs, CR2 and Satterthwaite's degrees of freedom. The formula is the noncentral t with
pairs - 1 degrees of freedom and the variance of `models.assurance.Size`. All data are SYNTHETIC.
Prints Markdown:

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
from ccp_analysis.models.assurance import Size
from ccp_analysis.models.inference import power_of_t
from ccp_analysis.models.ols import fit_ols
from ccp_analysis.models.robust import cluster_robust
from ccp_analysis.random import stream

SEED, CHUNK, LEVEL = 20261129, 250, 0.95
EFFECT, PEOPLE, LOST = 0.54, 15, 0.16
PAIRS, ICCS = (5, 8, 12, 20), (0.0, 0.05, 0.17)
# Sizes of teams in turn, as multiples of their mean: alike, and with a coefficient of variation of
# .35 over all of them.
SIZES = {"equal": (1.0,), "unequal": (0.53, 1.0, 1.47, 1.2, 0.8)}


def layout_of(pairs: int, spread: tuple[float, ...]) -> Layout:
    """Return pairs of teams whose sizes go through the multiples in turn."""
    sizes = np.resize(np.array(spread), 2 * pairs) * PEOPLE
    return Layout.of_pairs(np.rint(sizes).astype(int).reshape(pairs, 2))


def found(layout: Layout, truth: Truth, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Return in which of the drawn trials the interval excludes zero."""
    trials = draw(layout, truth, draws, rng)
    there = ~lose(layout, trials.baseline, Loss(LOST, 0.5), rng)
    fixed = np.column_stack([np.ones(layout.n), layout.active, layout.pairs])
    X = np.concatenate(
        [np.broadcast_to(fixed, (draws, *fixed.shape)), trials.baseline[..., None]], -1
    )
    # Rows of zeros are as good as none.
    fit = fit_ols(X * there[..., None], trials.outcome * there)
    L = np.eye(X.shape[-1])[1]
    return np.asarray(cluster_robust(fit, layout.team, L, kind="CR2").p_value[:, 0] < 1.0 - LEVEL)


def formula(layout: Layout, truth: Truth) -> float:
    """Return the power by the noncentral t."""
    sizes = layout.sizes
    size = Size(sizes.mean() * (1.0 - LOST), len(sizes) // 2, float(sizes.std() / sizes.mean()))
    return power_of_t(truth.effect / float(size.variance(truth.icc)) ** 0.5, size.df, LEVEL)


def lines(
    draws: int, pairs: tuple[int, ...] = PAIRS
) -> Iterator[tuple[str, int, float, float, float]]:
    """Yield sizes, pairs, correlation, power by formula and share of drawn trials."""
    for (name, spread), many, icc in product(SIZES.items(), pairs, ICCS):
        layout, truth = layout_of(many, spread), Truth(effect=EFFECT, icc=icc)
        rng = stream(SEED, "next_trial", name, str(many), f"{icc:g}")
        chunks = [min(CHUNK, draws - done) for done in range(0, draws, CHUNK)]
        drawn = np.concatenate([found(layout, truth, chunk, rng) for chunk in chunks])
        yield name, many, icc, formula(layout, truth), float(drawn.mean())


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=4000)
    draws = parser.parse_args().draws
    print(f"Seed {SEED}, {draws} draws of each line; SYNTHETIC data.\n")
    print("| sizes | pairs | ICC | formula | drawn | difference |")
    print("|---|---|---|---|---|---|")
    for name, pairs, icc, by_formula, drawn in lines(draws):
        error = (drawn * (1.0 - drawn) / draws) ** 0.5
        print(
            f"| {name} | {pairs} | {icc:g} | {by_formula:.3f} | {drawn:.3f} ± {error:.3f} "
            f"| {drawn - by_formula:+.3f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
