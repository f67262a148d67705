"""Draw the synthetic study: nine raw files and the truth behind them.

In go plain parameters and a seed; out come the tables a study office would export, first clean,
then with mistakes planted and listed. The same seed gives the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from ccp_analysis.files import write_csv, write_text
from ccp_analysis.random import stream
from synthetic import implemented, people
from synthetic.description import raw_readme
from synthetic.items import calibrate, draw_answers
from synthetic.latent import draw_factor, draw_latent, structure_of
from synthetic.mess import plant_mess
from synthetic.parameters import DEFAULT, DEFAULT_SEED, Parameters, Scale
from synthetic.services import draw_use

FILES = (
    *("recruitment", "teams", "baseline", "followup", "status"),
    *("experience", "fidelity", "delivery", "practitioners"),
)
VISITS = ("baseline", "month6")


@dataclass(frozen=True)
class StudyData:
    """The raw files of a study and, where it was drawn, the truth behind them.

    Attributes
    ----------
    recruitment, teams, baseline, followup, status : pandas.DataFrame
        One for each raw file, columns as there.
    experience, fidelity, delivery, practitioners : pandas.DataFrame
        The same, of the implementation.
    truth : pandas.DataFrame
        One row per recruited person: participant, team, trust, arm, ``interviewed_{visit}``,
        ``loss_probability`` (missing without a baseline), the demographics, ``steps`` (of the
        intervention done; none for those without a baseline interview), and for everyone,
        interviewed or not, ``{scale}_{visit}`` (complete score) and ``theta_{scale}_{visit}``
        (latent value, change and effect included).
    """

    recruitment: pd.DataFrame
    teams: pd.DataFrame
    baseline: pd.DataFrame
    followup: pd.DataFrame
    status: pd.DataFrame
    experience: pd.DataFrame
    fidelity: pd.DataFrame
    delivery: pd.DataFrame
    practitioners: pd.DataFrame
    truth: pd.DataFrame

    def tables(self) -> dict[str, pd.DataFrame]:
        """Return the raw files by id, in the order in which they are written."""
        return {name: getattr(self, name) for name in FILES}

    def with_tables(self, tables: dict[str, pd.DataFrame]) -> StudyData:
        """Return the same study with other raw files."""
        return replace(self, **tables)

    def write_study(self, folder: Path) -> None:
        """Write the raw files into a folder as CSV (UTF-8, empty cell = missing)."""
        for name, table in self.tables().items():
            write_csv(folder / f"{name}.csv", table)


def _draw_scale(
    scale: Scale,
    parameters: Parameters,
    factor: np.ndarray,
    team: np.ndarray,
    arm: np.ndarray,
    seed: int,
) -> tuple[np.ndarray, list[np.ndarray], np.ndarray]:
    """Return theta (n, 2), the answers at both visits (n, items) and the scores (n, 2)."""
    rng = stream(seed, "simulation", "scale", scale.name)
    solved = calibrate(scale, parameters.effect(scale.name))
    theta = draw_latent(structure_of(parameters, scale.name), factor, team, parameters, rng)
    theta[:, 1] += solved.shift + solved.effect_shift * arm
    drawn = [draw_answers(solved, theta[:, visit], rng) for visit in (0, 1)]
    return theta, [answers for answers, _ in drawn], np.stack([s for _, s in drawn], axis=1)


def _set_goals(
    parameters: Parameters, answers: list[np.ndarray], seed: int
) -> tuple[list[pd.DataFrame], np.ndarray]:
    """Blank the goals that people did not set; return the items and the mean of those set."""
    n, items = answers[0].shape
    rng = stream(seed, "simulation", "goals")
    count = 1 + np.searchsorted(np.cumsum(parameters.goals)[:-1], rng.random(size=(n,)))
    unset = np.arange(items) >= count[:, None]
    kept = [pd.DataFrame(a).astype("Int64").mask(unset) for a in answers]
    scores = [np.where(unset, 0, a).sum(1) / count for a in answers]
    return kept, np.stack(scores, axis=1)


def draw_study(parameters: Parameters = DEFAULT, seed: int = DEFAULT_SEED) -> StudyData:
    """Draw a whole study, without any mistakes in its files.

    Parameters
    ----------
    parameters : Parameters
        The truth.
    seed : int
        Every part draws from its own stream of this seed, so that a changed part leaves the
        others as they were.

    Returns
    -------
    StudyData
        Clean raw files, and the truth.

    Raises
    ------
    ValueError
        If the parameters cannot hold together.
    """
    n = parameters.recruited
    rng = stream(seed, "simulation", "people")
    team = rng.permutation(np.repeat(np.arange(len(parameters.team_sizes)), parameters.team_sizes))
    arm = np.array(parameters.intervention)[team]
    dates = people.draw_dates(parameters, stream(seed, "simulation", "dates"))
    demographics = people.draw_demographics(parameters, stream(seed, "simulation", "demographics"))
    factor = draw_factor(parameters, n, stream(seed, "simulation", "factor"))

    codes = np.array(people.participant_codes(parameters))
    teams = pd.DataFrame(
        {
            "team": people.team_codes(parameters),
            "trust": np.repeat(people.trust_codes(parameters), 2),
            "arm": np.where(parameters.intervention, "intervention", "control"),
        }
    )
    truth = pd.concat(
        [pd.Series(codes, name="participant"), teams.iloc[team].reset_index(drop=True)], axis=1
    )
    truth = pd.concat([truth, demographics], axis=1)

    columns: tuple[dict, dict] = ({}, {})
    scores, thetas = {}, {}
    for scale in parameters.scales:
        theta, answers, score = _draw_scale(scale, parameters, factor, team, arm, seed)
        if scale.name == "goal_attainment":
            answers, score = _set_goals(parameters, answers, seed)
        for visit, name in enumerate(VISITS):
            for j, item in enumerate(scale.items):
                table = answers[visit]
                columns[visit][item] = table[j] if isinstance(table, pd.DataFrame) else table[:, j]
            scores[f"{scale.name}_{name}"] = score[:, visit]
            thetas[f"theta_{scale.name}_{name}"] = theta[:, visit]

    need = draw_latent(
        structure_of(parameters, "need"),
        factor,
        team,
        parameters,
        stream(seed, "simulation", "need"),
    )
    for service in (*parameters.services, parameters.days_off_work):
        use = draw_use(
            service,
            need,
            arm,
            parameters.effect(service.name),
            parameters,
            stream(seed, "simulation", "service", service.name),
        )
        for visit in (0, 1):
            columns[visit][service.name] = use[:, visit]
    for visit in (0, 1):
        worked = pd.Series(columns[visit]["days_off_work"]).astype("Int64")
        columns[visit]["days_off_work"] = worked.where(demographics["employment"] == "employed")

    rng = stream(seed, "simulation", "attrition")
    interviewed = np.ones(n, dtype=bool)
    interviewed[rng.choice(n, parameters.without_baseline, replace=False)] = False
    reasons = np.where(interviewed, "", rng.choice(people.NO_BASELINE_REASONS, n))
    probability = np.full(n, np.nan)
    probability[interviewed] = people.loss_probabilities(
        parameters,
        scores["wellbeing_baseline"][interviewed],
        demographics["age"].to_numpy()[interviewed],
    )
    lost = np.zeros(n, dtype=bool)
    lost[interviewed] = people.systematic_sample(probability[interviewed], rng)
    followed = interviewed & ~lost
    status = people.draw_events(
        parameters, codes, team, dates, followed, lost, stream(seed, "simulation", "events")
    )

    steps = implemented.draw_steps(parameters, arm, team, factor[:, 0], seed)
    steps = np.where(interviewed, steps, 0)
    experience = implemented.draw_experience(parameters, codes, steps, seed)
    fidelity = implemented.draw_fidelity(parameters, codes, team, steps, seed)
    practitioners = implemented.draw_practitioners(parameters, seed)
    left = status[status["event"].isin([kind for kind, _ in parameters.ended])]
    end = dates["month6"].copy()
    end[np.searchsorted(codes, left["participant"])] = left["date"].to_numpy("datetime64[D]")

    truth = truth.assign(
        interviewed_baseline=interviewed,
        interviewed_month6=followed,
        loss_probability=probability,
        steps=steps,
    )
    truth = pd.concat([truth, pd.DataFrame(scores), pd.DataFrame(thetas)], axis=1)
    identity = pd.DataFrame({"participant": codes})
    text = {name: days.astype(str) for name, days in dates.items()}
    baseline = pd.concat(
        [identity.assign(interview_date=text["baseline"]), demographics, pd.DataFrame(columns[0])],
        axis=1,
    )
    followup = pd.concat(
        [identity.assign(interview_date=text["month6"]), pd.DataFrame(columns[1])], axis=1
    )
    return StudyData(
        recruitment=identity.assign(
            team=truth["team"], recruited=text["recruited"], no_baseline_reason=reasons
        ),
        teams=teams,
        baseline=baseline[interviewed].reset_index(drop=True),
        followup=followup[followed].reset_index(drop=True),
        status=status,
        experience=experience[followed].reset_index(drop=True),
        fidelity=fidelity[followed].reset_index(drop=True),
        delivery=implemented.draw_contacts(
            parameters, codes, team, steps, practitioners, dates["baseline"], end, seed
        ),
        practitioners=practitioners,
        truth=truth,
    )


def simulate(out: Path, parameters: Parameters = DEFAULT, seed: int = DEFAULT_SEED) -> None:
    """Draw a study, plant mistakes, and write all of it into a folder.

    Written are the nine raw files, ``README.md`` (the model in words and tables) and
    ``planted_faults.csv`` (see `plant_mess` for its columns).

    Parameters
    ----------
    out : Path
        Folder; made if it is not there. Files of the same names are replaced.
    parameters : Parameters
        The truth.
    seed : int
        Seed.
    """
    messy, faults = plant_mess(draw_study(parameters, seed), seed)
    messy.write_study(out)
    write_text(out / "README.md", raw_readme(parameters, seed))
    write_csv(out / "planted_faults.csv", faults)


def run(out: Path, seed: int = DEFAULT_SEED) -> None:
    """Write the synthetic study, by default the very files of ``data/raw/`` (see `simulate`).

    Parameters
    ----------
    out : Path
        Folder to write to.
    seed : int
        Seed.
    """
    simulate(out, DEFAULT, seed)
