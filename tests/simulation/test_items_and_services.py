"""Pieces of the generator: what they refuse, and what a large draw does not show.

`test_truth_found_again.py` finds means, spreads, correlations, services and losses again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import nbinom
from synthetic.items import calibrate
from synthetic.latent import structure_of
from synthetic.parameters import DEFAULT, Parameters
from synthetic.people import systematic_sample
from synthetic.services import positive_part

SOCIAL_CAPITAL = next(s for s in DEFAULT.scales if s.name == "social_capital")


REFUSED = [
    (lambda: calibrate(replace(SOCIAL_CAPITAL, mean=27.5)), "no items have this mean"),
    (lambda: calibrate(replace(SOCIAL_CAPITAL, sd=20.0)), "no items have this mean"),
    (lambda: calibrate(replace(SOCIAL_CAPITAL, change=13.0)), "out of reach"),
    (lambda: calibrate(replace(SOCIAL_CAPITAL, retest=0.95)), "out of reach"),
    (
        lambda: structure_of(
            replace(DEFAULT, scales=tuple(replace(s, loading=0.97) for s in DEFAULT.scales)),
            "social_capital",
        ),
        "out of reach",
    ),
    (
        lambda: structure_of(replace(DEFAULT, need_loading=0.9, need_retest=0.1), "need"),
        "not possible together",
    ),
    (lambda: positive_part(replace(DEFAULT.services[0], mean=0.5)), "out of reach"),
    (lambda: Parameters(team_sizes=(5, 5, 5)), "even number of teams"),
    (
        lambda: Parameters(team_sizes=(5, 5), intervention=(True, True)),
        "one team with and one without",
    ),
    (lambda: Parameters(effects=(("happiness", 1.0),)), "neither a scale nor a service"),
    (lambda: DEFAULT.at_scale(5, 10), "too few"),
]


@pytest.mark.parametrize(("make", "message"), REFUSED)
def test_what_no_study_has_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_positive_part_is_a_truncated_negative_binomial() -> None:
    service = next(s for s in DEFAULT.services if s.name == "su_gp")
    weights, k = positive_part(service), service.shape
    ratio = weights[1] / weights[0]  # pmf(2) / pmf(1) = (1 + k) / 2 * (1 - p)
    p = 1 - 2 * ratio / (1 + k)
    counts = np.arange(1, service.maximum + 1)
    expected = nbinom.pmf(counts, k, p)
    assert weights == pytest.approx(expected / expected.sum(), rel=1e-9)


def test_systematic_sample_has_exact_size_and_inclusion_probabilities() -> None:
    probabilities = np.array([0.9, 0.5, 0.3, 0.2, 0.1, 0.4, 0.6])
    rng = np.random.default_rng(8)
    drawn = np.stack([systematic_sample(probabilities, rng) for _ in range(20_000)])
    assert (drawn.sum(axis=1) == 3).all()
    assert drawn.mean(axis=0) == pytest.approx(probabilities, abs=0.015)


def test_at_scale_keeps_proportions() -> None:
    small = DEFAULT.at_scale(50, 10)
    assert small.recruited == 50 and min(small.team_sizes) >= 1
    assert DEFAULT.at_scale(159, 10) == DEFAULT
    large = DEFAULT.at_scale(50_000, 1000)
    assert large.recruited == 50_000 and len(large.team_sizes) == 1000
    assert large.lost == round(24 * 50_000 / 159)
    assert max(large.team_sizes) / min(large.team_sizes) > 2
