"""What the page beside the raw files says of the implementation, from its parameters."""

from __future__ import annotations

from synthetic.toolkit import PARTS, STEPS, Implementation


def shares(values: tuple[float, ...]) -> str:
    """Return shares as text."""
    return ", ".join(f"{share:g}" for share in values)


def named(values: tuple[tuple[str, float], ...]) -> str:
    """Return shares with what they are of."""
    return ", ".join(f"{name} {share:g}" for name, share in values)


def steps_table(truth: Implementation) -> list[tuple[str, str, str]]:
    """Return for each step the share of people with it, in either kind of team."""
    return [
        (f"`{step}`", f"{with_it:g}", f"{without:g}")
        for step, with_it, without in zip(STEPS, truth.reached, truth.contaminated, strict=True)
    ]


def ratings_table(truth: Implementation) -> list[tuple[str, ...]]:
    """Return the ratings, by practitioners and by service users, with their truth."""
    rows: list[tuple[str, ...]] = []
    for ratings in (*truth.ratings, truth.users):
        top = f"{sum(ratings.shares[3:]):g}"
        items = f"`{ratings.items[0]}`, ... ({len(ratings.items)})"
        figures = (shares(ratings.shares), top, f"{ratings.loading:g}", f"{ratings.change:g}")
        rows.append((ratings.name, items, *figures))
    return rows


def implementation(truth: Implementation, steps: str, ratings: str) -> str:
    """Return the paragraphs on the implementation around its two tables."""
    low, high = truth.practitioners
    first, second = truth.fidelity_cuts
    return f"""\
## What was delivered, and how it was received

As published, the toolkit was rated highly and little of it was delivered; the effect on every
outcome is none, whatever was delivered. Shares of the people with a baseline interview for whom
each step was done, in teams with the intervention and (contamination) without:

{steps}

Who has a step has had those before it: behind all stands one normal value, of whose variance
{truth.delivery_team:g} lies between teams and which correlates by {truth.delivery_loading:g} with
the factor common to all scores at baseline, so that people who fare better get more. A step takes
one contact and, by a Poisson distribution, {truth.contacts:g} more on average, on different working
days between the baseline interview and the six-month interview or the loss; a share of
{truth.key_worker:g} is with the person's key worker, the others with anybody of the team.

At six months, a share of {truth.forgotten:g} of those to whom the materials were explained say that
they were not, and {truth.mistaken:g} of the others that they were. Goals were discussed with
{truth.goals[1]:g} of those with the first step and {truth.goals[0]:g} of the others; they had
support for social connections in {truth.support[1]:g} and {truth.support[0]:g}. Ratings are empty
where somebody says that nothing was explained.

Fidelity is rated from records for everybody seen again: each of ten items becomes 1 (partly) where
a normal value exceeds {first:g} and 2 (done) where it exceeds {second:g}; each step done adds
{truth.fidelity_step:g} to that value. Items correlate by {truth.fidelity_loading:g} with a value
that they share, of whose variance {truth.fidelity_team:g} lies between teams.

A team has {low} to {high} practitioners. Professions: {named(truth.professions)}. Trained are
{truth.trained[1]:g} in teams with the intervention and {truth.trained[0]:g} in others. Caseloads
are normal (mean {truth.caseload_mean:g}, SD {truth.caseload_sd:g}, cut to {truth.caseload_low:g} to
{truth.caseload_high:g}). Practitioners of teams with the intervention were asked twice, of whom
{truth.answered[0]:g} and {truth.answered[1]:g} answered; for the other teams all ratings are empty.

Answers 1 to 5 are cut from normal values, so that the first occasion has the shares below; `change`
shifts these values to the second, in SD. `loading` is the correlation of an item's value with that
which its group shares. Of the practitioners' groups, the shared value correlates by
{truth.rating_general:g} with one that all of a person's ratings share and by
{truth.rating_retest:g} over the occasions; {truth.rating_team:g} of its variance lies between
teams. The first three groups rate {len(PARTS)} parts of the toolkit: {", ".join(PARTS)}.

{ratings}

Barriers are ticked by these shares of those who answer, at both occasions: {named(truth.barriers)}.
Of the normal value behind each, {truth.barrier_team:g} of the variance lies between teams, and the
correlation over the occasions is {truth.barrier_retest:g}."""
