"""An explanation as text for a screen."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

from ccp_analysis.report.words import listed

Explanation = dict[str, Any]
MARGIN = "  "
DIGITS = 12  # of a hash that are shown
SHOWN = 8  # of what there can be many of
UNITS = {"count": "", "standardised": "standard deviations", "utility": ""}
_NUMBERED = re.compile(r"(.*?)(\d+)$")


def page(found: Explanation, width: int) -> str:
    """Write an explanation as text.

    Parameters
    ----------
    found : dict
        Of `whole.Explainer.of`.
    width : int
        Of a line, at most.
    """
    lines: list[str] = [
        *textwrap.wrap(_title(found), max(width, 30)),
        f"row {found['row']['row']} · {found['study']['data']}",
    ]
    sections = {
        "The number": _number(found),
        "The model": _model(found),
        "Whose values": _people(found),
        "What was imputed": _imputation(found),
        "Variables and raw columns": _variables(found),
        "Prices": _economics(found),
        "What cleaning did": _cleaning(found),
        "How it was made": _made(found),
        "With what": _with(found),
    }
    for head, said in sections.items():
        paragraphs = list(said)
        if paragraphs:
            lines += ["", head]
            for paragraph in paragraphs:
                lines += _wrapped(paragraph, width)
    return "\n".join(lines)


def _wrapped(paragraph: str, width: int) -> list[str]:
    """Wrap a paragraph; one that begins with a dash is a line of a list."""
    further = MARGIN * 2 if paragraph.startswith("- ") else MARGIN
    return textwrap.wrap(
        paragraph,
        max(width, 30),
        initial_indent=MARGIN,
        subsequent_indent=further,
        break_on_hyphens=False,
        break_long_words=False,
    )


def _title(found: Explanation) -> str:
    row = found["row"]
    columns = ("analysis", "outcome", "visit", "term", "level", "subgroup", "perspective")
    return " · ".join(str(row[column]) for column in columns if row.get(column))


def _sentence(text: str) -> str:
    text = text.rstrip(". ")
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _many(n: object, what: str) -> str:
    return f"{n} {what}{'' if n == 1 else 's'}"


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}".replace("-", "\N{MINUS SIGN}")


def _number(found: Explanation) -> Iterator[str]:
    row, number = found["row"], found["number"]
    about = ", ".join(filter(None, [number["of"], number["level"], row.get("subgroup")]))
    yield _sentence(f"{about}: {number['what']}" if about else number["what"])
    estimate, scale = row.get("estimate"), row.get("scale", "")
    unit = UNITS.get(scale, scale)
    parts = [f"{_figure(estimate)} {unit}".strip() if estimate is not None else "no estimate"]
    if row.get("conf_low") is not None or row.get("conf_high") is not None:
        limits = [_figure(row.get("conf_low")) or "-∞", _figure(row.get("conf_high")) or "∞"]
        parts.append(f"{100 * row['conf_level']:g}% interval {limits[0]} to {limits[1]}")
    labels = {"std_error": "standard error", "df": "degrees of freedom", "p_value": "p"}
    labels |= {"p_adjusted": f"p in the family '{row.get('family', '')}'"}
    parts += [
        f"{label} {_figure(row[key])}" for key, label in labels.items() if row.get(key) is not None
    ]
    yield _sentence("; ".join(parts))
    if row.get("threshold") is not None:
        yield f"At a threshold of {row['threshold']:g}."
    if row.get("delta") is not None:
        yield f"At a delta of {row['delta']:g}."
    if row.get("status", "ok") != "ok":
        yield f"Its status is {row['status']}."
    if row.get("note"):
        yield _sentence(f"Its note: {row['note']}")


def _model(found: Explanation) -> Iterator[str]:
    model = found["model"]
    yield _sentence(model["says"])
    if "formula" in model:
        yield f"{model['label']}: {model['formula']}"
        yield _sentence(f"in words: {model['outcome']} on {listed(model['in words'])}")
    if "more" in model:
        yield _sentence(model["more"])
    told = [model["inference"], model["pooling"]]
    yield _sentence(f"inference: {'; '.join(filter(None, told))}" if any(told) else "")
    if "estimand" in model:
        yield f"It estimates: {model['estimand']}."
    for note in model["notes"]:
        yield _sentence(note)


def _people(found: Explanation) -> Iterator[str]:
    people = found["people"]
    n, clusters = people["row"], people["clusters"]
    who = people["population"]
    unit = people["counts"]
    if n is None:
        yield _sentence(f"population: {who}; the row has no n" if who else "the row has no n")
    else:
        more = f", in {clusters} clusters" if clusters else ""
        yield _sentence(f"population: {who}. The row rests on {n} {unit}{more}")
    if people["start"] is not None:
        left = [_left(one) for one in people["left_out"]]
        counted = f"Of {people['start']} {people['of']}"
        counted += f", left out are {'; '.join(left)}" if left else ", nobody is left out"
        yield f"{counted}. That leaves {people['n']} {unit}."
    elif people["left_out"]:
        why = "; ".join(one["why"] for one in people["left_out"])
        yield _sentence(f"of the {people['of']}, whoever is left out is so for: {why}")
    if people["agrees"] is False:
        yield "That is NOT the n of the row: results and derived tables are of different runs."
    of_people = "participants" in people["of"]
    for stage in people["flow"] if of_people else ():
        reasons = ", ".join(f"{n} {why.lower()}" for why, n in stage["missing"].items())
        if reasons:
            yield f"- {stage['stage']}: {stage['n']}; missing: {reasons}."


def _left(one: dict[str, Any]) -> str:
    lacking = ", ".join(f"{name} {n}" for name, n in one["lacking"].items())
    return f"{one['n']} ({one['why']}{f': {lacking}' if lacking else ''})"


def _imputation(found: Explanation) -> Iterator[str]:
    imputation = found["imputation"]
    yield _sentence(imputation["how"])
    variables = imputation.get("variables", [])
    known = [one for one in variables if one["values"] != 0]
    services = set(found.get("economics", {}).get("services", ()))
    used = [one for one in known if _stem(one["variable"]) in services]
    known = [one for one in known if one not in used]
    if "variables" in imputation and not known + used and "missing" not in found:
        yield "Of the variables of this number no value was missing."
    for one in known[:SHOWN]:
        arms = ", ".join(f"{n} in {arm}" for arm, n in one["by_arm"].items())
        values = (
            "" if one["values"] is None else f"{_many(one['values'], 'value')} imputed ({arms}), "
        )
        names = [p["variable"] for p in one["predictors"]]
        by = f"; predicted by {listed(names[:SHOWN])}" if names else ""
        more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
        yield f"- {one['variable']}: {values}{one['in words']}{by}{more}."
    if used:
        total = sum(one["values"] or 0 for one in used)
        values = f"{_many(total, 'value')} of {_many(len(used), 'variable')}" if total else "values"
        methods = listed(list(dict.fromkeys(one["in words"] for one in used)))
        yield f"- use of services: {values} imputed, {methods}."
    if len(known) > SHOWN:
        yield f"- and {len(known) - SHOWN} more variables (--json lists them)."


def _variables(found: Explanation) -> Iterator[str]:
    services = set(found.get("economics", {}).get("services", ()))
    used: dict[str, list[dict[str, Any]]] = {}
    for node in found["variables"]:
        stem = _stem(node["variable"])
        if stem in services:
            used.setdefault(stem, []).append(node)
            continue
        if stem == "cost" and services:
            yield f"- {node['variable']}: {_described(node)}; from the services below."
            continue
        yield f"- {node['variable']}: {_described(node)}; from {_columns(node['raw'])}."
    if used:
        raw = [leaf for nodes in used.values() for node in nodes for leaf in node["raw"]]
        yield f"- use of {len(used)} services ({', '.join(used)}); from {_columns(raw)}."


def _stem(name: str) -> str:
    return name.rpartition("_")[0]


def _described(node: dict[str, Any]) -> str:
    parts = [node["label"]]
    if "range" in node:
        low, high = ("…" if end is None else f"{end:g}" for end in node["range"])
        parts.append(f"{low} to {high} {node.get('unit') or ''}".strip())
    if "codes" in node:
        parts.append(f"{len(node['codes'])} codes")
    if node["kind"] != "raw":
        parts.append(node["made"])
    return ", ".join(filter(None, parts))


def _columns(raw: Iterable[dict[str, Any]]) -> str:
    """Write raw columns by file, numbered ones that follow one another as a run."""
    files: dict[str, list[str]] = {}
    for leaf in raw:
        files.setdefault(leaf["path"], []).append(leaf["column"])
    if not files:
        return "no raw column"
    return "; ".join(f"{path}: {', '.join(_runs(columns))}" for path, columns in files.items())


def _runs(columns: list[str]) -> Iterator[str]:
    run: list[str] = []
    for column in [*columns, ""]:
        if run and not _follows(run[-1], column):
            yield run[0] if len(run) == 1 else f"{run[0]} to {run[-1]}"
            run = []
        run.append(column)


def _follows(one: str, other: str) -> bool:
    a, b = _NUMBERED.match(one), _NUMBERED.match(other)
    return bool(a and b and a[1] == b[1] and int(b[2]) == int(a[2]) + 1)


def _economics(found: Explanation) -> Iterator[str]:
    told = found.get("economics")
    if told is None:
        return
    yield (
        f"Perspective: {told['perspective']} ({len(told['services'])} services), in "
        f"{told['currency']} at prices of {told['price_year']}, over {told['months']:g} months; "
        f"utility: {told['utility']}."
    )
    prices = [f"{one['service']} {_figure(one['price'])}" for one in told["prices"]]
    if prices:
        yield f"Prices of a unit ({told['unit_costs']}): {', '.join(prices)}."
    sources = list(dict.fromkeys(one["source"] for one in told["prices"]))
    if sources:
        yield _sentence(f"their sources: {'; '.join(sources[:SHOWN])}")
    if intervention := told.get("intervention"):
        total = intervention["total"]
        amount = "" if total is None else f", {total:,.2f} in all"
        yield (
            f"The intervention: {intervention['costs']}{amount}, shared over "
            f"{intervention['share']}."
        )
    if told["strange"]:
        yield f"Asked about in data/derived/price_queries.csv: {_many(told['strange'], 'figure')}."


def _cleaning(found: Explanation) -> Iterator[str]:
    cleaning = found["cleaning"]
    for rule in cleaning["rules"]:
        yield f"- rule {rule['rule']}: {rule['label']}; found values: {rule['action']}."
    for query in cleaning["queries"][: 2 * SHOWN]:
        decided = f", {query['decided']} by a decision" if query["decided"] else ""
        yield f"- {_many(query['cells'], 'cell')}, {query['rule']}: {query['action']}{decided}."
    more = len(cleaning["queries"]) - 2 * SHOWN
    if more > 0:
        yield f"- and {more} more kinds (--json lists them)."
    if not (cleaning["rules"] or cleaning["queries"]) and "missing" not in found:
        yield "No rule and no query touches these columns."


def _made(found: Explanation) -> Iterator[str]:
    for step in found["made"]:
        yield f"- {step['rule']} {step['does']}: {step['command']} → {', '.join(step['writes'])}"
    target = found["made"][-1]["writes"][0]
    yield f"All of it, in this order: snakemake --cores 1 {target}"


def _with(found: Explanation) -> Iterator[str]:
    versions, random = found["versions"], found["random"]
    libraries = ", ".join(f"{name} {v}" for name, v in versions["libraries"].items() if v)
    yield f"ccp_analysis {versions['ccp_analysis']}, Python {versions['python']}, {libraries} here."
    streams = listed([", ".join(stream) for stream in random["streams"]])
    if streams:
        yield f"Seed {random['seed']}; the stream of random numbers is named {streams}."
    else:
        yield "Nothing of it is drawn at random."
    for kind, files in found["files"].items():
        hashes = [f"{path} {d[:DIGITS] if d else '(not there)'}" for path, d in files.items()]
        if hashes:
            yield _sentence(f"SHA-256 of {kind} files, twelve digits: {', '.join(hashes)}")
    yield f"The code with its lock: {versions['code'][:DIGITS]}."
    if "missing" in found:
        yield found["missing"]
