"""Derived variables: what follows from others, by a formula of the plan or by an instrument."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from ccp_analysis.cleaning.score import score_instruments
from ccp_analysis.config.dictionary import Column
from ccp_analysis.config.instruments import Instrument
from ccp_analysis.errors import StudyError
from ccp_analysis.layout import PLAN

Function = Callable[[np.ndarray], np.ndarray]

OPERATORS: dict[type, Callable] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}
FUNCTIONS: dict[str, Callable] = {
    "abs": np.abs,
    "exp": np.exp,
    "log": np.log,
    "sqrt": np.sqrt,
    "min": lambda *values: np.minimum.reduce(np.broadcast_arrays(*values)),
    "max": lambda *values: np.maximum.reduce(np.broadcast_arrays(*values)),
    "mean": lambda *values: sum(values) / len(values),
    "sum": lambda *values: sum(values),
}
SINGLE = ("abs", "exp", "log", "sqrt")
LONGEST = 500


@dataclass(frozen=True)
class Rule:
    """How a variable follows from others.

    Attributes
    ----------
    parts : tuple of str
        The variables it is computed from.
    function : callable
        Values of the parts, shape (rows, parts), to values (rows,).
    text : str
        The rule in words.
    quick : callable, optional
        The same up to rounding, but fast.
    """

    parts: tuple[str, ...]
    function: Function
    text: str
    quick: Function | None = None


def parse(name: str, text: str) -> Rule:
    """Read a formula of the plan.

    Parameters
    ----------
    name : str
        The variable it defines, for messages.
    text : str
        Arithmetic (``+ - * / **``, brackets) of numbers, names of variables, and the functions
        abs, exp, log, sqrt (of one value), min, max, mean, sum (of several).

    Returns
    -------
    Rule

    Raises
    ------
    StudyError
        If the text is anything else.

    Notes
    -----
    The text is parsed, not evaluated: only the forms above have a meaning, everything else is
    refused before any data are seen.
    """
    where = f"{PLAN}: imputation.derived.{name}"
    if len(text) > LONGEST:
        raise StudyError(f"{where} is longer than {LONGEST} characters.")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise StudyError(f"{where}: '{text}' is not a formula.") from error
    parts: list[str] = []
    compiled = _compile(tree, parts, where)
    if not parts:
        raise StudyError(f"{where}: '{text}' names no variable.")

    def function(values: np.ndarray) -> np.ndarray:
        result = compiled(dict(zip(parts, values.T, strict=True)))
        return np.broadcast_to(np.asarray(result, dtype=float), len(values))

    return Rule(tuple(parts), function, text.strip())


def _compile(
    node: ast.AST, parts: list[str], where: str
) -> Callable[[dict[str, np.ndarray]], np.ndarray | np.float64]:
    """Turn a node into a function of the values of the variables; note their names in `parts`."""
    match node:
        case ast.Constant(value=bool()):
            pass
        case ast.Constant(value=int() | float() as number):
            return lambda values: np.float64(number)
        case ast.Name(id=variable):
            if variable not in parts:
                parts.append(variable)
            return lambda values: values[variable]
        case ast.UnaryOp(op=op, operand=inner) if type(op) in OPERATORS:
            apply, operand = OPERATORS[type(op)], _compile(inner, parts, where)
            return lambda values: apply(operand(values))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
            apply = OPERATORS[type(op)]
            first, second = (_compile(side, parts, where) for side in (left, right))
            return lambda values: apply(first(values), second(values))
        case ast.Call(func=ast.Name(id=called), args=[_, *_] as arguments, keywords=[]) if (
            called in FUNCTIONS and (len(arguments) == 1 or called not in SINGLE)
        ):
            apply = FUNCTIONS[called]
            operands = [_compile(argument, parts, where) for argument in arguments]
            return lambda values: apply(*(f(values) for f in operands))
    raise StudyError(
        f"{where}: '{ast.unparse(node)}' is not allowed; a formula has numbers, names of "
        f"variables, + - * / ** and {', '.join(FUNCTIONS)}."
    )


def scoring(
    score: str, instrument_id: str, instrument: Instrument, dictionary: list[Column], visit: str
) -> Rule:
    """Return the rule by which a score follows from the items of its instrument at a visit.

    Parameters
    ----------
    score : str
        Name of the score: the instrument or one of its subscales, with the visit.
    instrument_id, instrument : str, Instrument
        The instrument.
    dictionary : list of Column
        For the limits by which items are reversed.
    visit : str
        Id of the visit.

    Returns
    -------
    Rule
        The parts are all items; scored as in cleaning.
    """
    columns = [c for c in dictionary if c.name in instrument.items and c.visit == visit]
    parts = tuple(f"{item}_{visit}" if visit else item for item in instrument.items)
    text = f"{instrument.score} of the items of {instrument_id}"

    def by_items(values: np.ndarray) -> np.ndarray:
        items = pd.DataFrame(values, columns=list(parts))
        return score_instruments(items, {instrument_id: instrument}, columns)[score].to_numpy()

    if instrument.score == "value_set":
        return Rule(parts, by_items, text, _remembered(by_items))
    lowest, highest = _limits(instrument, columns)
    if lowest is None or highest is None:
        return Rule(parts, by_items, text)
    # With every item answered the score is linear in them: its values where all are at their
    # lowest, and where one is at its highest, say all.
    corners = np.tile(lowest, (len(parts) + 1, 1))
    np.fill_diagonal(corners[1:], highest)
    at = by_items(corners)
    weights = (at[1:] - at[0]) / (highest - lowest)
    return Rule(parts, by_items, text, lambda values: (values - lowest) @ weights + at[0])


def _remembered(function: Function) -> Function:
    """Return a function that computes each combination of answers once."""
    known: dict[bytes, float] = {}

    def recall(values: np.ndarray) -> np.ndarray:
        rows, where = np.unique(values, axis=0, return_inverse=True)
        keys = [row.tobytes() for row in rows]
        new = [i for i, key in enumerate(keys) if key not in known]
        if new:
            known.update(zip([keys[i] for i in new], function(rows[new]), strict=True))
        return np.array([known[key] for key in keys])[where.ravel()]

    return recall


def _limits(
    instrument: Instrument, columns: list[Column]
) -> tuple[np.ndarray, np.ndarray] | tuple[None, None]:
    """Return the lowest and highest answer of every item, where the dictionary gives them."""
    by_name = {column.name: column for column in columns}
    limits: list[tuple[float | None, float | None]] = []
    for item in instrument.items:
        column = by_name[item]
        if column.type == "ordinal" and column.codes:
            codes = [float(code) for code in column.codes]
            limits.append((min(codes), max(codes)))
        else:
            limits.append((column.minimum, column.maximum))
    if any(low is None or high is None or low >= high for low, high in limits):
        return None, None
    lowest, highest = np.array(limits, dtype=float).T
    return lowest, highest
