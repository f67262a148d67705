"""The page that stands beside the synthetic raw files, written from the parameters themselves."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable

from synthetic.description_of_toolkit import implementation, ratings_table, steps_table
from synthetic.items import calibrate
from synthetic.mess import DEFAULT_MESS, Mess
from synthetic.parameters import (
    DEFAULT,
    DEFAULT_SEED,
    Parameters,
    changed_from_default,
)
from synthetic.people import team_codes, trust_codes
from synthetic.services import moments


def _table(header: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    header = list(header)
    lines = [header, ["---"] * len(header), *([str(cell) for cell in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _scales(parameters: Parameters) -> str:
    rows = []
    for scale in parameters.scales:
        solved = calibrate(scale, parameters.effect(scale.name))
        derived = scale.score == "value_set"
        alpha = "" if derived else f"{scale.alpha:g}"
        rows.append(
            (
                f"`{scale.name}`",
                f"{len(scale.items)}, {scale.low}-{scale.high}",
                {"sum": "sum", "mean": "mean", "value_set": "value set"}[scale.score],
                f"{solved.mean:.4g}",
                f"{solved.sd:.4g}",
                alpha,
                f"{scale.change:g}",
                f"{parameters.effect(scale.name):g}",
                f"{scale.retest:g}",
                f"{scale.icc_team:g}",
                f"{scale.icc_trust:g}",
                f"{scale.loading:g}",
            )
        )
    header = (
        *("score", "items, answers", "how", "mean", "SD", "reliability", "change", "arm effect"),
        *("retest", "intra-team", "intra-Trust", "loading"),
    )
    return _table(header, rows)


def _services(parameters: Parameters) -> str:
    rows = []
    for service in (*parameters.services, parameters.days_off_work):
        mean, sd = moments(service)
        rows.append(
            (
                f"`{service.name}`",
                f"{service.zeros:g}",
                f"{service.mean:g}",
                service.family,
                f"{service.shape:g}",
                service.maximum,
                f"{mean:.3g}",
                f"{sd:.3g}",
                f"{parameters.effect(service.name):g}",
            )
        )
    header = (
        *("count", "share of zeros", "mean of users", "family", "shape", "maximum"),
        *("mean of all", "SD of all", "arm effect"),
    )
    return _table(header, rows)


def _teams(parameters: Parameters) -> str:
    if len(parameters.team_sizes) > 40:
        smallest, largest = min(parameters.team_sizes), max(parameters.team_sizes)
        return f"{len(parameters.team_sizes)} teams of {smallest} to {largest} people."
    trusts = trust_codes(parameters)
    rows = [
        (code, trusts[i // 2], "intervention" if parameters.intervention[i] else "control", size)
        for i, (code, size) in enumerate(
            zip(team_codes(parameters), parameters.team_sizes, strict=True)
        )
    ]
    return _table(("team", "Trust", "arm", "recruited"), rows)


def _levels(parameters: Parameters) -> str:
    rows = [
        (f"`{item}`", *(f"{share:g}" for share in shares))
        for scale in parameters.scales
        if scale.levels
        for item, shares in zip(scale.items, scale.levels, strict=True)
    ]
    return _table(("share at baseline", *(f"level {i}" for i in range(1, 6))), rows)


def _categories(parameters: Parameters) -> str:
    rows = [
        (
            f"`{c.name}`",
            ", ".join(f"{k} {v:g}" for k, v in zip(c.codes, c.shares, strict=True)),
        )
        for c in parameters.categories
    ]
    return _table(("column", "shares"), rows)


def _mess(mess: Mess) -> str:
    impossible = ", ".join(
        f"`{column}` = {value} ({file})"
        for file, column, value in (*mess.impossible, *mess.implementation_impossible)
    )
    unknown = ", ".join(f"`{value}` ({column})" for column, value in mess.unknown)
    rows = [
        (
            "single unanswered items (`-99`, `NA`, `not asked` or blank)",
            f"{mess.items:.1%} of items",
        ),
        ("instruments left out as a whole", f"{mess.instruments} in each interview file"),
        ("missing demographics", mess.demographics),
        ("missing counts of services", f"{mess.services} in each interview file"),
        ("white space around a value", f"{mess.spaces} cells in each interview file"),
        (
            "categories in another spelling",
            f"{mess.spellings} in baseline, {mess.events} in status",
        ),
        ("impossible values", impossible),
        ("rows of `baseline.csv` and of `delivery.csv` that stand twice", mess.duplicates),
        (
            "single missing answers in `experience.csv`, `fidelity.csv`, `practitioners.csv`",
            f"{mess.implementation_items:.1%}",
        ),
        ("white space, in each of these files", mess.implementation_spaces),
        (
            "categories in another spelling, in `experience.csv`, `delivery.csv`, "
            "`practitioners.csv`",
            f"{mess.implementation_spellings} in each",
        ),
        ("codes in `delivery.csv` that nobody has", unknown),
    ]
    return _table(("planted", "how much"), rows)


def _facts(parameters: Parameters) -> str:
    with_baseline = parameters.recruited - parameters.without_baseline
    counts = f"{parameters.recruited} / {with_baseline} / {with_baseline - parameters.lost}"
    published = not set(changed_from_default(parameters)) - {
        *("scales", "services", "implementation"),
    }
    where = "public" if published else "chosen for this draw"
    rows = [
        ("five Trusts with two teams each, one per arm; ten teams", where),
        (f"recruited / baseline / six months: {counts}", where),
        ("which outcomes are measured; number of items and range of each", "public"),
        ("no difference between the arms in any outcome or in costs", where),
        ("value set for England (Devlin et al. 2018)", "public"),
        (
            "toolkit rated highly, a minority had the materials explained; kinds of barriers",
            "public",
        ),
        ("sizes of the teams, dates, reasons and kinds of loss", "assumed"),
        ("all means, SDs, correlations, reliabilities, shares and counts below", "assumed"),
        ("ten items for the SCOPE short form; order of the items in the subscales", "assumed"),
        ("who is lost: the younger, and those with lower well-being at baseline", "assumed"),
    ]
    return _table(("fact", "source"), rows)


def _filled(page: str) -> str:
    """Break the lines of the paragraphs anew; tables, lists and headings stay."""
    blocks = [
        block
        if block.startswith(("|", "- ", "#"))
        else textwrap.fill(block, 100, break_long_words=False, break_on_hyphens=False)
        for block in page.strip().split("\n\n")
    ]
    return "\n\n".join(blocks) + "\n"


def raw_readme(
    parameters: Parameters = DEFAULT, seed: int = DEFAULT_SEED, mess: Mess = DEFAULT_MESS
) -> str:
    """Return the README of the synthetic raw files, in Markdown.

    Parameters
    ----------
    parameters : Parameters
        The truth that it tabulates.
    seed : int
        Seed of the draw.
    mess : Mess
        What was planted.

    Returns
    -------
    str
        First line: that the data are synthetic.
    """
    p = parameters
    ended = ", ".join(f"{kind} {share:g}" for kind, share in p.ended)
    goals = ", ".join(f"{share:g}" for share in p.goals)
    steps = _table(("step", "intervention", "other teams"), steps_table(p.implementation))
    figures = ("shares of answers 1 to 5", "top two", "loading", "change")
    ratings = _table(("group", "items", *figures), ratings_table(p.implementation))
    page = f"""\
**SYNTHETIC DATA: nobody gave these answers; every value was drawn from the model on this page.**

The participants' data of the Connecting People study are not public. These nine files have the
columns that the real ones are expected to have. They are drawn by `tools/synthetic` with
seed {seed}; drawing again gives the same bytes (`make data`). This page is written by the same
program from the same parameters. Columns and codes are in `config/dictionary.csv`.

- `recruitment.csv`: one row for everyone recruited
- `teams.csv`: one row per team, with its Trust and its arm
- `baseline.csv`, `followup.csv`: one row per interview, item by item
- `status.csv`: one row per event (loss, withdrawal, death, move to another team, adverse event)
- `experience.csv`, `fidelity.csv`: one row per person seen again, in both arms
- `delivery.csv`: one row per contact, with the step of the intervention
- `practitioners.csv`: one row per practitioner of the teams, asked twice

## What is public and what is assumed

{_facts(p)}

Public sources: registration NCT03945994; Webber et al. 2021, British Journal of Social Work
51(3):1080-1100; the funder's summary; the abstract at the International Conference on
Psychosocial Rehabilitation 2023.

## Scores

Figures are true of the complete scores in a very large study. Mean and SD are those of the
baseline; `reliability` is Cronbach's alpha (for a single item, the squared correlation with its
latent value); `change` is the mean change to six months without the intervention; `arm effect` is
what the intervention adds to it; `retest` is the correlation of baseline and six months.
`intra-Trust` is the correlation of two people in different teams of one Trust, `intra-team` what
being in the same team adds to it. Two scores of one person at one visit correlate by about the
product of their `loading`s.

{_scales(p)}

Behind each score stands a normal latent value, the sum of effects of the Trust, of the team (a
share of {p.team_visit_share:g} of its variance is drawn anew at each visit), of one factor common
to all scores (retest {p.factor_retest:g}), and of the person. Each item follows a graded-response
model (Samejima 1969) with that value behind it. SD, reliability and correlations of
`goal_attainment` hold for people with three goals; the shares who set one, two and three are
{goals}, and cells of goals never set are blank. EQ-5D levels are cut from normal values that
correlate by {next((s.item_loading for s in p.scales if s.levels), 0):g} with the latent value of
`utility`:

{_levels(p)}

## Service use in the last six months

A count is zero with the stated share; otherwise it follows a negative binomial distribution
truncated at zero (shape: dispersion k) or a log-normal one in whole numbers (shape: SD of the
logarithm). Behind all counts stands one latent need: loading on the common factor
{p.need_loading:g}, retest {p.need_retest:g}, intra-team {p.need_team:g}, intra-Trust
{p.need_trust:g}. The latent use of each service correlates by {p.service_loading:g} with the
need; what is its own correlates by {p.service_retest:g} over the visits. `days_off_work` is blank
for people who are not employed.

{_services(p)}

## People

Age is normal (mean {p.age_mean:g}, SD {p.age_sd:g}, cut to {p.age_low:g} to {p.age_high:g}).
Years in contact with services are gamma (shape {p.years_shape:g}, scale {p.years_scale:g}; copula
correlation with age {p.years_age:g}; at most age less 14). Otherwise the demographics are
independent of each other and of the outcomes.

{_categories(p)}

{_teams(p)}

Recruitment runs from {p.recruited_from} to {p.recruited_to}; the baseline interview follows
within {p.interview_days} days, the six-month interview {p.follow_up_days} days later (SD
{p.follow_up_sd}, at most {p.follow_up_window} days off). All fall on working days.

## Who is missing

{p.without_baseline} people without a baseline interview are drawn at random. {p.lost} of the
others are lost, exactly: the probability is logistic with a log odds ratio of
{p.loss_wellbeing:g} for one SD of baseline well-being and {p.loss_age:g} for one SD of age, its
intercept makes the probabilities sum to {p.lost}, and a systematic sample with these inclusion
probabilities is taken (Madow 1949). Loss thus depends on what was observed at baseline (before
the mistakes below) and on nothing else: missing at random. Shares of the kinds: {ended}. Of those
followed up, a share of {p.moved:g} moved to another team and {p.adverse:g} had an adverse event;
the arm is that of the team at recruitment.

{implementation(p.implementation, steps, ratings)}

## Mistakes

Planted at random into the drawn files, each cell at most once, and listed one by one
(`planted_faults.csv`, beside the tests): none in participants' codes, teams, arms or dates, but for
codes in `delivery.csv` that nobody has.

{_mess(mess)}
"""
    return _filled(page)
