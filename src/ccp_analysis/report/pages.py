"""The pages that lead from the numbers of the report to the rows of the results."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from typing import Any

from ccp_analysis.config.study import Study
from ccp_analysis.layout import BROWSED
from ccp_analysis.report.filled import environment
from ccp_analysis.report.marks import anchor, resolved
from ccp_analysis.report.words import written_date

TEMPLATES = Path(__file__).parent / "templates"
EXPLAIN = "python -m ccp_analysis.cli explain"  # before the id of a row
LONGEST = 90  # characters of a place that a number says itself


def with_origins(page: str, behind: dict[str, Any]) -> str:
    """Return the HTML of the report with links in the place of marks, and what they tell.

    Parameters
    ----------
    page : str
        HTML with marks.
    behind : dict
        What stands behind its numbers, of `browse.content`.
    """
    places = behind["places"]
    page = resolved(page, lambda number, words: _link(places[int(number)], words))
    body, end, rest = page.rpartition("</body>")
    data = json.dumps(behind["rows"], ensure_ascii=False, separators=(",", ":"))
    data = data.replace("<", "\\u003c")  # nothing in it may end a script
    script = (TEMPLATES / "origins.js").read_text(encoding="utf-8").replace("{}", data, 1)
    script = script.replace("EXPLAIN", EXPLAIN)
    return f"{body}<script>\n{script}</script>\n{end}{rest}"


def _link(place: str, words: str) -> str:
    """Lead from a number to its row, and say its cell."""
    name = anchor(place)
    said = escape(place if len(place) <= LONGEST else f"#{name}")
    return f'<a class="n" href="{BROWSED.name}#{name}" data-of="{said}">{words}</a>'


def page_of_results(study: Study, behind: dict[str, Any]) -> str:
    """Return all results, and what else the report's numbers are read from, as one HTML page.

    Parameters
    ----------
    study : Study
        Title, registration, kind of data.
    behind : dict
        As of `with_origins`.

    Returns
    -------
    str
        Needs no other file and no network; without its script it is a table.
    """
    template = environment(TEMPLATES).get_template("results.html.j2")
    return template.render(
        study=study,
        date=written_date(study.data_date),
        heads=behind["heads"],
        explain=EXPLAIN,
        results=len(behind["lines"]),
        body="\n".join(behind["lines"]),
        others=behind["others"],
        style=(TEMPLATES / "style.css").read_text(encoding="utf-8"),
    )
