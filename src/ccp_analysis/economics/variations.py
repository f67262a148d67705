"""The evaluation repeated with something changed: its sensitivity analyses."""

from __future__ import annotations

from collections.abc import Callable

from ccp_analysis.analyses.rows import DIFFERENCE, Rows
from ccp_analysis.economics.compared import MEASURES, attempt, compared, or_fail
from ccp_analysis.economics.estimation import ancova_rows
from ccp_analysis.economics.net_benefit import net_benefit_rows
from ccp_analysis.economics.outcomes import QALY, evaluated
from ccp_analysis.economics.ratios import Effect, ratio_rows
from ccp_analysis.economics.setting import Setting, Source, setting_of

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
        acceptability at the main thresholds, and the ratio. Of an entry that fails, one row that
        says why.

    Raises
    ------
    StudyError
        If an entry names what there is not: then none is evaluated.
    """
    settings = [(entry.id, setting_of(source, entry)) for entry in source.economics.sensitivity]
    rows: Rows = []
    for name, setting in settings:
        analysis = f"economics_{name}"
        head = {"outcome": "cost", "scale": "pounds", "model": "ancova"}
        found = attempt(source.study, analysis, head, setting.data, _all_of(source, setting))
        shared = {"analysis": analysis, "role": "sensitivity", "perspective": setting.perspective}
        rows += [{**shared, **row} for row in found]
    return rows


def _all_of(source: Source, setting: Setting) -> Callable[[], Rows]:
    def fit() -> Rows:
        values = evaluated(source, setting)
        data = compared(source.study, source.plan, values, setting.data)
        rows: Rows = []
        for measure in MEASURES:
            rows += [r for r in ancova_rows(data, measure) if r["term"] == DIFFERENCE]
        rows += net_benefit_rows(data, source.economics.main_thresholds)
        return rows + ratio_rows(data, PER_QALY)

    return or_fail(fit)
