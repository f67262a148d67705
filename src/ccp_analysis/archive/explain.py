"""Where a number comes from: model and formula, people, imputation, variables, raw columns, rules.

In go the results of the study in the current folder, its configuration and what a run has derived;
in an unpacked archive that was not run, the archived results and the configuration. Nothing is
computed but counts of people.
"""

from __future__ import annotations

import shutil
from json import dumps

from ccp_analysis.archive.explained.choose import Several, chosen
from ccp_analysis.archive.explained.page import page
from ccp_analysis.archive.explained.whole import Explainer

WIDEST = 100


def run(words: list[str], *, json: bool = False) -> None:
    """Tell in plain words where a number of the results comes from.

    Parameters
    ----------
    words : list of str
        The id of its row (column ``row`` of ``reports/results.csv``), or words that pick one row,
        as ``ancova social_capital difference``.
    json : bool
        Whether to write it for programs.

    Raises
    ------
    StudyError
        If no row has the words, or several have them; these are listed.
    """
    explainer = Explainer()
    try:
        row = chosen(explainer.facts.rows, words)
    except Several as several:
        print(*several.lines, sep="\n", flush=True)
        raise
    found = explainer.of(row)
    if json:
        print(dumps(found, indent=1, ensure_ascii=False, default=str))
    else:
        print(page(found, min(shutil.get_terminal_size().columns, WIDEST)))
