# Set-up, demo and tests; needs Python 3.11, make and a package index.
SHELL := /bin/bash
PYTHON ?= python3
# uv does not read pip's setting for a local folder of wheels (torch may lie there)
export UV_FIND_LINKS ?= $(PIP_FIND_LINKS)
export UV_COMPILE_BYTECODE ?= 1
BIN := $(CURDIR)/.venv/bin
export PATH := $(BIN):$(PATH)

VALIDATIONS := validate-null validate-null-eeg validate-null-scores validate-demo validate-beam-search validate-tang-style validate-ablations validate-scale \
  validate-training validate-gpu \
  validate-studyforrest validate-haxby \
  validate-mnist-rules validate-rule-speed validate-cifar-rules validate-text-rules validate-learn-study \
  validate-rsa validate-rsa-truth validate-motion validate-largest-run \
  validate-eeg-cleaning validate-faults
.PHONY: install demo lint test-fast test test-slurm test-pages docs validate bad-inputs $(VALIDATIONS) benchmark-rsa benchmark-fmri-cleaning
install: .venv/installed

# half an installation is begun anew: the mark goes first and comes back last
.venv/installed: pyproject.toml constraints.txt
	if [[ -e $@ ]]; then rm $@; else rm -rf .venv; fi
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install -q uv
	$(BIN)/uv pip install -q --python $(BIN)/python -c constraints.txt -e ".[workflow,slurm,test]"
	touch $@

demo: install
	snakemake
	@echo "Open results/demo/reports/group.html and results/demo/reports/sub-01.html"

lint: install
	ruff format --check .
	ruff check .
	lint-imports
	snakefmt --check Snakefile workflow
	snakemake --lint

# a worker a core; slow tests use all cores themselves
test-fast: lint
	OMP_NUM_THREADS=1 python -m pytest -n auto -m "not slow"

test: test-fast
	BRAINLM_PAGES=$(CURDIR)/build/pages python -m pytest -m slow

# the documentation as a site that opens offline; a warning of the build fails it
docs: install
	$(BIN)/uv pip install -q --python $(BIN)/python -c constraints.txt -e ".[docs]"
	python -m sphinx --fail-on-warning --keep-going --fresh-env --quiet docs build/docs
	@echo "Open build/docs/index.html"

# pages of the tiny study and of the documentation in headless Chromium (Debian: chromium, fonts-liberation)
test-pages: docs
	[[ -e build/pages/group.html ]] || snakemake --configfile config/tiny.yaml --config results_dir=build/tiny
	[[ -e build/pages/group.html ]] || cp -r build/tiny/reports build/pages
	python -m pytest tests/pages/check.py

# a real Slurm of one machine, started and stopped; only as root in a container or CI
test-slurm: install
	timeout -k 30 300 python tests/slurm/check.py

# Long claims; each writes benchmarks/results/NAME.json
validate: $(VALIDATIONS)

validate-null: install
	python benchmarks/null_decoding.py

validate-null-scores: install
	python benchmarks/null_scores.py

validate-beam-search: demo
	python benchmarks/beam_search.py

validate-tang-style: demo
	python benchmarks/tang_style.py

validate-ablations: demo
	python benchmarks/selector_ablations.py

validate-scale: install
	python benchmarks/scale.py
	python benchmarks/benchmark_page.py

validate-training: install
	python benchmarks/train_decoder.py
	python benchmarks/benchmark_page.py

# one line where there is no graphics card
validate-gpu: install
	python benchmarks/gpu.py
	python benchmarks/benchmark_page.py

# a dozen faults done to a small study; twenty minutes, as root in a container for tmpfs and Slurm
validate-faults: install
	python benchmarks/faults.py

# messages of bad inputs, collected from the fast tests
bad-inputs: install
	python benchmarks/bad_inputs.py

validate-eeg-cleaning: install
	python benchmarks/eeg_cleaning.py

validate-null-eeg: install
	python benchmarks/null_decoding.py --modality eeg

validate-demo: install
	python benchmarks/demo_decoding.py
	python benchmarks/demo_decoding.py --language zh
	python benchmarks/demo_decoding.py --signal 0.5
	python benchmarks/demo_decoding.py --signal 0.25

validate-studyforrest: install
	snakemake --configfile config/examples/studyforrest.yaml --config bids_root=$(BRAINLM_REAL_DATA)/studyforrest-bids
	python benchmarks/studyforrest_map.py results/studyforrest $(BRAINLM_REAL_DATA)/studyforrest-bids

validate-mnist-rules: install
	python benchmarks/mnist_rules.py
	python benchmarks/mnist_rules.py --table

validate-cifar-rules: install
	python benchmarks/cifar_rules.py
	python benchmarks/perturbation_noise.py
	python benchmarks/cifar_rules.py --table

validate-text-rules: install
	python benchmarks/text_rules.py --seeds 3
	python benchmarks/text_rules.py --table
	python benchmarks/conversion.py --passes 8
	python benchmarks/conversion.py --table

validate-learn-study: install
	python benchmarks/learn_study.py
	python benchmarks/learn_study.py --table

validate-haxby: install
	python benchmarks/haxby_labels.py
	python benchmarks/decoding_page.py

validate-rule-speed: install
	python benchmarks/learning_rules.py
	python benchmarks/learning_rules.py --table

# regions made from networks of known rules: which rule is named
validate-rsa-truth: install
	python benchmarks/rsa_truth.py
	python benchmarks/rsa_record.py

validate-rsa: install
	python benchmarks/rsa_coverage.py
	python benchmarks/rsa_null.py
	python benchmarks/rsa_shifts.py
	python benchmarks/rsa_layers.py
	python benchmarks/rsa_92_images.py
	python benchmarks/rsa_record.py

# known motion beside antspyx (in an environment of its own) and SimpleITK; what correction does to a task's signal
validate-motion: install
	python benchmarks/motion.py $(BRAINLM_REAL_DATA)/studyforrest-bids
	python benchmarks/studyforrest_motion.py $(BRAINLM_REAL_DATA)/studyforrest-bids

# the whole engine on a generated run of 128 x 128 x 96 x 480; half an hour, 15 GB of disk
validate-largest-run: install
	python benchmarks/largest_run.py

# beside nilearn's NiftiMasker
benchmark-fmri-cleaning: install
	python benchmarks/fmri_cleaning.py --repeats 2

# beside rsatoolbox and mne-rsa, which the extra brings
benchmark-rsa: install
	$(BIN)/uv pip install -q --python $(BIN)/python -c constraints.txt -e ".[benchmark]"
	python benchmarks/rsa_equality.py
	python benchmarks/rsa_searchlight.py
	python benchmarks/rsa_timecourse.py
	python benchmarks/rsa_bootstrap.py
	python benchmarks/rsa_record.py
