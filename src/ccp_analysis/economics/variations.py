"""The evaluation repeated with something changed: its sensitivity analyses."""

from __future__ import annotations

from functools import partial

from ccp_analysis.analyses.rows import Rows
from ccp_analysis.config.currencies import MONEY
from ccp_analysis.economics.compared import MEASURES, attempt, compared
from ccp_analysis.economics.estimation import ancova_rows
from ccp_analysis.economics.net_benefit import net_benefit_rows
from ccp_analysis.economics.outcomes import QALY, evaluated
from ccp_analysis.economics.ratios import Effect, ratio_head, ratio_rows
from ccp_analysis.economics.setting import Setting, Source, setting_of
from ccp_analysis.results.terms import Model, Role, Term

PER_QALY = Effect("qaly", QALY, "QALY")


def variation_rows(source: Source) -> Rows:
    """Repeat the main evaluation for every entry of `sensitivity`.

    Parameters
    ----------
    source : Source
        Tables and prices.

    Returns
    -------
    list of dict
        Rows of analyses ``economics_{id}``: differences in cost and effect, net benefit and its
        acceptability at the main thresholds, and the ratio. Of each that fails a row that says why;
        of an entry of which nothing can be evaluated, one.

    Raises
    ------
    StudyError
        If an entry names what there is not: then none is evaluated.
    """
    settings = [(entry.id, setting_of(source, entry)) for entry in source.economics.sensitivity]
    rows: Rows = []
    for name, setting in settings:
        analysis = f"economics_{name}"
        head = {"outcome": "cost", "scale": MONEY, "model": Model.ANCOVA}
        fit = partial(_all_of, source, setting, analysis)
        found = attempt(source.study, analysis, head, setting.data, fit)
        shared = {
            "analysis": analysis,
            "role": Role.SENSITIVITY,
            "perspective": setting.perspective,
        }
        rows += [{**shared, **row} for row in found]
    return rows


def _all_of(source: Source, setting: Setting, analysis: str) -> Rows:
    """Return what is asked of a variation; of what cannot be said a row with the reason."""
    values = evaluated(source, setting)
    data = compared(source.study, source.plan, values, setting.data)
    rows: Rows = []
    for measure in MEASURES:
        head = {"outcome": measure.outcome, "scale": measure.scale, "model": Model.ANCOVA}
        fit = partial(ancova_rows, data, measure)
        found = attempt(source.study, analysis, head, setting.data, fit)
        rows += [row for row in found if row["term"] == Term.DIFFERENCE]
    rows += net_benefit_rows(data, source.economics.main_thresholds)
    ratio = partial(ratio_rows, data, PER_QALY)
    return rows + attempt(source.study, analysis, ratio_head(PER_QALY), setting.data, ratio)
