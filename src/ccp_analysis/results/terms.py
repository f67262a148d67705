"""The words of the results table: what a row may say it is, each once.

Whoever writes a row and whoever asks for one names a member. A word that is no member is refused
when it is written (`results.table`) and when it is asked for.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from ccp_analysis.config.models import Model as Model


class Role(StrEnum):
    """What part an analysis plays in the plan."""

    PRIMARY = "primary"
    SUPPORTING = "supporting"
    SENSITIVITY = "sensitivity"
    DESCRIPTIVE = "descriptive"


class Status(StrEnum):
    """What became of an estimate."""

    OK = "ok"
    BOUNDARY = "boundary"  # a variance is zero: valid, and conservative
    FLAGGED = "flagged"  # a check found what it looks for
    FAILED = "failed"  # a fit did not succeed
    REFUSED = "refused"  # the design cannot give it
    SUPPRESSED = "suppressed"  # it is of so few people that it is not shown


class Population(StrEnum):
    """Whose values an estimate rests on."""

    COMPLETED = "all-with-baseline"
    COMPLETE_CASES = "complete-case"
    OBSERVED_VISITS = "observed-follow-ups"
    RECRUITED = "recruited"
    NOT_ANALYSED = "recruited-without-baseline"
    EXPOSURE_KNOWN = "exposure-and-follow-up-known"
    PRACTITIONERS = "practitioners"
    RATERS = "practitioners-and-participants"
    DRAWN = "drawn-studies"


class Inference(StrEnum):
    """How standard error, interval and test were made; after a comma, what is particular to it."""

    CR2 = "cr2"
    CR2_LOG = "cr2, log scale"
    CR2_LOGIT = "cr2, log odds scale"
    EXACT = "exact"
    RECOVERED = "variances recovered"
    KENWARD_ROGER = "kenward-roger"
    T = "t"
    HC2 = "hc2"
    HC3 = "hc3"
    HC3_LOG = "hc3, log scale"
    MODEL = "model"
    PAIRED_T = "paired-t"
    SIGN_FLIP = "sign-flip"
    RANDOM_SIGN_FLIP = "sign-flip, random"
    F = "f"
    D1 = "d1"
    AHT_F = "aht-f"
    FIELLER = "fieller"
    ANDERSON_RUBIN = "anderson-rubin"
    BOOTSTRAP = "bootstrap"
    JACKKNIFE = "jackknife"
    DELETION_T = "deletion-t, bonferroni"
    SHAPIRO_WILK = "shapiro-wilk"
    NORMAL = "normal"
    POSTERIOR = "posterior"
    FISHER_Z = "fisher-z"
    NONE = "none"

    @property
    def on_log_scale(self) -> Inference:
        """The same, of a logarithm."""
        return Inference(f"{self}, log scale")


class Pooling(StrEnum):
    """By which rule imputations were pooled."""

    AVERAGED = "averaged"
    BARNARD_RUBIN = "barnard-rubin"
    COMPLETE_DATA = "complete-data"
    SATTERTHWAITE = "satterthwaite"


class Average(StrEnum):
    """Of whom a difference is the average."""

    PARTICIPANTS = "participants"
    CLUSTERS = "clusters"
    OVERLAP = "overlap population"


class Term(StrEnum):
    """What is estimated."""

    DIFFERENCE = "difference"
    ADJUSTED_MEAN = "adjusted mean"
    ADJUSTED_MEAN_CHANGE = "adjusted mean change"
    MEAN_AT_AVERAGE = "mean at average covariates"
    PAIR_DIFFERENCE = "pair difference"
    OF_PARTICIPANTS = "participant-average difference"
    BY_SIZE = "change of the difference with cluster size"
    LORD = "ancova minus change score"
    STANDARDISED = "standardised difference"
    DETECTABLE = "minimum detectable difference"
    BEYOND_MCID = "difference beyond MCID"
    ODDS_RATIO = "odds ratio"
    RATE_RATIO = "rate ratio"
    LOG_ODDS_RATIO = "log odds ratio"
    LOG_RATE_RATIO = "log rate ratio"
    INTERACTION = "interaction"
    WITHIN_SUBGROUP = "subgroup difference"
    VARIANCE = "variance"  # of a part, as `of` names it
    INTRACLASS = "intraclass correlation"
    # Deltas added to what was imputed
    TIPPING_POINT = "tipping point"
    AT_TIPPING_POINT = "difference at the tipping point"
    # Checks of assumptions and influence
    ALL_CHECKS = "all checks"
    NORMALITY = "normality of residuals"
    HETEROSCEDASTICITY = "heteroscedasticity"
    VARIANCE_RATIO = "variance ratio between arms"
    LINEARITY = "linearity of the baseline"
    SLOPES = "homogeneity of slopes"
    ALONG_BASELINE = "difference along the baseline"
    CLUSTER_EFFECTS = "predicted cluster effects"
    OUTLYING_PAIR = "outlying pair"
    COOK = "Cook's distance"
    ABOVE_COOK = "people above 4/n"
    WITHOUT_PAIR = "difference without one pair"
    WITHOUT_CLUSTER = "difference without one cluster"
    CHANGE_WITHOUT_PAIR = "change without one pair"
    CHANGE_WITHOUT_CLUSTER = "change without one cluster"
    # Descriptions
    NUMBER = "number"
    EVENTS = "events"
    OBSERVED = "observed"
    MISSING = "missing"
    PROPORTION = "proportion"
    MEAN = "mean"
    SD = "sd"
    STANDARD_DEVIATION = "standard deviation"
    MEDIAN = "median"
    LOWER_QUARTILE = "lower quartile"
    UPPER_QUARTILE = "upper quartile"
    MINIMUM = "minimum"
    MAXIMUM = "maximum"
    # How alike the arms are, and what weights leave of them
    MEAN_DIFFERENCE = "standardised mean difference"
    CLUSTER_DIFFERENCE = "standardised mean difference of clusters"
    EFFECTIVE = "effective sample size"
    LARGEST = "largest share of weight"
    # What teams may differ in beside
    TO_ZERO = "unmeasured difference to zero"
    TO_MCID = "unmeasured difference to MCID"
    HIDES_MCID = "unmeasured difference that hides MCID"
    PER_SD = "change with one SD of a covariate"
    ROBUSTNESS = "robustness value"
    ROBUSTNESS_OF_INTERVAL = "robustness value of the interval"
    R2_ARM = "partial R2 with the arm"
    R2_OUTCOME = "partial R2 with the outcome"
    # How it was put into practice
    REACHED = "share reached"
    TOP_BOXES = "share in the top boxes"
    NAMED = "share that named it"
    ALPHA = "Cronbach's alpha"
    CHANGE = "mean change between occasions"
    GROUP_DIFFERENCE = "difference between groups"
    ASSOCIATION = "association"
    WITHIN_CLUSTERS = "association within clusters"
    BETWEEN_CLUSTERS = "association between clusters"
    FIRST_STAGE = "difference in exposure"
    STRENGTH = "strength of the instrument"
    BIAS_FACTOR = "factor of bias"
    IN_TAKERS = "effect in those who take it up"
    # Planned and achieved numbers
    AT_BASELINE = "participants at baseline"
    AT_FOLLOW_UP = "participants at follow-up"
    CLUSTERS = "clusters"
    PLANNED_DIFFERENCE = "planned difference"
    DESIGN_EFFECT = "design effect"
    DETECTABLE_DIFFERENCE = "detectable difference"
    REQUIRED = "required participants"
    # The next trial
    SOUGHT = "difference to be found"
    RETEST = "correlation with the baseline"
    LOST = "share lost to follow-up"
    SIZE_VARIATION = "coefficient of variation of pair weights"
    KEPT = "precision kept with unequal clusters"
    NEXT_POWER = "power of the next trial"
    ASSURANCE = "assurance"
    MOST_ASSURANCE = "assurance with any number of people"
    REQUIRED_PAIRS = "required pairs"
    CLUSTER_COST = "cost of a cluster"
    PERSON_COST = "cost of a person"
    TRIAL_COST = "cost of the trial"
    CHEAPEST_PEOPLE = "people of a cluster at least cost"
    # What the analyses do in drawn studies whose truth is known
    TEST_LEVEL = "level of the test"
    COVERAGE = "coverage of the interval"
    POWER = "power of the test"
    BIAS = "bias"
    INTERVAL_WIDTH = "width of the interval"
    SIGN_ERROR = "share of findings with the wrong sign"
    SIZE_ERROR = "exaggeration of findings"
    # Costs and effects
    USERS = "users"
    MEAN_USE = "mean use"
    SD_OF_USE = "standard deviation of use"
    MEAN_COST = "mean cost"
    SD_OF_COST = "standard deviation of cost"
    RATIO = "ratio"
    VARIANCE_POWER = "power of the variance"
    CURVATURE = "square of the linear predictor"
    RESIDUAL_CORRELATION = "residual correlation"
    ICER = "icer"
    QUADRANT_SHARE = "quadrant share"
    COST_EFFECTIVE = "probability cost-effective"
    BUDGET = "budget impact"  # of a part, as `of` names it
    EVPI = "expected value of perfect information"
    EVPI_OF_POPULATION = "expected value of perfect information, population"
    STANDARD_ERROR = "standard error"
    WITHOUT_PERSON = "difference without one person"
    TOP_SHARE = "share of the total"
    GINI = "Gini coefficient"

    def of(self, part: str) -> str:
        """Return the term of a part, such as the variance between teams.

        Examples
        --------
        >>> from ccp_analysis.results.terms import Term
        >>> print(Term.VARIANCE.of("team"))
        variance: team
        """
        return f"{self}{OF}{part}"


OF: Final = ": "
PARTED: Final = (Term.VARIANCE, Term.BUDGET)  # terms that are written of a part
VOCABULARY: Final[dict[str, type[StrEnum]]] = {
    "role": Role,
    "status": Status,
    "population": Population,
    "model": Model,
    "inference": Inference,
    "pooling": Pooling,
    "average": Average,
    "term": Term,
}
_TEXTS: Final = {words: {str(word) for word in words} for words in VOCABULARY.values()}


def require_known(column: str, value: object) -> None:
    """Raise ValueError where a word is not of the vocabulary of its column.

    Parameters
    ----------
    column : str
        Of the results table; columns that are not in `VOCABULARY` take any value.
    value : object
        What is written or asked for; nothing (empty, missing) is always taken.

    Examples
    --------
    >>> from ccp_analysis.results.terms import Term, require_known
    >>> require_known("term", Term.VARIANCE.of("team"))
    >>> require_known("term", "diference")
    Traceback (most recent call last):
        ...
    ValueError: 'diference' is not one of the words for 'term' (Term)
    """
    words = VOCABULARY.get(column)
    if words is None or value is None or value != value or value == "":
        return
    whole = str(value)
    stem, parted, _ = whole.partition(OF)
    known = PARTED if parted and words is Term else _TEXTS[words]
    if (stem if parted else whole) not in known:
        raise ValueError(f"'{whole}' is not one of the words for '{column}' ({words.__name__})")
