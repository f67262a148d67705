"""Drawn studies: analysed as the pipeline does it, with known truths found again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from support.study import BTHEB, CCP, StudyFolder, copy_study, inside, once, options_of

from ccp_analysis.characteristics import batch, stage
from ccp_analysis.characteristics.actual import Actual, NotDrawnError, actual, primary_of
from ccp_analysis.characteristics.draws import block, studies
from ccp_analysis.characteristics.imputing import Column, completed, matched
from ccp_analysis.characteristics.measures import measures, share
from ccp_analysis.characteristics.scenarios import scenario
from ccp_analysis.characteristics.trials import Layout, Truth, draw
from ccp_analysis.config.characteristics import BLOCK, EVERY
from ccp_analysis.config.trial import Trial
from ccp_analysis.layout import DERIVED
from ccp_analysis.models.ols import fit_ols
from ccp_analysis.models.robust import cluster_covariance, cluster_robust
from ccp_analysis.report.sections.characteristics import flagged
from ccp_analysis.results.terms import Status, Term

pytestmark = pytest.mark.study

COLUMNS = ("estimate", "std_error", "df")


@pytest.fixture(scope="module")
def shipped(tmp_path_factory) -> StudyFolder:
    def make(folder: Path) -> None:
        study = copy_study(CCP, folder)
        with inside(folder):
            study.up_to_imputation()

    return StudyFolder(once(tmp_path_factory, "imputed_for_draws", make))


def like(study: StudyFolder) -> tuple[Trial, Actual, pd.DataFrame]:
    """Return configuration, what drawn studies are like, and the completed tables."""
    trial, tables = Trial(), pd.read_parquet(DERIVED / "imputed.parquet")
    models = pd.read_csv(DERIVED / "imputation_models.csv", keep_default_na=False)
    [(outcome, entry)] = primary_of(trial)
    return trial, actual(trial, outcome, entry, tables, models), tables


def found(trial: Trial, own: Actual, name: str, draws: int, *, every: bool = False) -> pd.DataFrame:
    true = scenario(own, name)
    entries = own.entries if every else own.entries[:1]
    blocks = [block(trial, own, true, k, entries) for k in range(draws // BLOCK)]
    return pd.concat(blocks, ignore_index=True)


def measured(table: pd.DataFrame, true: float, *, seeks: bool = False):
    return measures(tuple(table[c].to_numpy() for c in COLUMNS), true, 0.95, seeks)


def test_a_drawn_study_written_to_files_is_analysed_to_the_same_numbers(shipped, tmp_path):
    folder = copy_study(CCP, tmp_path)
    with inside(shipped.path):
        trial, own, tables = like(shipped)
        true = scenario(own, "as estimated, with the difference")
        _, lost, values = studies(trial.plan.seed, own, true, 3)
        here = block(trial, own, true, 3, own.entries)
    at, value = 7, own.asked[own.entry.id].value
    lost, values = lost[at], values[:, at] * own.sd
    assert lost.any()
    people = own.people.frame["participant"].to_numpy()
    first = tables[tables["imputation"] == 1].set_index("participant").loc[people].reset_index()
    parts = [first.assign(imputation=0, **{value: np.where(lost, np.nan, values[0])})]
    parts += [first.assign(imputation=m + 1, **{value: y}) for m, y in enumerate(values)]
    drawn = pd.concat(parts, ignore_index=True)
    (tmp_path / DERIVED / "results").mkdir(parents=True)
    drawn.to_parquet(tmp_path / DERIVED / "imputed.parquet")
    with inside(tmp_path):
        for entry in own.entries:
            rows = folder.analyse(entry.id)
            rows = rows[(rows["outcome"] == own.outcome.id) & (rows["subgroup"] == "")]
            row = rows[(rows["term"] == Term.DIFFERENCE) & rows["std_error"].notna()].iloc[0]
            mine = here[(here["draw"] == 3 * BLOCK + at) & (here["analysis"] == entry.id)].iloc[0]
            for column in COLUMNS:
                assert mine[column] == pytest.approx(row[column], rel=1e-9), (entry.id, column)


def test_nothing_hangs_on_the_size_of_batches(shipped, tmp_path):
    def bytes_of(size: int) -> tuple[bytes, pd.DataFrame]:
        folder = copy_study(CCP, tmp_path / str(size))
        folder.change("config/analysis.yaml", "quick: 100", f"quick: 80\n  batch: {size}")
        (folder / str(DERIVED)).mkdir(parents=True)
        for name in ("imputed.parquet", "imputation_models.csv"):
            (folder / str(DERIVED) / name).symlink_to(shipped.path / DERIVED / name)
        with inside(folder.path):
            folder.characterise()
            parts = options_of("characterise")["drawn"]
            assert len(parts) == 80 // size
            drawn = pd.concat([pd.read_parquet(p) for p in parts]).sort_values("draw")
            written = (DERIVED / "results/characteristics.parquet").read_bytes()
        return written, drawn.reset_index(drop=True)

    (one, drawn), (other, again) = bytes_of(20), bytes_of(40)
    pd.testing.assert_frame_equal(drawn, again, check_exact=True)
    assert one == other


def test_known_truths_are_recovered(shipped):
    """Bias within three Monte Carlo errors, level within its band, where the truth is known."""
    with inside(shipped.path):
        trial, own, _ = like(shipped)
        kept = measured(found(trial, own, "nothing lost", 2000), 0.0)
        power = measured(
            found(trial, own, "as estimated, with the difference", 1000), own.difference, seeks=True
        )
        bare = {name: found(trial, own, name, BLOCK, every=True) for name in EVERY}
    for each in (kept, power):
        assert abs(each[Term.BIAS].estimate) < 3 * each[Term.BIAS].error
    assert abs(kept[Term.TEST_LEVEL].estimate - 0.05) < 3 * kept[Term.TEST_LEVEL].error
    assert not kept[Term.TEST_LEVEL].off
    assert 0.2 < power[Term.POWER].estimate < 0.4 and power[Term.SIZE_ERROR].low > 1.0
    # Every scenario of the plan can be drawn, and every analysis has numbers in it.
    assert all(np.isfinite(table[list(COLUMNS)].to_numpy()).all() for table in bare.values())
    lower, upper = (
        bare[f"{end} limit of the ICC"]["std_error"].mean() for end in ("lower", "upper")
    )
    assert lower < upper


def test_a_wrong_method_is_flagged():
    """CR0 with normal quantiles, which no plan can have, on the drawn outcomes of ten teams."""
    layout = Layout.of_pairs([[22, 19], [17, 16], [14, 14], [13, 14], [11, 11]])
    trials = draw(layout, Truth(icc=0.05), 1000, np.random.default_rng(5))
    X = np.column_stack([np.ones(layout.n), layout.active, trials.baseline[0], layout.pairs])
    y = trials.outcome + 0.6 * (trials.baseline[0] - trials.baseline)
    fit, L = fit_ols(X, y), np.eye(X.shape[1])[1:2]
    right = cluster_robust(fit, layout.team, L)
    wrong = np.sqrt(cluster_covariance(fit, layout.team, "CR0")[:, 1, 1])
    good = measures(
        tuple(v[:, 0] for v in (right.estimate, right.std_error, right.df)), 0, 0.95, False
    )
    bad = measures((fit.coef[:, 1], wrong, np.full(1000, np.inf)), 0.0, 0.95, False)
    assert bad[Term.TEST_LEVEL].estimate > 0.2 and bad[Term.TEST_LEVEL].off
    assert not good[Term.TEST_LEVEL].off
    assert share(np.arange(2000) < 160).off and not share(np.arange(2000) < 125).off


def test_donors_are_the_same_whether_or_not_chains_share_what_is_fitted():
    rng = np.random.default_rng(1)
    layout = Layout.of_pairs([[9, 8], [7, 9]])
    x, y = rng.standard_normal((2, 3, layout.n))
    missing = rng.random(y.shape) < 0.2
    columns = [Column(x, np.zeros_like(missing)), Column(y, missing)]

    def apart(column, predicted, fitted, sigma, rng, **how):
        return matched(column, predicted, np.broadcast_to(fitted, predicted.shape), sigma, rng)

    one, other = (
        completed(columns, layout.team, 4, 1, np.random.default_rng(2), way)[-1]
        for way in (matched, apart)
    )
    np.testing.assert_array_equal(one, other)


def test_a_category_that_nobody_seen_has_stops_no_study():
    layout = Layout.of_pairs([[9, 8], [7, 9]])
    rng = np.random.default_rng(3)
    rare = np.zeros((2, layout.n))
    rare[:, 4] = 1.0
    missing = rng.random(rare.shape) < 0.2
    missing[0, 4], missing[1, 4] = True, False
    columns = [
        Column(rare, np.zeros_like(missing)),
        Column(rng.standard_normal(rare.shape), missing),
    ]
    filled = completed(columns, layout.team, 3, 1, rng)[-1]
    assert np.isfinite(filled).all() and np.abs(filled).max() < 10


def test_a_flagged_level_and_what_is_not_drawn_are_said(ccp_done, tmp_path):
    """Of a study whose drawn studies all reject; and of a primary analysis that is not drawn."""
    with inside(ccp_done.path):
        trial = Trial()
        [(outcome, entry)] = primary_of(trial)
        given = options_of("characterise")
        drawn = pd.concat([pd.read_parquet(p) for p in given["drawn"]])
        drawn.assign(estimate=99.0).to_parquet(tmp_path / "drawn.parquet")
        made = given | {"drawn": [tmp_path / "drawn.parquet"], "results": tmp_path / "r.parquet"}
        stage.run(**made, text=tmp_path / "r.md")
        table = pd.read_parquet(tmp_path / "r.parquet")
        source = ccp_done.source()
        rows = table[table["term"] == Term.TEST_LEVEL].to_dict("records")
        wrong = replace(source, results=rows)
        other = entry.model_copy(update={"model": "logistic"})
        tables = pd.read_parquet(given["imputed"])
        with pytest.raises(NotDrawnError, match="by logistic"):
            actual(trial, outcome, other, tables, pd.DataFrame())
        row = stage._not_drawn(trial, other, NotDrawnError("it is not drawn"))
    assert [row["status"] for row in rows] == [Status.FLAGGED] and rows[0]["estimate"] == 1.0
    assert "**flagged**" in (tmp_path / "r.md").read_text()
    assert row["status"] == Status.REFUSED and row["note"].endswith("it is not drawn")
    assert list(flagged(source)) == []
    assert "its level, one in twenty, is not kept" in "".join(flagged(wrong))


def test_a_study_without_clusters_is_drawn(btheb_done):
    table = pd.read_csv(btheb_done / "reports/results.csv")
    rows = table[table["analysis"] == "characteristics"].set_index("term")
    assert set(rows["inference"]) == {"t"} and rows.loc[Term.BIAS, "n"] == 100
    assert rows.loc[Term.COVERAGE, "conf_high"] > 0.95
    assert batch.progress("", 1) and BTHEB.is_dir()
