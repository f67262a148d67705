# The analysis of the Connecting People study, and of other two-arm studies with few clusters.
# Each target works as the first command typed where there are make and a Python with venv.
#
#   make run STUDY=examples/beat_the_blues     another study folder (run, archive, verify, data, clean)
#   make run PYTHON=/path/to/python3.12        another Python, 3.11 to 3.13
#   make run CORES=2

# The study of an unpacked archive, otherwise the one at the root.
STUDY     ?= $(or $(patsubst %/archived/MANIFEST.sha256,%,$(firstword \
	$(wildcard examples/*/archived/MANIFEST.sha256))),.)
CORES     ?= 4
PEOPLE    ?= 5000
LONG      ?= averaged_contributions averaged_elsewhere weighting takers used_up_teams reviewers_inference \
	operating_characteristics economic_evaluation faults mutants processors same_bytes \
	next_trial slurm
TEAMS     ?= 100
PYTHON    ?= python3.13 python3.12 python3.11 python3
LOCK      ?= requirements.lock
DEVLOCK   := requirements-dev.lock
SNAKEMAKE ?= "$(CURDIR)/.venv/bin/snakemake"
LOCKFLAGS ?=

VENV := .venv
BIN  := "$(CURDIR)/$(VENV)/bin"
# The package is used from src/, and nothing is written to the home folder.
WITH := env OPENBLAS_NUM_THREADS=1 PYTHONPATH="$(CURDIR)/src" XDG_CACHE_HOME="$(CURDIR)/.cache" \
	MPLCONFIGDIR="$(CURDIR)/.cache/matplotlib"
CLI  := $(WITH) $(BIN)/python -m ccp_analysis.cli
ELSEWHERE := $(if $(filter-out .,$(STUDY)),--directory "$(STUDY)")
HERE := $(if $(ELSEWHERE),$(STUDY),this folder)

# What a complete environment was made from; its last written file says the same.
# It may stand elsewhere, and $(VENV) be a link to it.
STAMP := $(BIN)/python -c 'import hashlib, os, platform, sys; \
	print(platform.python_version(), os.path.realpath(sys.prefix), \
	hashlib.sha256(open("$(LOCK)", "rb").read()).hexdigest())'
NAMED := $(if $(filter file,$(origin PYTHON)),,$(PYTHON))
READY := { [ -s $(VENV)/.complete ] && [ "$$($(STAMP) 2>/dev/null)" = "$$(cat $(VENV)/.complete)" ] \
	&& { [ -z "$(NAMED)" ] || [ "$$($(NAMED) -V 2>&1)" = "$$($(BIN)/python -V)" ]; }; }
# A Python that is in range, as the program itself: not a shim, nor the copy in an environment.
FIND := import sys; (3, 11) <= sys.version_info[:2] <= (3, 13) or sys.exit(1); \
	print(getattr(sys, "_base_executable", sys.executable))
# File descriptor 9 holds a lock until the last process that has it open ends, however it ends.
FLOCK := -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX | fcntl.LOCK_NB)' 2>/dev/null
WAIT  := -c 'import fcntl; fcntl.flock(9, fcntl.LOCK_EX)'

COMPILE := "$$uv" pip compile pyproject.toml --universal --generate-hashes --fork-strategy fewest --python-version 3.11 \
	--quiet --annotation-style line --no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' \
	$(LOCKFLAGS)

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help run characteristics test test-quick test-long lint validation docs site verify manifest explain golden plan lock-plan archive data lock clean environment workshop study synthetic synthetic-study

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-16s %s\n", $$1, $$2}' Makefile

run: study environment ## set up, then run the study from raw data to the report
	@exec 9>>"$(STUDY)/.run.lock"; $(BIN)/python $(FLOCK) || { \
		echo "make run: another 'make run' is at work in $(HERE); wait until it has ended." >&2; exit 1; }; \
	if ls "$(STUDY)"/.snakemake/locks/* >/dev/null 2>&1; then \
		for p in /proc/[0-9]*; do \
			[ "$$(readlink $$p/cwd)" = "$$(cd "$(STUDY)" && pwd -P)" ] && tr '\0' '\n' 2>/dev/null <$$p/cmdline \
			| grep -Eq '^(ccp_analysis\.cli|snakemake|.*/snakemake)$$' || continue; \
			echo "make run: process $${p#/proc/} of another run is at work in $(HERE); wait until it has ended." >&2; \
			exit 1; \
		done; \
		echo "An earlier run was killed: unlocking $(HERE)."; \
		$(WITH) $(SNAKEMAKE) --unlock $(ELSEWHERE) || exit 1; \
	fi; \
	exec $(WITH) $(SNAKEMAKE) --cores $(CORES) $(ELSEWHERE)

characteristics: study environment ## draw studies with a known truth in all scenarios (an hour), and analyse them as planned
	@$(WITH) $(SNAKEMAKE) --cores $(CORES) $(ELSEWHERE) -- reports/characteristics.md
	@echo "Open $(STUDY)/reports/characteristics.md."

test: lint ## set up, then the linters and the tests
	$(WITH) $(BIN)/python -m pytest -n auto --dist worksteal --junitxml=.cache/tests.xml

test-quick: workshop ## set up, then the tests that need no whole study and no simulation
	$(WITH) $(BIN)/python -m pytest -n auto --dist worksteal -m "not pipeline and not study and not simulation"

test-long: workshop ## run long simulations for hours (LONG="weighting ..."); .cache/evidence has what they print
	$(WITH) $(BIN)/python -m pytest -n auto --dist worksteal -m "simulation or long" --long
	@mkdir -p .cache/evidence; for name in $(LONG); do \
		echo "benchmarks/$$name.py"; \
		printf 'Printed on %s by the code of commit %s.\n\n' "$$(date +%F)" "$$(git rev-parse --short HEAD)" \
			>".cache/evidence/$$name.md"; \
		$(WITH) PYTHONPATH="$(CURDIR)/src:$(CURDIR)/tools:$(CURDIR)/tests" $(BIN)/python "benchmarks/$$name.py" \
			>>".cache/evidence/$$name.md" || exit 1; \
	done

lint: workshop ## set up, then the linters alone
	@$(WITH) $(BIN)/mypy --cache-dir "$(CURDIR)/.cache/mypy" & types=$$!; \
	set -ex; trap 'wait $$types' EXIT; \
	$(BIN)/ruff check .; \
	$(BIN)/ruff format --check .; \
	$(WITH) $(BIN)/snakefmt --check Snakefile; \
	$(WITH) $(SNAKEMAKE) --lint; \
	$(WITH) $(BIN)/lint-imports --no-cache; \
	$(WITH) $(BIN)/python tools/budget.py; \
	$(WITH) $(BIN)/python tools/configuration.py --check; \
	trap - EXIT; wait $$types

validation: environment ## list every requirement with its tests, references, tolerances and last results
	@$(WITH) $(BIN)/python tools/validation.py

docs: workshop ## write the keys of the configuration and their schemas again
	$(WITH) $(BIN)/python tools/configuration.py

site: workshop ## build the documentation as web pages
	@$(WITH) $(BIN)/mkdocs build --strict
	@echo "Open .cache/site/index.html."

verify: study environment ## compare an archive's files with their checksums, and results with a rerun
	@cd "$(STUDY)" && exec $(CLI) verify --cores $(CORES) --log logs/verify.log

manifest: study environment ## write checksums of inputs, code and results, to be signed
	@cd "$(STUDY)" && exec $(CLI) manifest --log logs/manifest.log

explain: environment ## tell where a number comes from (NUMBER="ancova social_capital difference", or its id)
	@cd "$(STUDY)" && exec $(CLI) explain $(NUMBER)

golden: ## run the shipped studies and keep their numbers as those that tests compare with
	$(MAKE) --no-print-directory run STUDY=.
	$(MAKE) --no-print-directory run STUDY=examples/beat_the_blues
	cp reports/results.csv tests/golden/connecting_people.csv
	cp examples/beat_the_blues/reports/results.csv tests/golden/beat_the_blues.csv
	$(WITH) $(BIN)/python tests/golden/test_reruns.py

plan: study environment ## write the statistical analysis plan as a document, from config/ alone
	@cd "$(STUDY)" && exec $(CLI) plan --log logs/plan.log

lock-plan: study environment ## lock the plan under its version (DATE=2020-01-31; today by default)
	@cd "$(STUDY)" && exec $(CLI) lock-plan $(if $(DATE),--date $(DATE)) --log logs/lock_plan.log

archive: run ## run, then pack code, data and results into one file (real data only WITH_DATA=1)
	@cd "$(STUDY)" && exec $(CLI) archive $(if $(WITH_DATA),--with-data) --log logs/archive.log

data: study synthetic environment ## draw the synthetic raw data again
	$(WITH) PYTHONPATH="$(CURDIR)/src:$(CURDIR)/tools" $(BIN)/python -m synthetic --out "$(STUDY)/data/derived/synthetic"
	mv "$(STUDY)/data/derived/synthetic/planted_faults.csv" tests/simulation/data/
	cp "$(STUDY)"/data/derived/synthetic/* "$(STUDY)/data/raw/"

synthetic-study: environment ## draw a synthetic study folder (PEOPLE=5000 TEAMS=100 OUT=folder)
	@[ -n "$(OUT)" ] || { echo "make synthetic-study: say where: OUT=folder." >&2; exit 1; }
	@$(WITH) PYTHONPATH="$(CURDIR)/src:$(CURDIR)/tools" $(BIN)/python -m synthetic --out "$(OUT)" \
		--people $(PEOPLE) --teams $(TEAMS)
	@echo "Run it: make run STUDY=$(OUT)"

lock: ## choose the versions of both locks again (the newest: LOCKFLAGS=--upgrade)
	uv=$$(command -v uv) || { $(MAKE) --no-print-directory workshop && uv=$(BIN)/uv; } || exit 1; \
	$(COMPILE) --output-file $(LOCK) && $(COMPILE) --all-extras --constraint $(LOCK) --output-file $(DEVLOCK)

clean: study ## remove what a run and the tests have made (the environment stays)
	cd "$(STUDY)" && rm -rf data/derived logs .snakemake
	cd "$(STUDY)" && if [ -d reports ]; then \
		find reports -mindepth 1 -maxdepth 1 ! -name README.md -exec rm -rf {} +; fi
	rm -rf .cache .pytest_cache .ruff_cache .hypothesis

environment:
	@if $(READY); then exit 0; fi; \
	uv --version >/dev/null 2>&1 && need= || need='import ensurepip; '; \
	for p in $(PYTHON); do py=$$($$p -c "$$need"'$(FIND)' 2>/dev/null) && break || py=; done; \
	[ -n "$$py" ] || { echo "make: Python 3.11, 3.12 or 3.13 with venv is needed, and there is none by the name of" \
		"$(PYTHON); install one or say where it is: PYTHON=/path/to/python3." >&2; exit 1; }; \
	exec 9>>$(VENV).lock; "$$py" $(FLOCK) || { echo "Waiting for another set-up to end."; "$$py" $(WAIT); }; \
	if $(READY); then exit 0; fi; \
	echo "Making $(VENV) from $(LOCK) with $$("$$py" -V); this takes a minute or two."; \
	rm -rf $(VENV); \
	if uv --version >/dev/null 2>&1; then \
		cache=$$(uv cache dir); mkdir -p "$$cache" 2>/dev/null && [ -w "$$cache" ] || export UV_CACHE_DIR=.cache/uv; \
		uv venv --quiet --python "$$py" $(VENV) && uv pip install --quiet --compile-bytecode --require-hashes \
			--python $(VENV)/bin/python --requirement $(LOCK); \
	else \
		"$$py" -m venv $(VENV) && $(BIN)/python -m pip install -qq --no-input --disable-pip-version-check \
			--use-pep517 --require-hashes --requirement $(LOCK); \
	fi || { echo "make: $(VENV) could not be made; the reason stands above." >&2; exit 1; }; \
	$(STAMP) >$(VENV)/.complete.part && mv $(VENV)/.complete.part $(VENV)/.complete

# What tests, linters and documents need beside it, added once.
INSTALLED := $(BIN)/python -c 'import hashlib; print(hashlib.sha256(open("$(DEVLOCK)", "rb").read() \
	+ open("$(VENV)/.complete", "rb").read()).hexdigest())'
workshop: environment
	@if [ "$$($(INSTALLED))" = "$$(cat $(VENV)/.workshop 2>/dev/null)" ]; then exit 0; fi; \
	echo "Adding what developers need to $(VENV), from $(DEVLOCK)."; \
	if uv --version >/dev/null 2>&1; then \
		cache=$$(uv cache dir); mkdir -p "$$cache" 2>/dev/null && [ -w "$$cache" ] || export UV_CACHE_DIR=.cache/uv; \
		uv pip install --quiet --compile-bytecode --require-hashes --python $(VENV)/bin/python --requirement $(DEVLOCK); \
	else \
		$(BIN)/python -m pip install -qq --no-input --disable-pip-version-check --use-pep517 --require-hashes \
			--requirement $(DEVLOCK); \
	fi || { echo "make: developers' tools could not be added; the reason stands above." >&2; exit 1; }; \
	$(INSTALLED) >$(VENV)/.workshop

study:
	@test -f "$(STUDY)/config/study.yaml" || { \
		echo "make: '$(STUDY)' is no study folder: it has no config/study.yaml." >&2; exit 1; }
	@test -w "$(STUDY)" || { \
		echo "make: nothing can be written in '$(STUDY)'; copy the study folder to where it can." >&2; exit 1; }

synthetic:
	@grep -Eq '^data_status: *synthetic *(#.*)?$$' "$(STUDY)/config/study.yaml" || { \
		echo "make data: $(STUDY)/config/study.yaml does not say 'data_status: synthetic'; data/raw is left as it is." >&2; \
		exit 1; }
