"""Every model that fits a batch: data drawn for it, and all that it gives, as numbers by name."""

from __future__ import annotations

import numpy as np
from visits_data import draw as draw_visits

from ccp_analysis.models.glm import fit_glm
from ccp_analysis.models.glm_inference import counterfactual, on_link_scale, standardised
from ccp_analysis.models.instrumental import (
    anderson_rubin,
    paired_reduced_forms,
    reduced_forms,
    two_stage,
)
from ccp_analysis.models.mixed import fit_mixed
from ccp_analysis.models.ols import classical, fit_ols
from ccp_analysis.models.random_intercept import fit_random_intercept
from ccp_analysis.models.robust import KINDS, cluster_robust, hc3
from ccp_analysis.models.small_sample import kenward_roger, kenward_roger_f, satterthwaite
from ccp_analysis.models.sur import fit_sur

POWERS = (1.0, 1.2, 1.5, 1.9, 2.0)
FAMILIES = ("binomial", "poisson", *(f"power {power:g}" for power in POWERS))
# Covariance over the visits of a person, and of a team.
VISITS = {
    "us": ("us", None),
    "cs": ("cs", None),
    "csh": ("csh", None),
    "us, teams cs": ("us", "cs"),
    "us, teams us": ("us", "us"),
    "cs, teams us": ("cs", "us"),
}
LINEAR = ("least squares", "random intercept", "two equations", "instrument", "pairs", *VISITS)
MODELS = (*LINEAR, *FAMILIES)


def draw(model, seed, batch=(), group_sd=0.7):
    """Return a design, an outcome and codes, rows in no order; the arm is column 1 but of visits.

    The last column is a covariate. Of the power families the outcome is a cost, a fifth of them 0.
    """
    if model in VISITS:
        return draw_visits(seed, people=60, batch=batch, shared_design=False)
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 12, size=8) + np.array([0, 0, 0, 0, 1, 2, 3, 9])
    if model in FAMILIES or model in ("instrument", "pairs"):
        sizes = rng.integers(8, 20, size=8) + np.array([0, 0, 0, 0, 1, 2, 9, 20])
    groups = rng.permutation(np.repeat(np.arange(8), sizes))
    shape = (*batch, len(groups))
    arm = np.broadcast_to((groups % 2).astype(float), shape)
    plain = [np.ones(shape), arm, *rng.normal(3.0, 2.0, size=(2, *shape))]
    between = rng.normal(size=(*batch, 8))[..., groups]
    if model not in FAMILIES:
        y = 5.0 + 0.4 * plain[2] + group_sd * between + rng.normal(size=shape)
        return np.stack(plain, axis=-1), y, groups, groups // 2
    predictor = 0.2 * plain[2] - 0.5 + 0.4 * between
    if model == "binomial":
        y = (rng.random(shape) < 1.0 / (1.0 + np.exp(-predictor))).astype(float)
    elif model == "poisson":
        y = rng.poisson(np.exp(predictor)).astype(float)
    else:
        mean = np.exp(7.0 + 0.1 * plain[2] + 0.3 * between)
        y = mean * rng.gamma(0.8, 1.25, shape) * (rng.random(shape) < 0.8)
    return np.stack(plain[:3], axis=-1), y, groups


def glm(X, y, family, **options):
    """Return the fit of a family by its name here."""
    name, _, power = family.partition(" ")
    return fit_glm(X, y, name, **({"power": float(power)} if power else {}), **options)


def everything(model, X, y, *codes):
    """Return every number of a model by name, and the fit."""
    found, more, groups = {}, {}, codes[0]
    if model in VISITS:
        team = {"team": codes[2], "team_structure": VISITS[model][1]} if VISITS[model][1] else {}
        fit, L = fit_mixed(X, y, *codes[:2], VISITS[model][0], **team), np.eye(X.shape[-1])[3:]
        more = {"covariance": fit.covariance}
        more |= {"covariance of teams": fit.team_covariance} if team else {}
    elif model == "random intercept":
        fit, L = fit_random_intercept(X, y, groups), np.eye(4)[1:]
        more = {"covariance": np.stack([fit.var_group, fit.var_resid])}
        more["covariance"] = np.moveaxis(more["covariance"], 0, -1)
    elif model == "least squares":
        fit, L = fit_ols(X, y), np.eye(4)[1:]
        found = {kind: cluster_robust(fit, groups, L, kind) for kind in KINDS}
        found["classical"], more = classical(fit, L), {"hc3": hc3(fit)}
    elif model == "two equations":
        both = fit_sur(X[..., :3], y, X[..., :2], X[..., 3])
        fit, found = both.working, {}
        robust = cluster_robust(fit, np.tile(groups, 2), np.eye(5)[1:3])
        found, more = {"CR2": robust}, {"correlation": both.correlation}
    elif model in FAMILIES:
        fit, L = glm(X, y, model), np.eye(3)
        for kind, by in (("CR2", groups), ("HC3", None), ("model", None)):
            found[kind] = on_link_scale(fit, L, groups=by, kind=kind)
            arms = counterfactual(X, 1)
            found[f"{kind}, means"] = standardised(fit, *arms, groups=by, kind=kind)
    else:
        fit = instrumented(model, X, y, *codes)
        found, sets = {"effect": two_stage(fit)}, anderson_rubin(fit)
        more = {f"set, {end}": getattr(sets, end) for end in ("low", "high", "below", "above")}
    if model in VISITS or model == "random intercept":
        found = {"kenward-roger": kenward_roger(fit, L), "satterthwaite": satterthwaite(fit, L)}
        joint = kenward_roger_f(fit, L)
        more |= {"F": joint.statistic, "F df": joint.df, "F p_value": joint.p_value}
        more |= {"deviance": fit.deviance}
    numbers = {
        f"{name} {part}": getattr(one, part)
        for name, one in found.items()
        for part in ("estimate", "std_error", "df", "p_value")
    }
    return numbers | more, fit


def instrumented(model, X, y, groups, pair):
    """Return reduced forms by people or pairs, of an exposure that the arm makes likelier."""
    arm = X.reshape(-1, *X.shape[-2:])[0, :, 1].astype(int)
    taken = (X[..., 3] > 4.5 - 3.0 * arm).astype(float)
    if model == "instrument":
        return reduced_forms(y, taken, X[..., [0, 2]], arm, groups)
    first = np.unique(groups, return_index=True)[1]
    return paired_reduced_forms(y, taken, X[..., 2:3], groups, pair[first], arm[first])


def fails_alone(model, X, y, codes, bad, sentence):
    """Assert that one of a batch has a status, a sentence and no numbers, and the others have."""
    numbers, fit = everything(model, X, y, *codes)
    others = [k for k in range(len(y)) if k != bad]
    assert fit.status[bad] in ("failed", "refused")
    assert sentence in fit.note[bad] and fit.note[bad].endswith(".")
    for name, values in numbers.items():
        missing = name == "hc3" and "missing" in sentence
        if missing or name.endswith(("std_error", "p_value", "deviance", "ation", "covariance")):
            assert np.isnan(values[bad]).all(), name
    for k in others:
        alone, single = everything(model, X if X.ndim == 2 else X[k], y[k], *codes)
        assert single.status == fit.status[k] not in ("failed", "refused")
        same({name: values[k] for name, values in numbers.items()}, alone)


def same(ours, theirs, rtol=1e-9):
    """Compare numbers by name; what is near zero, beside the others of its name."""
    assert ours.keys() == theirs.keys()
    for name, values in ours.items():
        size = np.abs(np.nan_to_num(theirs[name])).max(initial=0.0)
        np.testing.assert_allclose(
            values, theirs[name], rtol=rtol, atol=1e-3 * rtol * (1.0 + size), err_msg=name
        )
