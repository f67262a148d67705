"""One sub-command for each rule: parse, call, report a failure in one sentence."""

from __future__ import annotations

import errno
import gc
import importlib
import inspect
import logging
import os
import sys
import time
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args, get_origin

from ccp_analysis.errors import REFUSED, StudyError, denied

# The function behind a command is imported only when it is called, and its keyword parameters are
# the options of the command; words that are no options are its other parameter.
COMMANDS = {
    "clean": "ccp_analysis.cleaning.stage:run",
    "cost": "ccp_analysis.economics.costs:run",
    "impute": "ccp_analysis.imputation.stage:run",
    "analyse": "ccp_analysis.analyses.stage:run",
    "check": "ccp_analysis.analyses.checks:run",
    "sensitivity": "ccp_analysis.analyses.sensitivity:run",
    "describe": "ccp_analysis.analyses.descriptive:run",
    "evaluate": "ccp_analysis.economics.stage:run",
    "balance": "ccp_analysis.confounding.stage:run",
    "expose": "ccp_analysis.implementation.expose:run",
    "characterise_batch": "ccp_analysis.characteristics.batch:run",
    "characterise_whole": "ccp_analysis.characteristics.whole:run",
    "characterise": "ccp_analysis.characteristics.stage:run",
    "implement": "ccp_analysis.implementation.stage:run",
    "next_study": "ccp_analysis.characteristics.next_stage:run",
    "results": "ccp_analysis.results.stage:run",
    "items": "ccp_analysis.report.stage:run",
    "report": "ccp_analysis.report.documents:run",
    "codebook": "ccp_analysis.report.codebook:run",
    "archive": "ccp_analysis.archive.pack:run",
    "unpack": "ccp_analysis.archive.unpack:run",
    "verify": "ccp_analysis.archive.checksums:run",
    "manifest": "ccp_analysis.archive.signed:run",
    "check-signature": "ccp_analysis.archive.signed:check",
    "explain": "ccp_analysis.archive.explain:run",
    "plan": "ccp_analysis.archive.plan_document:run",
    "lock-plan": "ccp_analysis.archive.lock_plan:run",
}
# What no rule of the pipeline runs.
BY_HAND = {
    "archive",
    "unpack",
    "verify",
    "manifest",
    "check-signature",
    "explain",
    "plan",
    "lock-plan",
}
STOPPED = "stopped by "
USAGE = f"usage: python -m ccp_analysis.cli COMMAND [options]\ncommands: {', '.join(COMMANDS)}"


def main(arguments: list[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    arguments : list of str, optional
        Command and options; those of the process by default.

    Returns
    -------
    int
        Exit status: 0 done, 1 a fault in the study's files (one sentence on the screen, all faults
        in the log), 2 wrong use of the command, 3 a fault of this program (traceback in the log).
    """
    command, *options = (sys.argv[1:] if arguments is None else arguments) or [""]
    if command not in COMMANDS:
        print(USAGE, file=sys.stderr)
        return 2
    log: Path | None = None
    started = time.perf_counter()
    try:
        module, _, name = COMMANDS[command].partition(":")
        function = getattr(importlib.import_module(module), name)
        values = vars(_parser(command, function).parse_args(options))
        log = values.pop("log")
        status = _run(function, values, log)
    except StudyError as error:
        for fault in error.faults:
            logging.error(fault)
        logging.error("%s%s: %s", STOPPED, command, error)
        print(f"{command}: {error}", file=sys.stderr)
        return 1
    except Exception as error:  # noqa: BLE001 - the last line of defence: no traceback on the screen
        logging.exception("%s%s: this program failed", STOPPED, command)
        place = f"the details are in {log}" if log else "run it with --log FILE for the details"
        print(
            f"{command}: this program failed ({type(error).__name__}: {error}); {place}.",
            file=sys.stderr,
        )
        return 3
    logging.info("%s: %.1f s", command, time.perf_counter() - started)
    return status


def _parser(command: str, function: Callable[..., object]) -> ArgumentParser:
    summary = (inspect.getdoc(function) or "").partition("\n")[0]
    parser = ArgumentParser(prog=f"ccp_analysis.cli {command}", description=summary)
    parser.add_argument("--log", type=Path, help="file for details and faults")
    for name, parameter in inspect.signature(function, eval_str=True).parameters.items():
        if parameter.kind is parameter.POSITIONAL_OR_KEYWORD:  # words, without an option's name
            parser.add_argument(name, nargs="*")
            continue
        if parameter.annotation is bool:
            parser.add_argument(f"--{name.replace('_', '-')}", action="store_true")
            continue
        required = parameter.default is inspect.Parameter.empty
        # Of list[Path] and of Path | None the type is Path.
        kind = next(iter(get_args(parameter.annotation)), parameter.annotation)
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=kind,
            nargs="+" if get_origin(parameter.annotation) is list else None,
            required=required,
            default=None if required else parameter.default,
        )
    return parser


def _run(function: Callable[..., int | None], values: dict[str, Any], log: Path | None) -> int:
    """Call the function of a command; a file that the system refuses is a fault of the study's."""
    try:
        _log_to(log)
        return int(function(**values) or 0)
    except Exception as error:
        refused = error if isinstance(error, OSError) and error.errno in REFUSED else None
        full = os.strerror(errno.ENOSPC)
        if refused is None and full in str(error):  # in the words of a program that was called
            refused = OSError(errno.ENOSPC, full)
        if refused is None:
            raise
        raise StudyError(denied(refused)) from error


def _log_to(path: Path | None) -> None:
    logging.raiseExceptions = False  # a log on a full disk hides no sentence
    logging.captureWarnings(True)
    handlers: list[logging.Handler] = [logging.NullHandler()]
    logging.basicConfig(handlers=handlers, force=True)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        handlers = [logging.FileHandler(path, mode="w", encoding="utf-8")]
    layout = "%(asctime)s %(levelname)s %(name)s: %(message)s"
    logging.basicConfig(level=logging.INFO, format=layout, handlers=handlers, force=True)


def faults_since(folder: Path, moment: float) -> list[str]:
    """Return what ended commands whose logs were written since a moment.

    Parameters
    ----------
    folder : Path
        Where the logs are.
    moment : float
        Seconds since the epoch.

    Returns
    -------
    list of str
        ``command: sentence (details in log)``, one for each log that has one.
    """
    faults = []
    for log in sorted(folder.glob("*.log")):
        if log.stat().st_mtime >= moment:
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
            ended = [line.partition(STOPPED)[2] for line in lines if STOPPED in line]
            faults += [f"{sentence} (details in {log})" for sentence in ended]
    return faults


if __name__ == "__main__":
    # What is imported and drawn is many objects that stay: to look among them for garbage takes a
    # twentieth of a job, a tenth of a figure, and a fifth of a second at the end.
    gc.set_threshold(50_000, 20, 100)
    ended = main()
    gc.freeze()
    sys.exit(ended)
