"""The solved pieces of the generator against direct sums and plain simulation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import nbinom
from synthetic.items import calibrate, draw_answers
from synthetic.latent import draw_factor, draw_latent, structure_of
from synthetic.parameters import DEFAULT, Parameters, Service, scale_named
from synthetic.people import loss_probabilities, systematic_sample
from synthetic.services import draw_counts, moments, positive_part, with_effect

SOCIAL_CAPITAL = scale_named(DEFAULT, "social_capital")


def test_score_of_drawn_answers_has_the_stated_moments_and_is_that_of_its_answers() -> None:
    rng = np.random.default_rng(3)
    for scale in DEFAULT.scales:
        solved = calibrate(scale)
        answers, score = draw_answers(solved, rng.standard_normal(100_000), rng)
        assert answers.min() >= scale.low and answers.max() <= scale.high
        assert score.mean() == pytest.approx(solved.mean, abs=0.015 * solved.sd)
        assert score.std() == pytest.approx(solved.sd, rel=0.012)
        if scale.levels:
            weights = np.array(scale.weights)
            expected = 1 - weights[np.arange(answers.shape[1]), answers - 1].sum(axis=1)
        else:
            expected = answers.mean(axis=1) if scale.score == "mean" else answers.sum(axis=1)
        assert score == pytest.approx(expected, abs=1e-12)


def test_correlation_of_scores_follows_from_that_of_latent_values() -> None:
    rng, solved = np.random.default_rng(5), calibrate(SOCIAL_CAPITAL)
    z = rng.standard_normal((200_000, 2))
    rho = solved.latent_retest
    first = draw_answers(solved, z[:, 0], rng)[1]
    later_theta = rho * z[:, 0] + np.sqrt(1 - rho**2) * z[:, 1] + solved.shift
    later = draw_answers(solved, later_theta, rng)[1]
    assert np.corrcoef(first, later)[0, 1] == pytest.approx(SOCIAL_CAPITAL.retest, abs=0.006)
    assert later.mean() - first.mean() == pytest.approx(SOCIAL_CAPITAL.change, abs=0.05)


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


def test_latent_values_have_unit_variance_and_the_stated_retest() -> None:
    large = DEFAULT.at_scale(60_000, 1200)
    team = np.repeat(np.arange(1200), large.team_sizes)
    rng = np.random.default_rng(6)
    factor = draw_factor(large, large.recruited, rng)
    theta = draw_latent(structure_of(large, "wellbeing"), factor, team, large, rng)
    assert theta.mean(axis=0) == pytest.approx([0, 0], abs=0.04)
    assert theta.std(axis=0) == pytest.approx([1, 1], abs=0.02)
    expected = calibrate(scale_named(large, "wellbeing")).latent_retest
    assert np.corrcoef(theta.T)[0, 1] == pytest.approx(expected, abs=0.02)


@pytest.mark.parametrize(
    "service", (*DEFAULT.services, DEFAULT.days_off_work), ids=lambda s: s.name
)
def test_positive_part_has_the_stated_mean(service: Service) -> None:
    weights = positive_part(service)
    assert weights.shape == (service.maximum,) and (weights >= 0).all()
    assert weights.sum() == pytest.approx(1, abs=1e-12)
    assert weights @ np.arange(1, service.maximum + 1) == pytest.approx(service.mean, rel=1e-9)


def test_positive_part_is_a_truncated_negative_binomial() -> None:
    service = next(s for s in DEFAULT.services if s.name == "su_gp")
    weights, k = positive_part(service), service.shape
    ratio = weights[1] / weights[0]  # pmf(2) / pmf(1) = (1 + k) / 2 * (1 - p)
    p = 1 - 2 * ratio / (1 + k)
    counts = np.arange(1, service.maximum + 1)
    expected = nbinom.pmf(counts, k, p)
    assert weights == pytest.approx(expected / expected.sum(), rel=1e-9)


def test_counts_are_quantiles_of_the_latent_value() -> None:
    service = Service("su_gp", 0.5, 2.0, 1.0, maximum=4)
    z = np.random.default_rng(7).standard_normal(200_000)
    counts = draw_counts(service, z)
    shares = np.bincount(counts, minlength=5) / len(z)
    assert shares == pytest.approx([0.5, *(0.5 * positive_part(service))], abs=0.004)
    order = np.argsort(z)
    assert (np.diff(counts[order]) >= 0).all()
    assert counts.mean() == pytest.approx(moments(service)[0], abs=0.01)
    assert counts.std() == pytest.approx(moments(service)[1], abs=0.01)


def test_effect_on_a_service_is_per_person() -> None:
    service = DEFAULT.services[0]
    more = with_effect(service, 0.7)
    assert moments(more)[0] - moments(service)[0] == pytest.approx(0.7, abs=1e-9)


def test_systematic_sample_has_exact_size_and_inclusion_probabilities() -> None:
    probabilities = np.array([0.9, 0.5, 0.3, 0.2, 0.1, 0.4, 0.6])
    rng = np.random.default_rng(8)
    drawn = np.stack([systematic_sample(probabilities, rng) for _ in range(20_000)])
    assert (drawn.sum(axis=1) == 3).all()
    assert drawn.mean(axis=0) == pytest.approx(probabilities, abs=0.015)


def test_loss_probabilities_sum_to_the_number_lost() -> None:
    rng = np.random.default_rng(9)
    wellbeing, age = rng.normal(41, 10, 151), rng.normal(43, 12.5, 151)
    probability = loss_probabilities(DEFAULT, wellbeing, age)
    assert probability.sum() == pytest.approx(24, abs=1e-9)
    logit = np.log(probability / (1 - probability))
    slopes = np.linalg.lstsq(
        np.column_stack([np.ones(151), (wellbeing - 41) / 10, (age - 43) / 12.5]), logit, rcond=None
    )[0]
    assert slopes[1:] == pytest.approx([DEFAULT.loss_wellbeing, DEFAULT.loss_age], abs=1e-9)
    assert (loss_probabilities(replace(DEFAULT, lost=0), wellbeing, age) == 0).all()


def test_at_scale_keeps_proportions() -> None:
    small = DEFAULT.at_scale(50, 10)
    assert small.recruited == 50 and min(small.team_sizes) >= 1
    assert DEFAULT.at_scale(159, 10) == DEFAULT
    large = DEFAULT.at_scale(50_000, 1000)
    assert large.recruited == 50_000 and len(large.team_sizes) == 1000
    assert large.lost == round(24 * 50_000 / 159)
    assert max(large.team_sizes) / min(large.team_sizes) > 2


def test_with_icc_changes_only_the_cluster_correlations() -> None:
    changed = DEFAULT.with_icc(0.1)
    for before, after in zip(DEFAULT.scales, changed.scales, strict=True):
        if not before.levels:
            assert after == replace(before, icc_team=0.1)
        solved = calibrate(after)
        assert solved.latent_team > calibrate(before).latent_team
    assert all(s.icc_trust == 0.0 for s in DEFAULT.with_icc(0.0, 0.0).scales)
    assert calibrate(DEFAULT.with_icc(0.0, 0.0).scales[0]).latent_team == 0
