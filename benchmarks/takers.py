"""The effect in those who take it up, and dose and response, where the truth is known.

Ten teams in five pairs, 151 people, the arm a property of the team. Whether somebody takes part
depends on a propensity that goes with the outcome (`r`, its correlation with the residual of
people) and with the team; in the comparison teams three in a hundred do, and everybody who would
there would in the other arm. Compared are Anderson-Rubin sets and two-stage least squares, on
people and on team means, and the regression of the outcome on the exposure. Then the arms differ
in the outcome by something else besides; and outcome and exposure of some are lost and imputed with
fixed teams. All data are SYNTHETIC. Prints Markdown:

    PYTHONPATH=src python benchmarks/takers.py [--draws 2000]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import ccp_analysis  # noqa: F401  (sets the number of BLAS threads before NumPy loads)

# isort: split
import numpy as np
from scipy.special import ndtri

from ccp_analysis.characteristics.imputing import Column, completed
from ccp_analysis.characteristics.trials import Layout, Loss, Truth, draw, lose
from ccp_analysis.models.averaged import pool_averaged
from ccp_analysis.models.instrumental import (
    ReducedForms,
    anderson_rubin,
    anderson_rubin_averaged,
    paired_reduced_forms,
    reduced_forms,
    strength,
    two_stage,
)
from ccp_analysis.models.ols import fit_ols
from ccp_analysis.models.robust import cluster_robust
from ccp_analysis.models.within_between import within_between
from ccp_analysis.random import stream

SEED, CHUNK, ICC, CONTAMINATION = 20261203, 250, 0.05, 0.03
SD = 6.0  # points, of the outcome given the baseline
M, ITERATIONS = 20, 8
CONTACTS = 5.0  # mean number of those who take part, at least one
LAYOUT = Layout.of_pairs(np.array([[22, 19], [17, 16], [14, 14], [13, 14], [11, 11]]))
TEAM, PAIR, ARM = LAYOUT.team, LAYOUT.pair[LAYOUT.team], LAYOUT.arm[LAYOUT.team]
FIXED = np.column_stack([np.ones(len(TEAM)), PAIR[:, None] == np.arange(1, 5)])


@dataclass(frozen=True)
class Cell:
    """Share of the active arm that takes part, effect in points, confounding.

    With `contacts` the exposure is their number, and the effect that of the mean number. `direct`
    is a difference between the arms, in points, that does not come from the exposure.
    """

    uptake: float
    effect: float
    r: float = 0.3
    contacts: bool = False
    direct: float = 0.0

    @property
    def slope(self) -> float:
        """The true effect per unit of the exposure."""
        return self.effect / CONTACTS if self.contacts else self.effect


UPTAKES, EFFECTS = (0.1, 0.3, 0.8), (0.0, 5.0)
CELLS = (
    *(Cell(u, e, r) for r in (0.0, 0.3, 0.6) for u in UPTAKES for e in EFFECTS),
    *(Cell(u, e, contacts=True) for u in UPTAKES for e in EFFECTS),
)
CONFOUNDED = tuple(Cell(u, e, r) for u in (0.3, 0.8) for e in EFFECTS for r in (-0.3, 0.0, 0.3))
DIRECT = tuple(Cell(u, 0.0, direct=1.0) for u in UPTAKES)
LEVELS = ("people", "team means")
LOSSES = {
    "16 %, at random": Loss(0.16),
    "30 %, by baseline and arm": Loss(0.30, 1.0, by_arm=True),
}


def trials(cell: Cell, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return outcome and exposure (draws, n), and baseline."""
    rng = stream(SEED, "takers", str(cell), str(k))
    drawn = draw(LAYOUT, Truth(icc=ICC, auxiliary=cell.r), CHUNK, rng)
    team = ICC**0.5 * rng.standard_normal((CHUNK, len(LAYOUT.arm)))
    size = (cell.r**2 * (1.0 - ICC) + 1.0 - cell.r**2 + ICC) ** 0.5
    propensity = (drawn.auxiliary + team[:, TEAM]) / size
    taken = propensity > -ndtri(np.where(ARM == 1, cell.uptake, CONTAMINATION))
    contacts = 1.0 + rng.poisson(CONTACTS - 1.0, taken.shape)
    exposure = taken * (contacts if cell.contacts else 1.0)
    y = SD * drawn.outcome + cell.slope * exposure + cell.direct * ARM
    return y, exposure, drawn.baseline[..., None]


def chunk(cell: Cell, k: int) -> dict[str, np.ndarray]:
    """Return, of people and of team means, what is said of `CHUNK` trials (draws, 12)."""
    y, exposure, baseline = trials(cell, k)
    X = np.concatenate([np.broadcast_to(FIXED, (*y.shape, FIXED.shape[1])), baseline], axis=-1)
    reduced = (
        reduced_forms(y, exposure, X, ARM, TEAM),
        paired_reduced_forms(y, exposure, baseline, TEAM, LAYOUT.pair, LAYOUT.arm),
    )
    return {name: said(cell, found) for name, found in zip(LEVELS, reduced, strict=True)}


def said(cell: Cell, reduced: ReducedForms) -> np.ndarray:
    truth, effect, found = cell.slope, two_stage(reduced), anderson_rubin(reduced)
    power = strength(reduced.exposure)
    low, high = (limit[..., 0] for limit in effect.interval())
    return np.column_stack(
        [
            reduced.status == "ok",
            power.difference,
            power.f,
            found.holds(truth),
            found.kind == "interval",
            found.kind == "complement",
            found.kind == "line",
            np.where(found.kind == "interval", found.high - found.low, np.inf),
            effect.estimate[..., 0],
            (low <= truth) & (high >= truth),
            high - low,
            found.holds(0.0),
        ]
    )


def exposed(cell: Cell, k: int) -> np.ndarray:
    """Return estimates and coverage of slopes on the exposure of `CHUNK` trials (draws, 6)."""
    y, exposure, baseline = trials(cell, k)
    fixed = np.broadcast_to(FIXED, (*y.shape, FIXED.shape[1]))
    columns = []
    # Pairs would leave of the slope between teams little but the comparison of the arms.
    split = within_between(exposure, TEAM)
    for parts in (
        (exposure[..., None], fixed, baseline),
        (split, fixed[..., :1], baseline),
    ):
        X, count = np.concatenate(parts, axis=-1), parts[0].shape[-1]
        found = cluster_robust(fit_ols(X, y), TEAM, np.eye(X.shape[-1])[:count])
        low, high = found.interval()
        columns += [found.estimate, (low <= cell.slope) & (high >= cell.slope)]
    return np.concatenate(columns, axis=-1)


def imputed(cell: Cell, loss: Loss, k: int) -> np.ndarray:
    """Return what is said of `CHUNK` trials imputed, on people and team means (draws, 2 x 4)."""
    y, exposure, baseline = trials(cell, k)
    rng = stream(SEED, "takers imputed", str(cell), str(loss), str(k))
    lost = lose(LAYOUT, baseline[..., 0], loss, rng)
    # Where nobody who was seen takes part there is nothing to impute from.
    kept = (exposure * ~lost).any(axis=1)
    y, exposure, baseline, lost = (v[kept] for v in (y, exposure, baseline, lost))
    columns = [Column(baseline[..., 0], np.zeros_like(lost)), Column(y, lost)]
    drawn = completed([*columns, Column(exposure, lost)], TEAM, M, ITERATIONS, rng)
    X = np.concatenate([np.broadcast_to(FIXED, (*y.shape, FIXED.shape[1])), baseline], axis=-1)
    reduced = (
        reduced_forms(drawn[1], drawn[2], X, ARM, TEAM),
        paired_reduced_forms(drawn[1], drawn[2], baseline, TEAM, LAYOUT.pair, LAYOUT.arm),
    )
    rows = []
    for forms in reduced:
        found, pooled = anderson_rubin_averaged(forms), pool_averaged(two_stage(forms))
        low, high = (limit[..., 0] for limit in pooled.interval(0.95))
        least, most = (v[..., 0] for v in pool_averaged(forms.exposure).interval(0.95))
        rows += [
            found.holds(cell.slope),
            found.kind == "interval",
            (low <= cell.slope) & (high >= cell.slope),
            (least <= difference(cell)) & (most >= difference(cell)),
        ]
    return np.column_stack(rows)


def difference(cell: Cell) -> float:
    """Return the true difference in exposure between the arms."""
    return (cell.uptake - CONTAMINATION) * (CONTACTS if cell.contacts else 1.0)


def share(values: np.ndarray) -> str:
    """Return a share with its Monte Carlo error."""
    mean = values.mean()
    return f"{mean:.3f} ± {(mean * (1 - mean) / len(values)) ** 0.5:.3f}"


def lines(cell: Cell, parts: list[dict[str, np.ndarray]]) -> Iterator[str]:
    """Return a line for people and one for team means."""
    for name in LEVELS:
        whole = np.concatenate([part[name] for part in parts])
        there = whole[:, 0] == 1.0
        kept = whole[there]
        truth, estimate = cell.slope, kept[:, 8]
        cells = [
            f"{cell.uptake:g}",
            f"{cell.effect:g}",
            f"{cell.r:g}",
            name,
            f"{kept[:, 1].mean():.3f}",
            f"{np.median(kept[:, 2]):.1f}",
            share(kept[:, 3]),
            *(f"{kept[:, k].mean():.3f}" for k in (4, 5, 6)),
            f"{np.median(kept[:, 7]):.1f}",
            f"{1.0 - kept[:, 11].mean():.3f}",
            share(kept[:, 9]),
            f"{np.median(estimate) - truth:+.2f}",
            f"{estimate.mean() - truth:+.2f} ± {estimate.std(ddof=1) / len(kept) ** 0.5:.2f}",
            f"{np.median(kept[:, 10]):.1f}",
            f"{(~there).sum():d}",
        ]
        yield f"| {' | '.join(cells)} |"


def slopes(cell: Cell, found: np.ndarray) -> str:
    """Return a line on the regression of the outcome on the exposure."""
    cells = [f"{cell.uptake:g}", f"{cell.effect:g}", f"{cell.r:+g}"]
    for estimate, covered in ((0, 1), (3, 5), (2, 4)):
        off = found[:, estimate] - cell.slope
        cells.append(f"{off.mean():+.2f} ± {off.std(ddof=1) / len(off) ** 0.5:.2f}")
        cells.append(f"{found[:, covered].mean():.3f}")
    return f"| {' | '.join(cells)} |"


HEAD = (
    "uptake",
    "effect",
    "r",
    "on",
    "difference in exposure",
    "F, median",
    "AR covers",
    "interval",
    "half-lines",
    "everything",
    "AR width, median",
    "AR excludes 0",
    "2SLS covers",
    "2SLS bias, median",
    "2SLS bias, mean",
    "2SLS width, median",
    "refused",
)
IMPUTED = (
    "lost",
    "uptake",
    "effect",
    "on",
    "AR covers",
    "interval",
    "2SLS covers",
    "first stage",
    "draws",
)
SLOPES = ("uptake", "effect", "r", "all", "covers", "within teams", "covers", "between", "covers")


def heading(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |\n" + "|---" * len(cells) + "|"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--processes", type=int, default=2)
    asked = parser.parse_args()
    chunks, started = range(asked.draws // CHUNK), time.perf_counter()
    print(f"{asked.draws} draws of SYNTHETIC trials a cell; ICC {ICC:g}, SD {SD:g} points.")
    with ProcessPoolExecutor(asked.processes) as pool:
        for title, cells in (
            ("Exposure: takes part or not", [c for c in CELLS if not c.contacts]),
            (f"Exposure: contacts, {CONTACTS:g} on average", [c for c in CELLS if c.contacts]),
            ("The arms differ by 1 point in something else", DIRECT),
        ):
            print(f"\n{title}\n\n{heading(HEAD)}")
            for cell in cells:
                parts = list(pool.map(partial(chunk, cell), chunks))
                print("\n".join(lines(cell, parts)), flush=True)
        print(f"\nBias of the outcome's slope on the exposure\n\n{heading(SLOPES)}")
        for cell in CONFOUNDED:
            found = np.concatenate(list(pool.map(partial(exposed, cell), chunks)))
            print(slopes(cell, found), flush=True)
        print(f"\nOutcome and exposure imputed, averaged contributions\n\n{heading(IMPUTED)}")
        for name, loss in LOSSES.items():
            for cell in (c for c in CELLS if c.r == 0.3 and not c.contacts):
                found = np.concatenate(list(pool.map(partial(imputed, cell, loss), chunks)))
                for level, part in zip(LEVELS, np.split(found, 2, axis=1), strict=True):
                    cells = [name, f"{cell.uptake:g}", f"{cell.effect:g}", level]
                    cells += [*map(share, part.T), str(len(part))]
                    print(f"| {' | '.join(cells)} |", flush=True)
    print(f"\n{time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
