"""All that is checked before the first job: the configuration, and what it says of raw files."""

from __future__ import annotations

from collections.abc import Callable

from ccp_analysis.cleaning.headings import check_columns
from ccp_analysis.config import check
from ccp_analysis.config.trial import Trial
from ccp_analysis.economics.prices import price_table, read_price_index, read_unit_costs
from ccp_analysis.errors import StudyError


def faults(trial: Trial) -> list[str]:
    """Say everything that is known to be wrong before any data are read.

    Parameters
    ----------
    trial : Trial
        Of the current folder.

    Returns
    -------
    list of str
        One sentence for each fault: those of `config.check.faults`; columns of raw files that are
        not those of the data dictionary; services without a price.
    """
    found = check.faults(trial)
    try:
        dictionary, economics = trial.dictionary, trial.economics
    except StudyError:  # said already
        dictionary, economics = [], None
    if dictionary:
        for file in trial.study.files:
            found += said(lambda file=file: check_columns(trial.study, file, dictionary))
    if dictionary and economics:

        def prices() -> None:
            costs = read_unit_costs(economics, read_price_index(economics))
            price_table(trial.study, economics, dictionary, costs)

        found += said(prices)
    return list(dict.fromkeys(found))


def said(what: Callable[[], object]) -> list[str]:
    """Return the faults that something raises."""
    try:
        what()
    except StudyError as error:
        return error.faults or [str(error)]
    return []
