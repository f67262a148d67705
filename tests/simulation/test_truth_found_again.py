"""A draw of 50,000 people in 1,000 teams: every tabulated figure is found again.

Ranges are about four standard errors of the figure in such a draw; the widest are those that rest
on 500 Trusts.
"""

from __future__ import annotations

from functools import cache
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from large import LARGE, SEED, large
from synthetic.items import calibrate
from synthetic.parameters import DEFAULT, Scale
from synthetic.services import moments
from synthetic.study_data import StudyData, draw_study

pytestmark = pytest.mark.simulation

SCALES = {scale.name: scale for scale in DEFAULT.scales}
EFFECTS = {"social_capital": 1.5, "utility": 0.06, "su_gp": 0.5}


@cache
def large_with_effects() -> StudyData:
    return draw_study(LARGE.with_effects(**EFFECTS), SEED)


@cache
def team_index() -> np.ndarray:
    return pd.factorize(large().truth["team"], sort=True)[0]


def people(scale: Scale) -> np.ndarray:
    """Everyone; of goal attainment those with three goals, for whom its SD is stated."""
    if scale.name != "goal_attainment":
        return np.ones(LARGE.recruited, dtype=bool)
    baseline = large().baseline
    three = set(baseline.loc[baseline["goal_3"].notna(), "participant"])
    return large().truth["participant"].isin(three).to_numpy()


def score(scale: Scale, visit: str) -> np.ndarray:
    return large().truth[f"{scale.name}_{visit}"].to_numpy()


def pair_correlations(x: np.ndarray, y: np.ndarray, team: np.ndarray) -> tuple[float, float]:
    """Mean correlation of x of one with y of another: in one team, in two teams of a Trust."""
    count = int(team.max()) + 1
    x, y = (x - x.mean()) / x.std(), (y - y.mean()) / y.std()
    size = np.bincount(team, minlength=count)
    sx, sy = np.bincount(team, x, count), np.bincount(team, y, count)
    own = np.bincount(team, x * y, count)
    within = (sx * sy - own).sum() / (size * (size - 1)).sum()
    sx, sy, size = sx.reshape(-1, 2), sy.reshape(-1, 2), size.reshape(-1, 2)
    across = (sx[:, 0] * sy[:, 1] + sx[:, 1] * sy[:, 0]).sum() / (2 * size.prod(axis=1).sum())
    return float(within), float(across)


@pytest.mark.parametrize("name", SCALES)
def test_mean_sd_and_change(name: str) -> None:
    scale, chosen = SCALES[name], people(SCALES[name])
    solved = calibrate(scale)
    first, later = score(scale, "baseline"), score(scale, "month6")
    if not scale.levels:
        assert (solved.mean, solved.sd) == pytest.approx((scale.mean, scale.sd), rel=1e-7)
    assert first.mean() == pytest.approx(solved.mean, abs=0.045 * solved.sd)
    assert first[chosen].std() == pytest.approx(solved.sd, rel=0.02)
    assert later[chosen].std() == pytest.approx(solved.sd_follow_up, rel=0.02)
    assert (later - first).mean() == pytest.approx(scale.change, abs=0.025 * solved.sd)


@pytest.mark.parametrize("name", [s.name for s in DEFAULT.scales if len(s.items) > 1])
def test_alpha(name: str) -> None:
    scale = SCALES[name]
    items = large().baseline[list(scale.items)].dropna().to_numpy(float)
    count = items.shape[1]
    alpha = count / (count - 1) * (1 - items.var(axis=0).sum() / items.sum(axis=1).var())
    if scale.levels:  # not stated for the value set: a loading of .72 on ordinal items
        assert 0.75 < alpha < 0.85
    else:
        assert alpha == pytest.approx(scale.alpha, abs=0.012)


@pytest.mark.parametrize("name", SCALES)
def test_retest_and_cluster_correlations(name: str) -> None:
    scale, chosen = SCALES[name], people(SCALES[name])
    first, later = score(scale, "baseline")[chosen], score(scale, "month6")[chosen]
    assert np.corrcoef(first, later)[0, 1] == pytest.approx(scale.retest, abs=0.02)
    team = team_index()[chosen]
    for one in (first, later):
        within, across = pair_correlations(one, one, team)
        assert across == pytest.approx(scale.icc_trust, abs=0.016)
        assert within - across == pytest.approx(scale.icc_team, abs=0.016)
    within, across = pair_correlations(first, later, team)
    lasting = (1 - DEFAULT.team_visit_share) * scale.icc_team
    assert within - across == pytest.approx(lasting, abs=0.016)


def test_correlations_between_scores() -> None:
    chosen = people(SCALES["goal_attainment"])
    for one, other in combinations(SCALES.values(), 2):
        for visits in (("baseline", "baseline"), ("month6", "month6"), ("baseline", "month6")):
            pair = score(one, visits[0])[chosen], score(other, visits[1])[chosen]
            expected = one.loading * other.loading
            if visits[0] != visits[1]:
                expected *= DEFAULT.factor_retest
            assert np.corrcoef(*pair)[0, 1] == pytest.approx(expected, abs=0.03)


def test_answers_to_the_value_set() -> None:
    scale = SCALES["utility"]
    for item, shares in zip(scale.items, scale.levels, strict=True):
        found = large().baseline[item].value_counts(normalize=True).sort_index()
        assert found.to_numpy() == pytest.approx(shares, abs=0.015)


@pytest.mark.parametrize(
    "service", (*DEFAULT.services, DEFAULT.days_off_work), ids=lambda s: s.name
)
def test_services(service) -> None:
    for table in (large().baseline, large().followup):
        counts = table[service.name].dropna().to_numpy(float)
        used = counts[counts > 0]
        assert np.mean(counts == 0) == pytest.approx(service.zeros, abs=0.015)
        error = used.std() / len(used) ** 0.5
        assert used.mean() == pytest.approx(service.mean, abs=4.5 * error)
        assert counts.mean() == pytest.approx(moments(service)[0], rel=0.08)
        assert counts.max() <= service.maximum


def test_services_belong_to_the_person() -> None:
    both = large().baseline.merge(large().followup, on="participant", suffixes=("_0", "_1"))
    names = [s.name for s in DEFAULT.services if s.zeros < 0.5]
    first = both[[f"{n}_0" for n in names]].to_numpy(float)
    later = both[[f"{n}_1" for n in names]].to_numpy(float)
    for j in range(len(names)):
        assert 0.3 < np.corrcoef(first[:, j], later[:, j])[0, 1] < 0.65
    between = np.corrcoef(first.T)[np.triu_indices(len(names), 1)]
    assert (between > 0.1).all() and (between < 0.3).all()
    merged = large().baseline.merge(large().truth[["participant", "wellbeing_baseline"]])
    assert np.corrcoef(merged["su_gp"], merged["wellbeing_baseline"])[0, 1] < -0.05


def test_people() -> None:
    baseline = large().baseline
    assert baseline["age"].mean() == pytest.approx(DEFAULT.age_mean, abs=0.5)
    assert baseline["age"].between(DEFAULT.age_low, DEFAULT.age_high).all()
    assert (baseline["years_in_contact"] <= baseline["age"] - 14).all()
    assert 0.35 < baseline["age"].corr(baseline["years_in_contact"]) < 0.6
    for category in DEFAULT.categories:
        found = baseline[category.name].value_counts(normalize=True).reindex(category.codes)
        assert found.to_numpy() == pytest.approx(category.shares, abs=0.01)
    assert (baseline["days_off_work"].notna() == (baseline["employment"] == "employed")).all()
    goals = baseline[["goal_1", "goal_2", "goal_3"]].notna().sum(axis=1)
    shares = goals.value_counts(normalize=True).sort_index()
    assert shares.to_numpy() == pytest.approx(DEFAULT.goals, abs=0.01)


def test_loss_depends_on_baseline_and_on_nothing_else() -> None:
    truth = large().truth[large().truth["interviewed_baseline"]]
    lost = ~truth["interviewed_month6"]
    assert lost.sum() == LARGE.lost
    wellbeing = SCALES["wellbeing"]
    design = truth[[f"wellbeing_{visit}" for visit in ("baseline", "month6")]]
    design = ((design - wellbeing.mean) / wellbeing.sd).set_axis(["wellbeing", "later"], axis=1)
    design["age"] = (truth["age"] - DEFAULT.age_mean) / DEFAULT.age_sd
    design["arm"] = (truth["arm"] == "intervention").astype(float)
    found = sm.Logit(lost.astype(float), sm.add_constant(design)).fit(disp=False).params
    assert found["wellbeing"] == pytest.approx(DEFAULT.loss_wellbeing, abs=0.08)
    assert found["age"] == pytest.approx(DEFAULT.loss_age, abs=0.06)
    assert found["later"] == pytest.approx(0, abs=0.08)
    assert found["arm"] == pytest.approx(0, abs=0.1)


@pytest.mark.parametrize("outcome", ["social_capital", "utility"])
def test_effect_is_that_many_points_of_the_score(outcome: str) -> None:
    arm = (large().truth["arm"] == "intervention").to_numpy()
    column, scale = f"{outcome}_month6", SCALES[outcome]
    without, with_effect = large().truth[column], large_with_effects().truth[column]
    added = (with_effect - without).to_numpy()
    assert (added[~arm] == 0).all()
    assert added[arm].mean() == pytest.approx(EFFECTS[outcome], rel=0.02)
    first = large_with_effects().truth[f"{outcome}_baseline"].to_numpy()
    slope = scale.retest * calibrate(scale).sd_follow_up / calibrate(scale).sd
    adjusted = with_effect.to_numpy() - slope * first
    pairs = pd.DataFrame({"y": adjusted, "arm": arm, "trust": large().truth["trust"]})
    means = pairs.groupby(["trust", "arm"])["y"].mean().unstack()
    difference = means[True] - means[False]
    error = difference.std() / len(difference) ** 0.5
    assert difference.mean() == pytest.approx(EFFECTS[outcome], abs=3.5 * error)
    assert error < 0.02 * calibrate(scale).sd


def test_effects_leave_everything_else_as_it_was() -> None:
    """And that on a service is in contacts for each person."""
    before, after = large(), large_with_effects()
    pd.testing.assert_frame_equal(before.baseline, after.baseline)
    pd.testing.assert_frame_equal(before.status, after.status)
    changed = {c for c in before.followup if not before.followup[c].equals(after.followup[c])}
    allowed = {*SCALES["social_capital"].items, *SCALES["utility"].items, "su_gp"}
    assert "su_gp" in changed and changed <= allowed
    arm = before.followup.merge(before.truth[["participant", "arm"]])["arm"] == "intervention"
    added = after.followup["su_gp"] - before.followup["su_gp"]
    assert (added[~arm] == 0).all()
    assert added[arm].mean() == pytest.approx(EFFECTS["su_gp"], rel=0.05)
