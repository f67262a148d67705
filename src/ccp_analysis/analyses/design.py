"""From completed tables to the stacked arrays that the models take."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from ccp_analysis.config.study import Study, Visit
from ccp_analysis.errors import StudyError
from ccp_analysis.groups import Groups, groups
from ccp_analysis.refused import require_imputed
from ccp_analysis.results.terms import Pooling, Population

ACTIVE = "_active"


@dataclass(frozen=True)
class Sample:
    """The people of one analysis, in m completed tables or in the observed one.

    Attributes
    ----------
    frame : pandas.DataFrame
        m tables of n rows below one another, same rows in the same order.
    m : int
        Number of tables; 1 is observed data if `imputed` is false.
    imputed : bool
        Whether the tables are imputations.
    population : str
        Name of the population.
    pooling : str
        Rule by which imputations are pooled (`results.terms.Pooling`).
    """

    frame: pd.DataFrame
    m: int
    imputed: bool
    population: str
    pooling: str = Pooling.BARNARD_RUBIN

    @property
    def n(self) -> int:
        """Rows of one table."""
        return len(self.frame) // self.m

    @cached_property
    def first(self) -> pd.DataFrame:
        """One table: what does not differ between imputations can be read here."""
        return self.frame.iloc[: self.n]

    def stacked(self, variable: str) -> np.ndarray:
        """Return a numeric variable as an array of shape (m, n)."""
        return self.frame[variable].to_numpy(dtype=float).reshape(self.m, self.n)

    @property
    def people(self) -> int:
        """People of one table, who in long form have several rows."""
        return int(self.first["person"].nunique()) if "person" in self.frame else self.n

    def groups(self, variable: str) -> Groups:
        """Return the groups of a design variable, of n rows."""
        if variable not in self._groups:
            self._groups[variable] = groups(self.first[variable])
        return self._groups[variable]

    @cached_property
    def _groups(self) -> dict[str, Groups]:
        return {}

    def codes(self, variable: str) -> np.ndarray:
        """Return the codes of the groups of a design variable, shape (n,)."""
        return self.groups(variable).codes


@dataclass(frozen=True)
class Design:
    """Design matrices with the contrasts that are asked of every model.

    Attributes
    ----------
    own : numpy.ndarray, shape (m, n, r)
        Intercept, indicator of the active arm, then covariates centred at their means.
    columns : list of str
        What each column of `X` is.
    pair : Groups or None
        Groups of which all but the first have a centred indicator in `X`, behind the arm. With many
        they are best absorbed (`question.least_squares`), and `X` is made for those who need it.
    """

    own: np.ndarray
    columns: list[str]
    pair: Groups | None = None

    @cached_property
    def X(self) -> np.ndarray:
        """All columns, shape (m, n, p)."""
        if self.pair is None:
            return self.own
        between = self.pair.indicators[:, 1:]
        between -= between.mean(axis=0)
        between = np.broadcast_to(between, (len(self.own), *between.shape))
        return np.concatenate([self.own[..., :2], between, self.own[..., 2:]], axis=-1)

    def part(self, stay: np.ndarray) -> Design:
        """Return the design of some of the rows, centred at what they have in the mean."""
        own = self.own[:, stay]
        own[..., 2:] -= own[..., 2:].mean(axis=(0, 1))
        if self.pair is None:
            return Design(own, self.columns)
        left = groups(np.array(self.pair.names, dtype=object)[self.pair.codes[stay]])
        between = self.columns[2 : len(self.pair.names) + 1]
        of = dict(zip(self.pair.names[1:], between, strict=True))
        kept = [of.get(name, name) for name in left.names[1:]]
        columns = [*self.columns[:2], *kept, *self.columns[len(self.pair.names) + 1 :]]
        return Design(own, columns, left)

    @property
    def contrasts(self) -> np.ndarray:
        """Those of the coefficients of `X`; shape (3, p)."""
        return arm_contrasts(len(self.columns))


def arm_contrasts(columns: int) -> np.ndarray:
    """Return the difference between the arms, and the adjusted mean of each; shape (3, columns).

    Covariates and indicators being centred, the intercept is the adjusted mean of the reference arm
    at their means (proportional weights).
    """
    L = np.zeros((3, columns))
    L[0, 1] = L[1, 0] = L[2, 0] = L[2, 1] = 1.0
    return L


@dataclass(frozen=True)
class VisitDesign:
    """Design matrices in long form; every visit has a mean and a difference of its own.

    Attributes
    ----------
    X : numpy.ndarray, shape (m, n, p)
        Indicators of the visits, the active arm at each of the visits where arms may differ, then
        centred covariates.
    columns : list of str
        What each column is.
    visits : int
        Number of visits.
    alike : int
        How many of the first visits have no difference between the arms.
    """

    X: np.ndarray
    columns: list[str]
    visits: int
    alike: int = 0

    def mean(self, visit: int, active: bool) -> np.ndarray:
        """Return the contrast for the adjusted mean of an arm at a visit, shape (p,)."""
        weights = np.zeros(len(self.columns))
        weights[visit] = 1.0
        if active and visit >= self.alike:
            weights[self.visits + visit - self.alike] = 1.0
        return weights

    def difference(self, visit: int) -> np.ndarray:
        """Return the contrast for the difference between the arms at a visit, shape (p,)."""
        return self.mean(visit, True) - self.mean(visit, False)


def sample(study: Study, imputed: pd.DataFrame, data: str, needed: list[str]) -> Sample:
    """Pick the tables of an analysis.

    Parameters
    ----------
    study : Study
        For the arms.
    imputed : pandas.DataFrame
        Imputations 0 (observed) to m, from ``imputed.parquet``.
    data : {"imputed", "observed"}
        All completed tables, less the people of whom something needed does not exist; or the people
        observed on everything needed.
    needed : list of str
        Variables the analysis uses.

    Returns
    -------
    Sample
        With the indicator `ACTIVE` of the arm that is compared with the reference.

    Raises
    ------
    StudyError
        If a variable is not in the table.
    ValueError
        If a variable is missing in some of the completed tables only, or could not be imputed
        (`RefusedError`), or nobody is left.
    """
    for name in needed:
        if name not in imputed:
            raise StudyError(
                f"config/analysis.yaml: an analysis needs '{name}', which is not among the cleaned "
                "variables; check its visit and outcomes."
            )
    if data == "imputed":
        require_imputed(imputed, needed)
    asked = (imputed["imputation"].to_numpy() == 0) == (data == "observed")
    m, population = int(imputed["imputation"][asked].nunique()), Population.COMPLETED
    gaps = {name: imputed[name].isna().to_numpy() for name in needed}
    # All columns are copied once, of those who are left.
    frame = imputed[asked & ~np.any(list(gaps.values()), axis=0)]
    if frame.empty:
        names = " or ".join(said(name) for name, gap in gaps.items() if gap[asked].all())
        raise ValueError(
            f"nobody has a value of {names}"
            if names
            else "nobody was observed on all that the analysis needs"
        )
    if data == "observed":
        m, population = 1, Population.COMPLETE_CASES
    elif len(set(frame["imputation"].value_counts())) > 1:
        raise ValueError("a variable was imputed in some of the tables only")
    active = (frame[study.arms.variable] == study.arms.active).astype(float)
    frame = frame.assign(**{ACTIVE: active}).reset_index(drop=True)
    return Sample(frame, m, data == "imputed", population)


def over_visits(base: Sample, stem: str, visits: list[Visit]) -> Sample:
    """Lay out an outcome in long form: one row for each person and visit.

    Parameters
    ----------
    base : Sample
        People, one row each.
    stem : str
        Name of the outcome without the visit.
    visits : list of Visit
        Visits at which it was measured.

    Returns
    -------
    Sample
        With the columns ``value``, ``months``, ``visit`` (position in `visits`) and ``person``
        (code). Imputed: every person and visit at which there is a value; observed: what was
        observed.

    Raises
    ------
    ValueError
        If a visit could not be imputed (`RefusedError`).
    """
    if base.imputed:
        require_imputed(base.frame, [f"{stem}_{v.id}" for v in visits])
    person = np.tile(base.codes("participant"), base.m)
    frame = base.frame.assign(person=person, table=np.repeat(range(base.m), base.n))
    frame = pd.concat(
        [
            frame.assign(value=frame[f"{stem}_{v.id}"], months=v.months, visit=position)
            for position, v in enumerate(visits)
        ],
        ignore_index=True,
    )
    frame = frame.sort_values(["table", "person", "visit"], ignore_index=True)
    there = frame.dropna(subset=["value"], ignore_index=True)
    return Sample(
        there, base.m, base.imputed, base.population if base.imputed else Population.OBSERVED_VISITS
    )


def design(data: Sample, covariates: list[str], factors: list[str]) -> Design:
    """Build the design matrices of all tables at once.

    Parameters
    ----------
    data : Sample
        The tables.
    covariates : list of str
        Numbers, or categories (text), which become indicators.
    factors : list of str
        Variables taken as categories whatever they hold, such as the pair.

    Returns
    -------
    Design
    """
    pair = data.groups(factors[0]) if len(factors) == 1 else None
    columns = {"Intercept": np.ones(len(data.frame)), ACTIVE: data.frame[ACTIVE].to_numpy()}
    for name in [] if pair else factors:
        columns |= _indicators(data.frame, name, f"C(`{name}`)")
    for name in covariates:
        columns |= _columns(data.frame, name)
    own = np.array(list(columns.values()), dtype=float).T.reshape(data.m, data.n, -1)
    # At the mean over the imputations: coefficients then mean the same in all of them.
    own[:, :, 2:] -= own[:, :, 2:].mean(axis=(0, 1))
    names = list(columns)
    between = [f"C(`{factors[0]}`)[T.{name}]" for name in pair.names[1:]] if pair else []
    if not between:
        return Design(own, names)
    return Design(own, [*names[:2], *between, *names[2:]], pair)


def _columns(frame: pd.DataFrame, name: str) -> dict[str, np.ndarray]:
    """Return the columns of a covariate: itself, or an indicator of every level but the first."""
    if not is_numeric_dtype(frame[name]):
        return _indicators(frame, name, name)
    values = frame[name].to_numpy(dtype=float)
    if np.isnan(values).any():
        raise ValueError(f"a design needs {said(name)} of everyone, and somebody has none")
    return {name: values}


def _indicators(frame: pd.DataFrame, name: str, label: str) -> dict[str, np.ndarray]:
    found = groups(frame[name])
    return {
        f"{label}[T.{level}]": found.codes == at for at, level in enumerate(found.names) if at > 0
    }


def said(column: str) -> str:
    """Return the variable of a column as a sentence names it; what is internal in words."""
    name = column.partition("[T.")[0].partition(", ")[0].removeprefix("C(").removesuffix(")")
    name = name.strip("`")
    if name == ACTIVE:
        return "the arm"
    return f"the {name.strip('_').replace('_', ' ')}" if name.startswith("_") else f"'{name}'"


def visit_design(
    data: Sample,
    visits: list[str],
    covariates: list[str],
    by_visit: list[str],
    factors: list[str],
    alike: int = 0,
) -> VisitDesign:
    """Build the design matrices of a sample in long form.

    Parameters
    ----------
    data : Sample
        From `over_visits`.
    visits : list of str
        Names of the visits.
    covariates : list of str
        Covariates with one slope for all visits.
    by_visit, factors : list of str
        Covariates, and variables taken as categories, with slopes of their own at each visit.
    alike : int
        At how many of the first visits the arms have one mean.

    Returns
    -------
    VisitDesign
    """
    at = data.first["visit"].to_numpy()[:, None] == np.arange(len(visits))
    at = np.broadcast_to(at.astype(float), (data.m, *at.shape))
    active = data.stacked(ACTIVE)[..., None]
    own, common = design(data, by_visit, factors), design(data, covariates, [])
    parts, columns = [at, active * at[..., alike:]], list(visits)
    columns += [f"{ACTIVE}, {visit}" for visit in visits[alike:]]
    for position, visit in enumerate(visits):
        parts.append(own.X[..., 2:] * at[..., position, None])
        columns += [f"{column}, {visit}" for column in own.columns[2:]]
    parts.append(common.X[..., 2:])
    return VisitDesign(
        np.concatenate(parts, axis=-1), columns + common.columns[2:], len(visits), alike
    )
