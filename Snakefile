# Raw files → clean → cost → impute → analyse → report, for the study in the current folder
# (or in that of --directory). config/ says what the study is; nothing here knows it by name.
import logging
import sys
import time
from pathlib import Path

from snakemake.cli import get_argument_parser

SOURCE = Path(workflow.basedir) / "src"
sys.path.insert(0, str(SOURCE))

from ccp_analysis import before, layout, mended, provenance
from ccp_analysis.cli import faults_since
from ccp_analysis.config.characteristics import WHOLE_BATCH, slug
from ccp_analysis.config.economics import costed
from ccp_analysis.config.trial import Trial, configuration_files, designed
from ccp_analysis.errors import StudyError, denied
from ccp_analysis.files import fingerprint
from ccp_analysis.removed import lines_of
from ccp_analysis.report.catalogue import files_of, shelves
from ccp_analysis.results.table import not_estimated

# Snakemake's own log on a full disk hides no sentence behind how it could not be written.
logging.raiseExceptions = False

# Neither activation nor installation is needed: commands use this Python and this copy of the code.
# Memory of large arrays is kept for the next ones: asked of the system each time, and filled with
# zeros there, it takes a third of the time of a large study.
shell.prefix(
    f'set -euo pipefail; export PATH="{Path(sys.executable).parent}:$PATH" PYTHONPATH="{SOURCE}" '
    "MALLOC_MMAP_THRESHOLD_=1073741824 MALLOC_TRIM_THRESHOLD_=1073741824; "
)


def stop(sentences):
    """End before the first job: sentences alone are said, and how many more there are."""
    sys.exit("\n".join(before.shown(sentences)))


if config:
    stop(
        [
            f"--config is not read ({', '.join(config)}): every setting of a study stands in its folder "
            "config/, as the seed in config/analysis.yaml; change it there."
        ]
    )
TRIAL = Trial()
try:
    # In the main process alone: what a job reads was checked before the first one.
    faults = before.faults(TRIAL) if workflow.is_main_process else []
    if faults:
        stop(faults)
    STUDY, PLAN, ECONOMICS = TRIAL.study, TRIAL.plan, TRIAL.economics
    IMPLEMENTATION = TRIAL.implementation
    CONFIG = configuration_files()
    RAW = [file.path.as_posix() for file in STUDY.files.values()]
    before.check_rights([*RAW, *sum(CONFIG.values(), [])])
    # Not while another run is at work, whose files are half there.
    if workflow.is_main_process and not any(Path(".snakemake/locks").glob("*")):
        looks = mended.only_looks(sys.argv[1:])
        for sentence in mended.noticed() if looks else mended.set_aside():
            print(sentence, file=sys.stderr)
except OSError as error:
    stop([denied(error)])
except StudyError as error:
    stop(error.faults or [str(error)])

DERIVED, RESULTS = layout.DERIVED.as_posix(), layout.RESULTS.as_posix()
# What is known of those who delivered, and of what they did.
DELIVERED = {
    name: f"{DERIVED}/{name}.parquet"
    for name, there in (
        ("practitioners", STUDY.practitioners),
        ("delivery", STUDY.delivery),
    )
    if there
}
EVENTS = [layout.EVENTS.as_posix()] if STUDY.losses else []
HAPPENED = f"--events {layout.EVENTS}" if STUDY.losses else ""
# Costing alone reads the list of medication.
MEDICATION = [f"{DERIVED}/medication.parquet"] if STUDY.medication else []
TAKEN = " ".join(f"--medication {path}" for path in MEDICATION)
COSTS = [f"{DERIVED}/{name}.parquet" for name in ("costs", "prices") if ECONOMICS]
EXPOSED = (
    [f"{DERIVED}/exposed.parquet"]
    if IMPLEMENTATION and IMPLEMENTATION.exposures
    else []
)
PARTS = (
    [analysis.id for analysis in PLAN.analyses]
    + [f"checks_{analysis}" for analysis in PLAN.checks]
    + ["sensitivity"] * bool(PLAN.sensitivity)
    + ["descriptive", "balance"]
    + ["economics"] * bool(COSTS)
    + ["implementation"] * bool(IMPLEMENTATION)
    + ["next_study"] * bool(PLAN.next_study)
    + ["characteristics"] * (PLAN.characteristics.form != "off")
)
ITEMS = [path.as_posix() for path in files_of(TRIAL)]
CAPTIONS = layout.CAPTIONS.as_posix()
SHELVES = {path.as_posix(): at for path, at in shelves(TRIAL).items()}
RELEASED = [path.as_posix() for path in layout.RELEASED]
FIGURES = [path for path in ITEMS if Path(path).parent == layout.FIGURES]
DOCUMENTS = [path.as_posix() for path in layout.DOCUMENTS]
CODEBOOK = [path.as_posix() for path in layout.CODEBOOK]
STARTED = time.time()


def altered(wildcards):
    """Return what was altered since it was written, and so is asked for as well."""
    others = [rule for rule in workflow.rules if rule.name != "all"]
    return mended.wanted(lambda path: any(rule.is_producer(path) for rule in others))


def overview(path):
    """Return an output with its caption and place in the overview of `snakemake --report`."""
    if path not in SHELVES:
        return path
    kind, part = SHELVES[path]
    name = Path(path).stem
    caption = (Path(CAPTIONS) / f"{kind[:-1].lower()}_{name}.rst").resolve()
    return report(
        path,
        caption=caption.as_posix(),
        category=kind,
        subcategory=part,
        labels={"name": name.replace("_", " ")},
    )


def drawn(form):
    """Return what the jobs write that draw studies, each its part of them."""
    where = f"{DERIVED}/characteristics/{form}"
    paths = [
        f"{where}/{slug(name)}.{batch}.parquet"
        for name, batch in PLAN.characteristics.batches(form)
    ]
    if form == "full":
        number = -(-PLAN.characteristics.whole // WHOLE_BATCH)
        paths += [f"{DERIVED}/characteristics/whole/{k}.parquet" for k in range(number)]
    return paths


def version(command, read=()):
    """Return what a rule's result hangs on beside its inputs' dates: its code and what is in them."""
    return (
        provenance.code_fingerprint(command) + fingerprint(map(Path, read)) + DESIGNED
    )


# What all rules use of the study, and costing and imputation of the economic evaluation.
DESIGNED = designed(STUDY)
COSTED = costed(ECONOMICS)


wildcard_constraints:
    form="quick|full",
    batch="[0-9]+",
    scenario="[a-z0-9_]+",
    analysis="|".join(analysis.id for analysis in PLAN.analyses),


rule all:
    input:
        RESULTS,
        RELEASED,
        ITEMS,
        DOCUMENTS,
        CODEBOOK,
        altered,
    # In place of the list of all of them, which would hide what a run says at its end.
    message:
        "All files of the study"


rule clean:
    input:
        RAW + CONFIG["clean"],
    output:
        participants=f"{DERIVED}/participants.parquet",
        queries=f"{DERIVED}/queries.csv",
        flow=f"{DERIVED}/flow.json",
        missing=f"{DERIVED}/missing.parquet",
        scales=f"{DERIVED}/scales.csv",
        codebook=f"{DERIVED}/codebook.parquet",
        delivered=list(DELIVERED.values()),
        events=EVENTS,
        medication=MEDICATION,
    # The list of what stopped a run is a log: outputs of a failed rule are deleted.
    log:
        run="logs/clean.log",
        stopped="logs/queries_at_stop.csv",
    conda:
        "environment.yml"
    params:
        version=version("clean", RAW + CONFIG["clean"]),
        delivered=" ".join(f"--{name} {path}" for name, path in DELIVERED.items()),
        events=HAPPENED,
        medication=TAKEN,
    message:
        "Cleaning the raw files"
    shell:
        "python -m ccp_analysis.cli clean --participants {output.participants} "
        "--queries {output.queries} --flow {output.flow} --missing {output.missing} "
        "--scales {output.scales} --codebook {output.codebook} {params.delivered} "
        "{params.events} {params.medication} --stopped {log.stopped} --log {log.run}"


if ECONOMICS:

    rule cost:
        input:
            CONFIG["cost"],
            MEDICATION,
            participants=rules.clean.output.participants,
        output:
            costs=f"{DERIVED}/costs.parquet",
            prices=f"{DERIVED}/prices.parquet",
            intervention=f"{DERIVED}/intervention.parquet",
            queries=f"{DERIVED}/price_queries.csv",
        log:
            "logs/cost.log",
        conda:
            "environment.yml"
        params:
            version=version("cost", CONFIG["cost"]),
            costed=COSTED,
            medication=TAKEN,
        message:
            "Costing service use and the intervention"
        shell:
            "python -m ccp_analysis.cli cost --participants {input.participants} "
            "--costs {output.costs} --prices {output.prices} --intervention {output.intervention} "
            "--queries {output.queries} {params.medication} --log {log}"


rule impute:
    input:
        CONFIG["impute"],
        participants=rules.clean.output.participants,
        costs=COSTS,
    output:
        imputed=f"{DERIVED}/imputed.parquet",
        models=f"{DERIVED}/imputation_models.csv",
        traces=f"{DERIVED}/figure_data/imputation_traces.parquet",
        values=f"{DERIVED}/figure_data/imputation_values.parquet",
        patterns=f"{DERIVED}/figure_data/missing_patterns.parquet",
        losses=f"{DERIVED}/figure_data/losses.parquet",
    log:
        "logs/impute.log",
    conda:
        "environment.yml"
    params:
        version=version("impute", CONFIG["impute"]),
        costed=COSTED,
        costs="--costs {} --prices {}".format(*COSTS) if COSTS else "",
    message:
        "Imputing what is missing"
    shell:
        "python -m ccp_analysis.cli impute --participants {input.participants} {params.costs} "
        "--imputed {output.imputed} --models {output.models} --traces {output.traces} "
        "--values {output.values} --patterns {output.patterns} --losses {output.losses} "
        "--log {log}"


rule analyse:
    input:
        CONFIG["analyse"],
        imputed=rules.impute.output.imputed,
    output:
        f"{DERIVED}/results/{{analysis}}.parquet",
    log:
        "logs/analyse_{analysis}.log",
    # Balance waits for all of them, and the report for it.
    priority: 1
    conda:
        "environment.yml"
    params:
        version=version("analyse", CONFIG["analyse"]),
    message:
        "Fitting {wildcards.analysis}"
    shell:
        "python -m ccp_analysis.cli analyse --analysis {wildcards.analysis} "
        "--imputed {input.imputed} --results {output} --log {log}"


rule check:
    input:
        CONFIG["check"],
        imputed=rules.impute.output.imputed,
    output:
        results=f"{DERIVED}/results/checks_{{analysis}}.parquet",
        figures=f"{DERIVED}/figure_data/checks_{{analysis}}.parquet",
    log:
        "logs/check_{analysis}.log",
    conda:
        "environment.yml"
    params:
        version=version("check", CONFIG["check"]),
    message:
        "Checking the assumptions of {wildcards.analysis}"
    shell:
        "python -m ccp_analysis.cli check --analysis {wildcards.analysis} "
        "--imputed {input.imputed} --results {output.results} --figures {output.figures} "
        "--log {log}"


if PLAN.sensitivity:

    rule sensitivity:
        input:
            CONFIG["sensitivity"],
            participants=rules.clean.output.participants,
            imputed=rules.impute.output.imputed,
        output:
            results=f"{DERIVED}/results/sensitivity.parquet",
            figures=f"{DERIVED}/figure_data/tipping.parquet",
        log:
            "logs/sensitivity.log",
        conda:
            "environment.yml"
        params:
            version=version("sensitivity", CONFIG["sensitivity"]),
        message:
            "Asking what values not missing at random would change"
        shell:
            "python -m ccp_analysis.cli sensitivity --participants {input.participants} "
            "--imputed {input.imputed} --results {output.results} --figures {output.figures} "
            "--log {log}"


rule describe:
    input:
        CONFIG["describe"],
        participants=rules.clean.output.participants,
        imputed=rules.impute.output.imputed,
        events=EVENTS,
    output:
        f"{DERIVED}/results/descriptive.parquet",
    log:
        "logs/describe.log",
    conda:
        "environment.yml"
    params:
        version=version("describe", CONFIG["describe"]),
        events=HAPPENED,
        currency=f"--currency {ECONOMICS.currency}" if ECONOMICS else "",
    message:
        "Describing the participants, and what happened to them"
    shell:
        "python -m ccp_analysis.cli describe --participants {input.participants} "
        "--imputed {input.imputed} {params.events} {params.currency} "
        "--results {output} --log {log}"


if ECONOMICS:

    rule evaluate:
        input:
            CONFIG["evaluate"],
            imputed=rules.impute.output.imputed,
            costs=rules.cost.output.costs,
            prices=rules.cost.output.prices,
            intervention=rules.cost.output.intervention,
            participants=rules.clean.output.participants,
        output:
            results=f"{DERIVED}/results/economics.parquet",
            figures=f"{DERIVED}/figure_data/economics.parquet",
        log:
            "logs/evaluate.log",
        # It takes longest of those that wait for the imputation, and so starts first.
        priority: 2
        conda:
            "environment.yml"
        params:
            version=version("evaluate", CONFIG["evaluate"]),
        message:
            "Comparing costs and quality-adjusted life years"
        shell:
            "python -m ccp_analysis.cli evaluate --imputed {input.imputed} --costs {input.costs} "
            "--prices {input.prices} --intervention {input.intervention} "
            "--participants {input.participants} --results {output.results} "
            "--figures {output.figures} --log {log}"


# Studies are drawn batch by batch: a batch that failed is run again alone, and no number hangs on
# how many there are or where they run.
rule characterise_batch:
    input:
        CONFIG["characterise_batch"],
        imputed=rules.impute.output.imputed,
        models=rules.impute.output.models,
    output:
        f"{DERIVED}/characteristics/{{form}}/{{scenario}}.{{batch}}.parquet",
    log:
        "logs/characterise_{form}_{scenario}_{batch}.log",
    retries: 1
    conda:
        "environment.yml"
    params:
        version=version("characterise_batch", CONFIG["characterise_batch"]),
    message:
        "Drawing studies ({wildcards.form} form, {wildcards.scenario}, batch {wildcards.batch})"
    shell:
        "python -m ccp_analysis.cli characterise_batch --form {wildcards.form} "
        "--scenario {wildcards.scenario} --batch {wildcards.batch} --imputed {input.imputed} "
        "--models {input.models} --drawn {output} --log {log}"


rule characterise_whole:
    input:
        CONFIG["characterise_whole"],
        imputed=rules.impute.output.imputed,
        models=rules.impute.output.models,
        participants=rules.clean.output.participants,
        costs=COSTS,
    output:
        f"{DERIVED}/characteristics/whole/{{batch}}.parquet",
    log:
        "logs/characterise_whole_{batch}.log",
    retries: 1
    conda:
        "environment.yml"
    params:
        version=version("characterise_whole", CONFIG["characterise_whole"]),
        costed=COSTED,
        costs=rules.impute.params.costs,
    message:
        "Drawing studies that all models impute (batch {wildcards.batch})"
    shell:
        "python -m ccp_analysis.cli characterise_whole --batch {wildcards.batch} "
        "--participants {input.participants} --imputed {input.imputed} --models {input.models} "
        "{params.costs} --drawn {output} --log {log}"


rule characterise:
    input:
        CONFIG["characterise"],
        imputed=rules.impute.output.imputed,
        models=rules.impute.output.models,
        drawn=drawn(PLAN.characteristics.form),
    output:
        f"{DERIVED}/results/characteristics.parquet",
    log:
        "logs/characterise.log",
    conda:
        "environment.yml"
    params:
        version=version("characterise", CONFIG["characterise"]),
    message:
        "Measuring the analyses on drawn studies"
    shell:
        "python -m ccp_analysis.cli characterise --drawn {input.drawn} "
        "--imputed {input.imputed} --models {input.models} --results {output} --log {log}"


# Asked for by `make characteristics`, whatever form the plan has.
rule characterise_fully:
    input:
        CONFIG["characterise"],
        imputed=rules.impute.output.imputed,
        models=rules.impute.output.models,
        drawn=drawn("full"),
    output:
        results=layout.CHARACTERISTICS[0].as_posix(),
        text=layout.CHARACTERISTICS[1].as_posix(),
    log:
        "logs/characterise_fully.log",
    conda:
        "environment.yml"
    params:
        version=version("characterise", CONFIG["characterise"]),
    message:
        "Measuring the analyses on drawn studies, all scenarios"
    shell:
        "python -m ccp_analysis.cli characterise --drawn {input.drawn} "
        "--imputed {input.imputed} --models {input.models} --results {output.results} --text {output.text} --log {log}"


rule balance:
    input:
        CONFIG["balance"],
        participants=rules.clean.output.participants,
        imputed=rules.impute.output.imputed,
        parts=expand(
            f"{DERIVED}/results/{{analysis}}.parquet",
            analysis=[analysis.id for analysis in PLAN.analyses],
        ),
    output:
        results=f"{DERIVED}/results/balance.parquet",
        figures=f"{DERIVED}/figure_data/balance.parquet",
    log:
        "logs/balance.log",
    priority: 1
    conda:
        "environment.yml"
    params:
        version=version("balance", CONFIG["balance"]),
    message:
        "Asking how alike the arms were"
    shell:
        "python -m ccp_analysis.cli balance --participants {input.participants} "
        "--imputed {input.imputed} --parts {input.parts} --results {output.results} "
        "--figures {output.figures} --log {log}"


if EXPOSED:

    rule expose:
        input:
            CONFIG["expose"],
            rules.clean.output.delivered,
            participants=rules.clean.output.participants,
            costs=COSTS,
        output:
            f"{DERIVED}/exposed.parquet",
        log:
            "logs/expose.log",
        conda:
            "environment.yml"
        params:
            version=version("expose", CONFIG["expose"]),
            costed=COSTED,
            costs=rules.impute.params.costs,
            contacts=(
                f"--delivery {DELIVERED['delivery']}"
                if "delivery" in DELIVERED
                else ""
            ),
        message:
            "Imputing exposures along"
        shell:
            "python -m ccp_analysis.cli expose --participants {input.participants} {params.costs} "
            "{params.contacts} --exposed {output} --log {log}"


if IMPLEMENTATION:

    rule implement:
        input:
            CONFIG["implement"],
            rules.clean.output.delivered,
            participants=rules.clean.output.participants,
            exposed=EXPOSED,
        output:
            results=f"{DERIVED}/results/implementation.parquet",
            figures=f"{DERIVED}/figure_data/implementation.parquet",
        log:
            "logs/implement.log",
        conda:
            "environment.yml"
        params:
            version=version("implement", CONFIG["implement"]),
            exposed="--exposed {}".format(*EXPOSED) if EXPOSED else "",
            delivered=rules.clean.params.delivered,
        message:
            "Asking how it was put into practice"
        shell:
            "python -m ccp_analysis.cli implement --participants {input.participants} "
            "{params.exposed} {params.delivered} "
            "--results {output.results} --figures {output.figures} --log {log}"


if PLAN.next_study:

    rule next_study:
        input:
            CONFIG["next_study"],
            imputed=rules.impute.output.imputed,
            intervention=[rules.cost.output.intervention] if ECONOMICS else [],
        output:
            f"{DERIVED}/results/next_study.parquet",
        log:
            "logs/next_study.log",
        conda:
            "environment.yml"
        params:
            version=version("next_study", CONFIG["next_study"]),
            money=(
                f"--intervention {DERIVED}/intervention.parquet --currency {ECONOMICS.currency}"
                if ECONOMICS
                else ""
            ),
        message:
            "Asking how large a next trial should be"
        shell:
            "python -m ccp_analysis.cli next_study --imputed {input.imputed} {params.money} "
            "--results {output} --log {log}"


rule results:
    input:
        CONFIG["results"],
        parts=expand(f"{DERIVED}/results/{{part}}.parquet", part=PARTS),
        flow=rules.clean.output.flow,
    output:
        results=RESULTS,
        flow=layout.SHOWN.as_posix(),
    log:
        "logs/results.log",
    conda:
        "environment.yml"
    params:
        version=version("results", CONFIG["results"]),
        disclosure=STUDY.disclosure.model_dump_json(),
    message:
        "Putting the results table together"
    shell:
        "python -m ccp_analysis.cli results --parts {input.parts} --flow {input.flow} "
        "--out {output.results} --released {output.flow} --log {log}"


# What figures are drawn from, beside the results.
POINTS = [
    rules.impute.output.traces,
    rules.impute.output.values,
    rules.impute.output.patterns,
    rules.impute.output.losses,
    *expand(rules.check.output.figures, analysis=PLAN.checks),
    *([rules.sensitivity.output.figures] if PLAN.sensitivity else []),
    *([rules.evaluate.output.figures] if ECONOMICS else []),
    rules.balance.output.figures,
    *([rules.implement.output.figures] if IMPLEMENTATION else []),
]
# What the report lists of prices.
PRICES = (
    [
        rules.cost.output.prices,
        rules.cost.output.intervention,
        rules.cost.output.queries,
    ]
    if ECONOMICS
    else []
)
PRICED = (
    "--prices {} --intervention {} --price-queries {}".format(*PRICES) if PRICES else ""
)


rule items:
    input:
        CONFIG["items"],
        results=rules.results.output.results,
        flow=rules.results.output.flow,
        queries=rules.clean.output.queries,
        models=rules.impute.output.models,
        scales=rules.clean.output.scales,
        points=POINTS,
        prices=PRICES,
    output:
        [overview(path) for path in ITEMS],
        captions=directory(CAPTIONS),
        text=f"{DERIVED}/report.md",
        origins=f"{DERIVED}/origins.json",
        exchanged=layout.EXCHANGED.as_posix(),
        book=layout.WORKBOOK.as_posix(),
    log:
        "logs/items.log",
    conda:
        "environment.yml"
    threads: 4
    params:
        version=version("items", CONFIG["items"]),
        prices=PRICED,
        folders=f"--points {DERIVED}/figure_data --tables {layout.TABLES} --figures {layout.FIGURES}",
        checksums=f"--data {fingerprint(map(Path, RAW))} --code {provenance.program()}",
    message:
        "Writing tables, figures and the text of the report"
    shell:
        "python -m ccp_analysis.cli items --results {input.results} --flow {input.flow} "
        "--queries {input.queries} --models {input.models} --scales {input.scales} "
        "{params.prices} {params.folders} {params.checksums} --text {output.text} --origins {output.origins} "
        "--exchanged {output.exchanged} --book {output.book} --captions {output.captions} "
        "--processes {threads} --log {log}"


rule report:
    input:
        CONFIG["report"],
        FIGURES,
        text=rules.items.output.text,
        origins=rules.items.output.origins,
    output:
        html=report(DOCUMENTS[0], category="Documents", labels={"name": "report"}),
        docx=DOCUMENTS[1],
        pdf=report(DOCUMENTS[2], category="Documents", labels={"name": "report, PDF"}),
        results=layout.BROWSED.as_posix(),
    log:
        "logs/report.log",
    conda:
        "environment.yml"
    params:
        version=version("report", CONFIG["report"]),
        folders=f"--figures {layout.FIGURES}",
    message:
        "Writing the report"
    shell:
        "python -m ccp_analysis.cli report --text {input.text} --origins {input.origins} "
        "{params.folders} "
        "--html {output.html} --docx {output.docx} --pdf {output.pdf} --results {output.results} "
        "--log {log}"


rule codebook:
    input:
        CONFIG["codebook"],
        codebook=rules.clean.output.codebook,
    output:
        html=report(CODEBOOK[0], category="Documents", labels={"name": "codebook"}),
        csv=CODEBOOK[1],
    log:
        "logs/codebook.log",
    conda:
        "environment.yml"
    params:
        version=version("codebook", CONFIG["codebook"]),
    message:
        "Writing the codebook"
    shell:
        "python -m ccp_analysis.cli codebook --codebook {input.codebook} --html {output.html} "
        "--csv {output.csv} --log {log}"


# Snakemake reads this file before it says what it was asked for: its parser is asked again.
if workflow.is_main_process and "snakemake" in Path(sys.argv[0]).parts[-2:]:
    asked, _ = get_argument_parser().parse_known_args(sys.argv[1:])
    if strange := before.not_made(asked.targets, list(workflow.rules)):
        stop(strange)


onsuccess:
    for line in lines_of(PLAN, layout.FLOW):
        print(line)
    # Where it is asked for some files alone there may be no report, or one of an earlier run.
    found = sorted(layout.RESULTS.parent.glob("*"))
    made = [
        path for path in found if path.is_file() and path.stat().st_mtime >= STARTED
    ]
    if layout.DOCUMENTS[0] in made:
        print(not_estimated(layout.RESULTS), end="")
        said = f"; open {layout.DOCUMENTS[0].resolve()}"
    else:
        said = f"; made {', '.join(map(str, made))}" if made else ""
    print(f"{STUDY.title}: done in {time.time() - STARTED:.0f} s{said}")


onerror:
    for fault in faults_since(Path("logs"), STARTED):
        print(f"The run stopped: {fault}", file=sys.stderr)
