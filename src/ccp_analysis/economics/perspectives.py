"""Which services each perspective and each category counts."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from ccp_analysis.config.dictionary import TOTALS, Column
from ccp_analysis.config.economics import Economics, Perspective
from ccp_analysis.config.reading import first_of, place
from ccp_analysis.layout import DICTIONARY, ECONOMICS


def services_of(economics: Economics, dictionary: Sequence[Column]) -> dict[str, list[str]]:
    """Return the services of each perspective.

    Parameters
    ----------
    economics : Economics
        Patterns of names.
    dictionary : sequence of Column
        Services are variables with a visit.

    Returns
    -------
    dict
        Perspective → names, in the order of the dictionary.

    Raises
    ------
    StudyError
        If a pattern fits no variable; `faults` lists all such patterns.
    """
    names = list(dict.fromkeys(column.name for column in dictionary if column.visit))
    what = f"variable of {DICTIONARY} that has a visit"
    found, faults = _fitting("perspectives", economics.perspectives, names, what)
    if faults:
        raise first_of(faults)
    return found


def categories(economics: Economics, services: Iterable[str]) -> dict[str, list[str]]:
    """Return the services of each category, of those that some perspective counts.

    Raises
    ------
    StudyError
        If a pattern fits none of them, a category has the name of a service, or what counts days
        off work is none; `faults` lists all.
    """
    names = list(services)
    what = "service of any perspective"
    found, faults = _fitting("categories", economics.categories, names, what)
    for key in economics.categories:
        if key in (*names, *TOTALS):
            where = place(ECONOMICS, "categories", key)
            faults.append(f"{where}: the category '{key}' has the name of a service or a total.")
    absence = economics.absence
    if absence is not None and absence.service not in names:
        faults.append(
            f"{place(ECONOMICS, 'absence', 'service')}: absence.service is '{absence.service}', "
            "which is not a service of any perspective."
        )
    if faults:
        raise first_of(faults)
    return found


def _fitting(
    part: str, groups: dict[str, Perspective], names: list[str], what: str
) -> tuple[dict[str, list[str]], list[str]]:
    """Return the names that the patterns of each group fit, and what is said of those without."""
    faults = [
        f"{place(ECONOMICS, part, key, 'services', at)}: {part}.{key}.services: no {what} fits "
        f"'{pattern}'."
        for key, group in groups.items()
        for at, pattern in enumerate(group.services)
        if not any(fnmatchcase(name, pattern) for name in names)
    ]
    found = {
        key: [n for n in names if any(fnmatchcase(n, p) for p in group.services)]
        for key, group in groups.items()
    }
    return found, faults
