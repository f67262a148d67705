"""How often intervals for a share cover it where people sit in few teams.

``python benchmarks/shares_of_teams.py`` draws 20,000 sets of five teams of fifteen people whose
chances are beta distributed with an intraclass correlation, and prints coverage (of the upper limit
too) and mean width of the intervals that `models.proportions` could give.
"""

from __future__ import annotations

import numpy as np
from scipy.special import stdtrit

from ccp_analysis.models.proportions import exact_limits, logit_limits

TEAMS, PEOPLE, DRAWS = 5, 15, 20_000


def main() -> None:
    """Print a line for each share and intraclass correlation."""
    rng = np.random.default_rng(20261129)
    print("share  icc  none  linear: covers width  logit: covers width  rest exact: covers upper")
    for share in (0.03, 0.1, 0.25, 0.5):
        for icc in (0.0, 0.05, 0.1, 0.2):
            # With an intraclass correlation of 0 the chances are those of a single number.
            size = (DRAWS, TEAMS)
            chances = np.full(size, share)
            if icc:
                scale = (1.0 - icc) / icc
                chances = rng.beta(share * scale, (1.0 - share) * scale, size=size)
            events = rng.binomial(PEOPLE, chances)
            n = TEAMS * PEOPLE
            total = events.sum(axis=1)
            found = total / n
            apart = np.square(events - PEOPLE * found[:, None]).sum(axis=1)
            error = np.sqrt(apart / (1.0 - 1.0 / TEAMS)) / n  # CR2 with teams of one size
            inside = (error > 0) & (total > 0) & (total < n)
            t = stdtrit(TEAMS - 1, 0.975)
            low, high = (np.clip(found + sign * t * error, 0.0, 1.0) for sign in (-1, 1))
            linear = ((low <= share) & (share <= high))[inside].mean()
            width = (high - low)[inside].mean()
            low, high = logit_limits(found[inside], error[inside], TEAMS - 1, 0.95)
            logit = ((low <= share) & (share <= high)).mean()
            wide = (high - low).mean()
            limits = {
                k: exact_limits(k, n, np.full(TEAMS, PEOPLE), 0.1, 0.95)
                for k in np.unique(total[~inside]).tolist()
            }
            ends = np.array([limits[k] for k in total[~inside].tolist()]).reshape(-1, 2)
            rest = ((ends[:, 0] <= share) & (share <= ends[:, 1])).mean() if len(ends) else np.nan
            top = ends[:, 1].mean() if len(ends) else np.nan
            print(
                f"{share:5.2f} {icc:4.2f} {1 - inside.mean():5.3f}  {linear:.3f} {width:.3f}   "
                f"{logit:.3f} {wide:.3f}   {rest:.3f} {top:.3f}"
            )


if __name__ == "__main__":
    main()
