"""What each term of the results is, in plain words; and what an inference did."""

from __future__ import annotations

from ccp_analysis.results.terms import OF, Inference, Pooling, Population, Term

T, By = Term, Inference
MEANS: dict[str, str] = {
    T.DIFFERENCE: "the difference between the arms, {contrast}, with all else in the model alike",
    T.ADJUSTED_MEAN: "the mean of an arm, were its people like everybody in what the model "
    "adjusts for",
    T.ADJUSTED_MEAN_CHANGE: "the mean change of an arm, were its people like everybody in what the "
    "model adjusts for",
    T.MEAN_AT_AVERAGE: "the fitted mean of an arm at the means of the covariates",
    T.PAIR_DIFFERENCE: "the difference within one {pair}, {contrast}",
    T.OF_PARTICIPANTS: "the difference between the arms with each {pair} weighted by its people",
    T.BY_SIZE: "how the difference goes with the size of a {pair}",
    T.LORD: "the difference by ANCOVA less that by the change score",
    T.STANDARDISED: "the difference in standard deviations of the outcome at baseline",
    T.DETECTABLE: "the smallest difference that these data would have detected with the power of "
    "the plan, by the standard error found",
    T.BEYOND_MCID: "whether the interval excludes a difference that matters (MCID)",
    T.ODDS_RATIO: "the odds of the outcome in the one arm over those in the other",
    T.RATE_RATIO: "the mean count in the one arm over that in the other",
    T.LOG_ODDS_RATIO: "the logarithm of the odds ratio, on which it is pooled and tested",
    T.LOG_RATE_RATIO: "the logarithm of the rate ratio, on which it is pooled and tested",
    T.INTERACTION: "how the difference between the arms goes with the subgroup variable",
    T.WITHIN_SUBGROUP: "the difference between the arms in one subgroup",
    T.VARIANCE: "a variance of the model",
    T.INTRACLASS: "the share of the variance that lies between clusters",
    T.TIPPING_POINT: "the change of imputed values at which the conclusion turns",
    T.AT_TIPPING_POINT: "the difference between the arms at the tipping point",
    T.ALL_CHECKS: "why the checks could not be made",
    T.NORMALITY: "whether the residuals are normal",
    T.HETEROSCEDASTICITY: "whether the spread of the residuals goes with the fitted values",
    T.VARIANCE_RATIO: "the variance in one arm over that in the other",
    T.LINEARITY: "whether the outcome is linear in its baseline",
    T.SLOPES: "whether the slope on the baseline is the same in both arms",
    T.ALONG_BASELINE: "the difference between the arms at one value of the baseline",
    T.CLUSTER_EFFECTS: "the variance of the predicted effects of clusters",
    T.OUTLYING_PAIR: "how far the most outlying {pair} lies from the others",
    T.COOK: "how much the one person with most influence moves the fit",
    T.ABOVE_COOK: "how many people move the fit more than is usual",
    T.WITHOUT_PAIR: "the difference between the arms without one {pair}",
    T.WITHOUT_CLUSTER: "the difference between the arms without one {unit}",
    T.CHANGE_WITHOUT_PAIR: "by how many standard errors it moves the difference to leave out one "
    "{pair}",
    T.CHANGE_WITHOUT_CLUSTER: "by how many standard errors it moves the difference to leave out "
    "one {unit}",
    T.NUMBER: "a number of people",
    T.EVENTS: "a number of events",
    T.OBSERVED: "of how many people there is a value",
    T.MISSING: "of how many people there is no value",
    T.PROPORTION: "a share of people",
    T.MEAN: "a mean",
    T.SD: "a standard deviation of people",
    T.STANDARD_DEVIATION: "a standard deviation of people",
    T.MEDIAN: "a median",
    T.LOWER_QUARTILE: "a lower quartile",
    T.UPPER_QUARTILE: "an upper quartile",
    T.MINIMUM: "the lowest value",
    T.MAXIMUM: "the highest value",
    T.MEAN_DIFFERENCE: "the difference between the arms in a characteristic, in its standard "
    "deviations",
    T.CLUSTER_DIFFERENCE: "the difference between the arms in means of clusters, in standard "
    "deviations of people",
    T.EFFECTIVE: "how many people of equal weight the weighted ones are worth",
    T.LARGEST: "the largest share of the weight of an arm that one person has",
    T.TO_ZERO: "how far clusters of the arms would have to differ in something not measured for "
    "the nearer end of the interval to be zero",
    T.TO_MCID: "how far they would have to differ for the interval to reach the smallest "
    "difference that matters",
    T.HIDES_MCID: "how far they would have to differ to hide a difference that matters",
    T.PER_SD: "what one standard deviation of a covariate changes in the outcome",
    T.ROBUSTNESS: "how strong something not measured would have to be to take the difference to "
    "zero",
    T.ROBUSTNESS_OF_INTERVAL: "how strong it would have to be for the interval to include zero",
    T.R2_ARM: "the share of the arms' differences that a covariate takes up",
    T.R2_OUTCOME: "the share of the outcome's pair differences that the arm, or a covariate, takes "
    "up",
    T.REACHED: "the share of people whom it reached",
    T.TOP_BOXES: "the share of favourable answers",
    T.NAMED: "the share of practitioners who named it",
    T.ALPHA: "how consistent the items are",
    T.CHANGE: "the mean change from the first occasion to the last",
    T.GROUP_DIFFERENCE: "the difference between two groups",
    T.ASSOCIATION: "how much more of the outcome goes with one unit more of the exposure",
    T.WITHIN_CLUSTERS: "the same among people of one {unit}",
    T.BETWEEN_CLUSTERS: "the same among the means of clusters",
    T.FIRST_STAGE: "the difference between the arms in the exposure",
    T.STRENGTH: "the F statistic of the difference in exposure: below ten the instrument is weak",
    T.BIAS_FACTOR: "by what a difference between clusters beside the intervention is multiplied",
    T.IN_TAKERS: "the effect in those who take the intervention up because of their arm",
    T.AT_BASELINE: "how many people had a baseline",
    T.AT_FOLLOW_UP: "how many people had a follow-up",
    T.CLUSTERS: "how many clusters there are",
    T.PLANNED_DIFFERENCE: "the difference that was to be detected",
    T.DESIGN_EFFECT: "by what clusters inflate the variance",
    T.DETECTABLE_DIFFERENCE: "the difference that so many people detect",
    T.REQUIRED: "how many people were needed",
    T.SOUGHT: "the difference that the next trial is to find",
    T.RETEST: "the correlation of the outcome with its baseline within arms",
    T.LOST: "the share of people lost before the follow-up",
    T.SIZE_VARIATION: "how unequal clusters are in size, as standard deviation over mean",
    T.KEPT: "the share of precision that is kept with clusters of unequal size",
    T.NEXT_POWER: "the power of a next trial of that size, at one value of the variances",
    T.ASSURANCE: "the power averaged over what the variances may be",
    T.MOST_ASSURANCE: "the assurance that no number of people in so many clusters exceeds",
    T.REQUIRED_PAIRS: "how many pairs of clusters are needed",
    T.CLUSTER_COST: "what a cluster costs the trial",
    T.PERSON_COST: "what a person costs the trial",
    T.TRIAL_COST: "what a trial of that size costs",
    T.CHEAPEST_PEOPLE: "with how many people of a cluster the trial costs least",
    T.TEST_LEVEL: "how often the test rejects where there is no difference",
    T.COVERAGE: "how often the interval has the true difference in it",
    T.POWER: "how often the test rejects where there is a difference",
    T.BIAS: "by how much the estimates are off the true difference on average",
    T.INTERVAL_WIDTH: "how wide intervals are on average",
    T.SIGN_ERROR: "how often a finding has the wrong sign",
    T.SIZE_ERROR: "how many times larger than the truth a finding is on average",
    T.USERS: "the share of people who used a service",
    T.MEAN_USE: "the mean use of a service",
    T.SD_OF_USE: "the standard deviation of the use of a service",
    T.MEAN_COST: "the mean cost a person",
    T.SD_OF_COST: "the standard deviation of the cost a person",
    T.RATIO: "the mean in the one arm over that in the other",
    T.VARIANCE_POWER: "with what power of the mean the variance goes",
    T.CURVATURE: "whether the link is right",
    T.RESIDUAL_CORRELATION: "how the residuals of costs and QALYs go together",
    T.ICER: "the difference in costs over that in effects",
    T.QUADRANT_SHARE: "in how many draws of the bootstrap it falls there",
    T.COST_EFFECTIVE: "how sure one can be that the intervention is worth its price at a threshold",
    T.BUDGET: "what it would cost whoever pays",
    T.EVPI: "what it would be worth to a person to know for certain",
    T.EVPI_OF_POPULATION: "what it would be worth to all of them to know for certain",
    T.STANDARD_ERROR: "the standard error by this method",
    T.WITHOUT_PERSON: "the difference between the arms without one person",
    T.TOP_SHARE: "the share of all costs of the arm that its dearest have",
    T.GINI: "how unequal costs are among people (0: all the same)",
}
INFERRED: dict[str, str] = {
    By.CR2: "bias-reduced standard errors by cluster (CR2) with Satterthwaite degrees of freedom",
    By.CR2_LOG: "CR2 by cluster, on the logarithm",
    By.CR2_LOGIT: "CR2 by cluster, on the log odds",
    By.EXACT: "exact",
    By.RECOVERED: "from the intervals of either arm (variances recovered)",
    By.KENWARD_ROGER: "restricted maximum likelihood with the adjustment of Kenward and Roger",
    By.T: "t distribution, with the standard errors of least squares",
    By.HC2: "standard errors that allow for unequal variances (HC2, Bell and McCaffrey)",
    By.HC3: "standard errors that allow for unequal variances (HC3)",
    By.HC3_LOG: "HC3, on the logarithm",
    By.MODEL: "the standard errors of the model",
    By.PAIRED_T: "a paired t test of the pairs of clusters",
    By.SIGN_FLIP: "flipping the signs of the pair differences, which is exact",
    By.RANDOM_SIGN_FLIP: "flipping the signs of the pair differences at random, many times",
    By.F: "an F test",
    By.D1: "an F test pooled over the imputations (D1)",
    By.AHT_F: "an F test by cluster (approximate Hotelling)",
    By.FIELLER: "Fieller's interval of a ratio",
    By.ANDERSON_RUBIN: "the set of Anderson and Rubin, which holds however weak the instrument",
    By.BOOTSTRAP: "percentiles of the bootstrap",
    By.JACKKNIFE: "the jackknife: one unit left out at a time",
    By.DELETION_T: "a t test of each against the others, by Bonferroni",
    By.SHAPIRO_WILK: "the test of Shapiro and Wilk",
    By.POSTERIOR: "what the variances may be, given these data and the prior",
    By.FISHER_Z: "Fisher's z of a correlation",
    By.NORMAL: "the normal distribution",
    By.NONE: "no test and no interval",
}
POOLED: dict[str, str] = {
    Pooling.AVERAGED: "each cluster's contribution is averaged over the imputations",
    Pooling.BARNARD_RUBIN: "pooled by Rubin's rules, degrees of freedom of Barnard and Rubin",
    Pooling.COMPLETE_DATA: "pooled by Rubin's rules with the degrees of freedom of complete data",
    Pooling.SATTERTHWAITE: "pooled, with degrees of freedom for the total variance",
}
OF_WHOM: dict[str, str] = {
    Population.COMPLETED: "everyone with a baseline interview",
    Population.COMPLETE_CASES: "those of whom all that is needed was observed",
    Population.OBSERVED_VISITS: "those with a value at any of the visits",
    Population.RECRUITED: "everyone recruited",
    Population.NOT_ANALYSED: "those recruited without a baseline interview",
    Population.EXPOSURE_KNOWN: "those with an exposure and a follow-up",
    Population.PRACTITIONERS: "practitioners",
    Population.DRAWN: "studies that were drawn, none of which took place",
    Population.RATERS: "practitioners and participants who rated it",
}


def meaning(term: str, contrast: str, unit: str, pair: str) -> str:
    """Return what a term is.

    Parameters
    ----------
    term : str
        Of the results; the variance of a part is said with it.
    contrast : str
        How differences are taken.
    unit, pair : str
        What a cluster, and a pair of them, are called.
    """
    stem, _, part = term.partition(OF)
    said = MEANS[stem].format(contrast=contrast, unit=unit, pair=pair)
    return f"{said}: of {part}" if part else said
