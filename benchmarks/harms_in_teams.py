"""How often intervals for the difference of two rare shares cover it where people sit in few teams.

``python benchmarks/harms_in_teams.py`` draws 4,000 pairs of arms with the team sizes of a shipped
study, whose chances are beta distributed within an arm with an intraclass correlation, and prints
coverage and mean width: of CR2 with its Satterthwaite degrees of freedom, and of variances
recovered from the arms' own intervals, with these by CR2 wherever anybody has the event (``few`` of
0) and where ten people have it. CR2 has no draw in which nobody has the event: it fails there.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.special import stdtrit

from ccp_analysis.analyses.shares import share
from ccp_analysis.config.events import ASSUMED_ICC, FEW
from ccp_analysis.models.ols import fit_ols
from ccp_analysis.models.proportions import difference_limits
from ccp_analysis.models.robust import cluster_robust

REFERENCE, ACTIVE = np.array([18, 13, 17, 20, 8]), np.array([22, 19, 10, 9, 15])
DRAWS = 4_000
SHARES = ((0.01, 0.01), (0.03, 0.03), (0.06, 0.06), (0.0, 0.05), (0.03, 0.08), (0.2, 0.2))


def draw(rng: np.random.Generator, sizes: np.ndarray, chance: float, icc: float) -> np.ndarray:
    """Return people with an event by team, shape (draws, teams)."""
    chances = np.full((DRAWS, len(sizes)), chance)
    if icc and chance:
        scale = (1.0 - icc) / icc
        chances = rng.beta(chance * scale, (1.0 - chance) * scale, size=chances.shape)
    return rng.binomial(sizes, chances)


def had(counts: tuple[int, ...], sizes: np.ndarray) -> np.ndarray:
    """Return 0 or 1 of each person."""
    return np.concatenate([np.arange(n) < k for k, n in zip(counts, sizes, strict=True)]) * 1.0


@cache
def limits(counts: tuple[int, ...], active: bool, few: int) -> tuple[float, float, float]:
    """Return a share with its limits."""
    sizes = ACTIVE if active else REFERENCE
    team = np.repeat(np.arange(len(sizes)), sizes)
    row = share(had(counts, sizes), team, 0.95, ASSUMED_ICC, "team", few=few)
    return row["estimate"], row["conf_low"], row["conf_high"]


def by_cr2(reference: tuple[int, ...], active: tuple[int, ...]) -> tuple[float, float]:
    """Return the limits of CR2 over teams."""
    sizes = np.concatenate([REFERENCE, ACTIVE])
    team = np.repeat(np.arange(len(sizes)), sizes)
    arm = np.repeat([0.0, 1.0], [REFERENCE.sum(), ACTIVE.sum()])
    y = np.concatenate([had(reference, REFERENCE), had(active, ACTIVE)])
    fit = fit_ols(np.column_stack([np.ones(len(y)), arm]), y)
    found = cluster_robust(fit, team, np.array([[0.0, 1.0]]))
    half = float(stdtrit(found.df[0], 0.975) * found.std_error[0])
    return float(found.estimate[0]) - half, float(found.estimate[0]) + half


def main() -> None:
    """Print a line for each pair of shares and intraclass correlation."""
    rng = np.random.default_rng(20261129)
    print("reference active  icc   cr2: covers width   few 0: covers width  few 10: covers width")
    for low, high in SHARES:
        for icc in (0.0, 0.05, 0.1, 0.2):
            arms = [
                list(map(tuple, draw(rng, sizes, chance, icc).tolist()))
                for sizes, chance in ((REFERENCE, low), (ACTIVE, high))
            ]
            pairs = list(zip(*arms, strict=True))
            found = [np.array([by_cr2(*pair) for pair in pairs if any(map(any, pair))])]
            for few in (0, FEW):
                ends = [
                    difference_limits(limits(b, True, few), limits(a, False, few)) for a, b in pairs
                ]
                found.append(np.array(ends))
            said = [
                f"{((e[:, 0] <= high - low) & (high - low <= e[:, 1])).mean():.3f} "
                f"{(e[:, 1] - e[:, 0]).mean():.3f}"
                for e in found
            ]
            print(f"{low:9.2f} {high:6.2f} {icc:4.2f}   " + "         ".join(said))


if __name__ == "__main__":
    main()
