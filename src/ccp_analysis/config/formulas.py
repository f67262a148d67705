"""The formula of a model, in the parts that design, plan and outcome fill in."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Part(StrEnum):
    """What can stand in a formula; its value is what the methods of the report call it."""

    ARM = "the arm"
    BASELINE = "the outcome at baseline"
    COVARIATES = "the covariates"
    BALANCED = "what weights balance"
    PAIR = "the pair of clusters"
    UNIT = "the cluster"
    PERSON = "the participant"
    VISIT = "the visit"
    MONTHS = "the months since baseline"
    SUBGROUP = "the subgroup variable"
    EXPOSURE = "the exposure"


Term = tuple[Part, ...]
Fill = Mapping[Part, Sequence[str]]


@dataclass(frozen=True)
class Formula:
    """What a model regresses on what.

    Attributes
    ----------
    terms : tuple of Term
        What stands on the right side beside the intercept; several parts are their interaction.
    random : tuple of Term
        Groups with a random intercept.
    left : str
        The left side, with ``{y}`` in the place of the outcome and ``{baseline}`` in that of its
        baseline.
    more : str
        What the symbols of a regression do not say; ``{unit}`` and ``{pair}`` are what clusters and
        their pairs are called.
    """

    terms: tuple[Term, ...]
    random: tuple[Term, ...] = ()
    left: str = "{y}"
    more: str = ""

    def filled(self, fill: Fill) -> list[tuple[str, ...]]:
        """Return the terms as names of variables, each once.

        Parameters
        ----------
        fill : mapping
            Part → names of variables; of a part that is not there, or has none, nothing is left.
        """
        return list(dict.fromkeys(_products(self.terms, fill)))

    def symbols(self, y: str, fill: Fill) -> str:
        """Write the formula as R does.

        Parameters
        ----------
        y : str
            The outcome.
        fill : mapping
            As for `filled`.

        Examples
        --------
        >>> from ccp_analysis.config.models import Model
        >>> from ccp_analysis.config.formulas import Part
        >>> fill = {Part.ARM: ["arm"], Part.COVARIATES: ["age"], Part.UNIT: ["team"]}
        >>> Model.MIXED.spec.formula.symbols("score", fill)
        'score ~ arm + age + (1 | team)'
        """
        right = [":".join(term) for term in self.filled(fill)]
        right += [f"(1 | {':'.join(term)})" for term in _products(self.random, fill)]
        baseline = " + ".join(fill.get(Part.BASELINE, ()))
        return f"{self.left.format(y=y, baseline=baseline)} ~ {' + '.join(right) or '1'}"

    def words(self, names: Fill) -> list[str]:
        """Return what stands on the right side, in words.

        Parameters
        ----------
        names : mapping
            Part → what its variables are called; a part that is not there is called by its value.
        """
        every = {part: list(names.get(part, [part.value])) for part in Part}
        return list(dict.fromkeys(" by ".join(term) for term in _products(self.terms, every)))


def _products(terms: Sequence[Term], fill: Fill) -> Iterator[tuple[str, ...]]:
    """Yield each combination of names of the parts of each term."""
    for term in terms:
        found: list[tuple[str, ...]] = [()]
        for part in term:
            found = [(*before, name) for before in found for name in fill.get(part, ())]
        yield from found


_ADJUSTED: tuple[Term, ...] = ((Part.BASELINE,), (Part.COVARIATES,), (Part.PAIR,))
_OF_VISITS: tuple[Term, ...] = ((Part.VISIT,), (Part.ARM, Part.VISIT))
_AT_EACH: tuple[Term, ...] = ((Part.PAIR, Part.VISIT),)
_TEAMS: tuple[Term, ...] = ((Part.UNIT,), (Part.UNIT, Part.VISIT))
_UNSTRUCTURED = "the visits of a participant have an unstructured covariance"

ANCOVA = Formula(((Part.ARM,), *_ADJUSTED))
CHANGE = Formula(((Part.ARM,), (Part.COVARIATES,), (Part.PAIR,)), left="{y} - {baseline}")
WEIGHTED = Formula(
    ((Part.ARM,), (Part.BASELINE,), (Part.BALANCED,), (Part.COVARIATES,), (Part.PAIR,)),
    more="people are weighed until the arms are alike in the outcome's baseline and what is "
    "balanced",
)
DID = Formula((*_OF_VISITS, (Part.COVARIATES, Part.VISIT), *_AT_EACH))
MIXED = Formula(((Part.ARM,), *_ADJUSTED), random=((Part.UNIT,),))
CLUSTER_MEANS = Formula(
    ((Part.BASELINE,), (Part.UNIT,)),
    more="the adjusted means of the two {unit}s of each {pair} are set against each other: a "
    "difference for each {pair}, and their average",
)
REPEATED = Formula(
    ((Part.ARM,), (Part.BASELINE,), (Part.MONTHS,), (Part.COVARIATES,)), random=((Part.PERSON,),)
)
MMRM = Formula(
    (*_OF_VISITS, (Part.BASELINE, Part.VISIT), *_AT_EACH, (Part.COVARIATES,)),
    random=_TEAMS,
    more=_UNSTRUCTURED,
)
MMRM_ONE_SLOPE = Formula(
    (*_OF_VISITS, (Part.BASELINE,), *_AT_EACH, (Part.COVARIATES,)),
    random=_TEAMS,
    more=_UNSTRUCTURED,
)
CLDA = Formula(
    (*_OF_VISITS, *_AT_EACH, (Part.COVARIATES,)),
    random=_TEAMS,
    more=f"the arms have one mean at baseline; {_UNSTRUCTURED}",
)
LOGISTIC = Formula(((Part.ARM,), *_ADJUSTED), left="log odds of {y}")
POISSON = Formula(((Part.ARM,), *_ADJUSTED), left="log mean of {y}")
SUR = Formula(
    ((Part.ARM,), *_ADJUSTED),
    more="costs and QALYs are regressed together, with correlated residuals",
)
INSTRUMENTAL = Formula(
    ((Part.EXPOSURE,), *_ADJUSTED), more="the arm is the instrument of the exposure"
)
INSTRUMENTAL_MEANS = Formula(
    ((Part.BASELINE,), (Part.UNIT,)),
    more="the difference within each {pair} of the adjusted means of its {unit}s in the outcome, "
    "over that in the exposure",
)
# Beside the models of the plan.
WITHIN_SUBGROUPS = Formula(((Part.ARM,), (Part.ARM, Part.SUBGROUP), (Part.SUBGROUP,), *_ADJUSTED))
DOSE = Formula(((Part.EXPOSURE,), (Part.BASELINE,), (Part.COVARIATES,)))
