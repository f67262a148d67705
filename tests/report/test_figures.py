from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from made_up import Folder, make
from support import reported

from ccp_analysis.errors import StudyError
from ccp_analysis.report import drawing, stage
from ccp_analysis.report.catalogue import figures_of
from ccp_analysis.report.guarded import steady
from ccp_analysis.report.inlined import with_figures


def test_every_figure_is_there_twice(clustered: Folder, plain: Folder) -> None:
    for folder in (clustered, plain):
        source = folder.source()
        names = reported.figure_names(source)
        made = sorted(path.name for path in (folder.path / "figures").iterdir())
        assert made == sorted(f"{name}.{kind}" for name in names for kind in ("png", "svg"))


def test_figures_are_the_same_bytes_again(clustered: Folder, tmp_path: Path) -> None:
    """By more processes than one, and whatever a user sets for matplotlib."""
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red"}):
        clustered.items(tmp_path, processes=2)
    for path in (clustered.path / "figures").iterdir():
        assert path.read_bytes() == (tmp_path / "figures" / path.name).read_bytes(), path.name


def test_a_picture_has_colours_of_its_own() -> None:
    # Few colours stay what they are; of many every one is near to one that is kept.
    step = np.arange(1 << 12, dtype=np.uint32)
    smooth = (step // 16) | (step % 64 * 4) << 8 | 0xFF808000
    for colours, far in ((smooth[:200], 0), (smooth, 16)):
        pixels = np.repeat(colours, 3).reshape(len(colours), 3)
        few = np.asarray(drawing.few_colours(pixels).convert("RGB")).astype(int)
        asked = pixels[..., None].view(np.uint8)[..., :3].astype(int)
        assert np.abs(few - asked).max() <= far


def test_names_within_a_figure_are_its_own_and_labels_stay(tmp_path: Path) -> None:
    label = '<text> id="x" url(#y)</text>'
    svg = f'<svg xmlns="s" width="9pt" viewBox="0 0 9 9"><a id="x"/><use href="#x"/>{label}</svg>\n'
    for name in ("one", "two"):
        (tmp_path / f"{name}.svg").write_text(f"<?xml?>\n{svg.replace('9pt', name)}")
    images = [f'<img src="{n}.svg" class="inline-svg" style="" alt="A"/>' for n in ("one", "two")]
    page = with_figures("".join(images).replace('"/>', '" />'), tmp_path)
    first, second = sorted(set(re.findall(r"svg_[0-9a-f]{20}", page)))
    for own in (first, second):
        assert page.count(f'<svg id="{own}" role="img" aria-label="A"') == 1
        assert page.count(f'<a id="{own}_x"/><use href="#{own}_x"/>{label}</svg>') == 1
    assert 'viewBox="0 0 9 9"' in page
    assert "xml" not in page


def _said(figure) -> str:
    texts = [text.get_text() for text in figure.findobj(matplotlib.text.Text)]
    return "\n".join(texts)


def test_what_is_saved_bears_its_status(
    clustered: Folder, plain: Folder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: dict[str, str] = {}
    monkeypatch.setattr(drawing, "save", lambda fig, out, name: found.update({name: _said(fig)}))
    for folder in (clustered, plain):
        source = folder.source()
        found.clear()
        for item in figures_of(source):
            stage.draw(source, item, tmp_path)
        assert list(found) == reported.figure_names(source)
        assert {"SYNTHETIC DATA" in text for text in found.values()} == {folder is clustered}


def test_vile_labels_are_drawn_as_text(tmp_path: Path) -> None:
    folder = make("plain", tmp_path / "study", label="<b>$\\frac{1}{$</b> $$ & ^_")
    folder.items(tmp_path)
    names = reported.figure_names(folder.source())
    assert len(list((tmp_path / "figures").iterdir())) == 2 * len(names)


def test_what_was_not_found_is_drawn_as_nothing(clustered: Folder, tmp_path: Path) -> None:
    source = clustered.source()
    rows = [row for row in source.results if not row["analysis"].startswith("checks_")]
    without = replace(source, results=rows)
    for name in ("check_panels_main", "check_pairs_main", "check_others_main_1"):
        assert reported.is_drawn(source, name) and not reported.is_drawn(without, name)
        stage.draw(without, reported.figure(without, name), tmp_path)
        assert (tmp_path / f"{name}.svg").is_file()


def test_checks_without_their_points_are_refused(clustered: Folder, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="folder of their points"):
        clustered.items(tmp_path, points=None)


def test_the_last_digits_of_numbers_move_no_mark(ccp_reported, tmp_path):
    chance = np.random.default_rng(20261129)

    def moved(number):
        return number * (1 + 2e-14 * chance.standard_normal()) if type(number) is float else number

    source = ccp_reported.source()
    rows = [{name: moved(value) for name, value in row.items()} for row in source.results]
    tipping = source.tipping.map(moved)
    other = replace(source, results=rows, tipping=tipping)
    assert not other.tipping.equals(source.tipping)
    for name in ("cascade", "departures", "tipping"):
        drawn = []
        for place, of in (("first", source), ("other", other)):
            item = next(item for item in figures_of(of) if item.name == name)
            stage.draw(steady(of), item, tmp_path / place)
            drawn.append((tmp_path / place / f"{name}.svg").read_bytes())
        assert drawn[0] == drawn[1], name
