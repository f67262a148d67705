"""All that is checked before the first job: the configuration, and what it says of raw files."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from ccp_analysis.cleaning.decisions import load_decisions
from ccp_analysis.cleaning.headings import check_columns
from ccp_analysis.cleaning.value_set import check_value_set
from ccp_analysis.config import check
from ccp_analysis.config.dictionary import Column
from ccp_analysis.config.economics import Economics
from ccp_analysis.config.locked import compared, locks
from ccp_analysis.config.reading import first_of, place, read_yaml
from ccp_analysis.config.rules import load_rules
from ccp_analysis.config.study import SCHEMA, Study
from ccp_analysis.config.trial import Trial
from ccp_analysis.economics.intervention import read_intervention
from ccp_analysis.economics.prices import price_table, read_price_index, read_unit_costs
from ccp_analysis.errors import SHOWN, StudyError, denied, first_few, like
from ccp_analysis.layout import STUDY

LOG = Path("logs/before.log")  # of faults before the first job, where there are many
Part = TypeVar("Part")
WRITTEN = (".", ".snakemake", "data", "data/derived", "logs", "reports")


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
        not those of the data dictionary; rules and decisions that name what is not there; value
        sets that lack a state; services without a price, and other faults of what is paid.
    """
    found = [*_form(), *check.faults(trial)]
    # Of a configuration with faults what can be read of it would deviate from the locked plan.
    found += said(locks) if found else said(lambda: compared(trial))
    dictionary = _part(lambda: trial.dictionary)
    if dictionary:
        for file in trial.study.files:
            found += said(partial(check_columns, trial.study, file, dictionary))
        found += said(lambda: load_rules(trial.study, dictionary))
        found += said(lambda: load_decisions(trial.study, dictionary))
        for name, instrument in (_part(lambda: trial.instruments) or {}).items():
            if instrument.value_set:
                found += said(partial(check_value_set, name, instrument, dictionary))
    if dictionary and (economics := _part(lambda: trial.economics)):
        found += _prices(trial.study, economics, dictionary)
    return list(dict.fromkeys(found))


def _prices(study: Study, economics: Economics, dictionary: list[Column]) -> list[str]:
    """Say what is wrong with the index, the unit costs and the cost of the intervention."""
    try:
        index = read_price_index(economics)
    except StudyError as error:
        return error.faults or [str(error)]

    def services() -> None:
        price_table(study, economics, dictionary, read_unit_costs(economics, index), index)

    found = said(services)
    if economics.intervention is not None:
        found += said(lambda: read_intervention(economics, index))
    return found


def _part(read: Callable[[], Part]) -> Part | None:
    """Return a part of the configuration; none where its shape is wrong, which is said already."""
    try:
        return read()
    except StudyError:
        return None


def _form() -> list[str]:
    """Say which edits bring a folder of another form to that of this program."""
    try:
        form = read_yaml(STUDY).get("schema")
    except StudyError:  # said by whoever reads all of it
        return []
    if form is None:
        return [
            f"{STUDY}: the key schema is missing, so that this folder is of an older form; add "
            f"'schema: {SCHEMA}' to it, and where there are clusters 'pooling: averaged' or "
            "'pooling: barnard-rubin' (as before) under imputation in config/analysis.yaml."
        ]
    if str(form) != str(SCHEMA):
        return [
            f"{place(STUDY, 'schema')}: schema: {form} found; this program reads schema: {SCHEMA}. "
            "Use the program that the folder was made for, or follow its list of changes."
        ]
    return []


def said(what: Callable[[], object]) -> list[str]:
    """Return the faults that something raises."""
    try:
        what()
    except StudyError as error:
        return error.faults or [str(error)]
    return []


def not_made(asked: Iterable[str], rules: Sequence[Any]) -> list[str]:
    """Say of what Snakemake is asked for, and no rule is or makes, what is most like it.

    Parameters
    ----------
    asked : iterable of str
        Names of rules and files.
    rules : sequence of snakemake.rules.Rule
        All rules of the Snakefile.
    """
    names = [rule.name for rule in rules if not rule.has_wildcards()]
    known = {*names, *(str(path) for rule in rules for path in rule.output)}
    return [
        f"'{name}' is no rule, and no file that one makes{like(name, known)}; expected a rule "
        f"({', '.join(names)}) or one of the files that 'snakemake --summary' lists."
        for name in asked
        if name not in known.union(rule.name for rule in rules)
        and not os.path.lexists(name)
        and not any(rule.is_producer(name) for rule in rules)
    ]


def shown(sentences: list[str]) -> list[str]:
    """Return what the screen holds of faults; where there are more, a log has all.

    Parameters
    ----------
    sentences : list of str
        One for each fault.
    """
    if len(sentences) > SHOWN:
        LOG.parent.mkdir(exist_ok=True)
        LOG.write_text("\n".join(sentences) + "\n", encoding="utf-8")
    return first_few(sentences, LOG.as_posix())


def check_rights(paths: Iterable[str]) -> None:
    """Check that the files of the study in the current folder can be read and written.

    Parameters
    ----------
    paths : iterable of str
        Files to be read; whoever reads them says so where one is not there.

    Raises
    ------
    StudyError
        If one may not be read, or a folder for results may not be written in; `faults` lists all.
    """
    refused = [path for path in dict.fromkeys(paths) if not _may(path, os.R_OK)]
    refused += [str(Path(path).absolute()) for path in WRITTEN if not _may(path, os.W_OK)]
    if refused:
        reasons = [errno.EROFS if _on_read_only(path) else errno.EACCES for path in refused]
        errors = [OSError(n, os.strerror(n), p) for n, p in zip(reasons, refused, strict=True)]
        raise first_of([denied(error) for error in errors])


def _on_read_only(path: str) -> bool:
    return bool(os.statvfs(path).f_flag & os.ST_RDONLY)


def _may(path: str, mode: int) -> bool:
    return not os.access(path, os.F_OK) or os.access(path, mode)
