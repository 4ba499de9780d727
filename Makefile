# Everything starts from a machine that has Python 3.11+ and make; `make help` lists targets.
PYTHON ?= python3
# Another Python gets an environment of its own, such as .venv-3.13.
VERSION = $(shell $(PYTHON) -c 'import sys; print("%d.%d" % sys.version_info[:2])')
VENV := .venv$(if $(filter-out python3,$(PYTHON)),-$(VERSION))
OLDEST := .venv-oldest
BIN = $(VENV)/bin
comma := ,
PEERS := benchmarks/.peers
PEER_PYTHON ?= python3.11
BACKEND ?= tensorflow

export TF_CPP_MIN_LOG_LEVEL ?= 3
# Three workers for two cores: some tests wait for other processes.
PYTEST = $(BIN)/python -m pytest -n 3 --dist worksteal -q $(ARGS)
# What a whole run finds, for the pages of the parts on the site.
# With `=`: pytest would take a folder that exists for one of tests, and not find ours.
RECORD = --record=build/checks

.PHONY: help demo test test-fast test-oldest test-soak test-jax test-torch cost lint types readme docs release-check bench bench-peers clean

help:  ## list targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

# Environments: .venv with the extras of that name, remade when the requirements change.
$(VENV)/installed-%: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "kcatalog needs Python 3.11 or newer; this is " + sys.version.split()[0] + ". Set PYTHON=python3.11")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[$(subst -,$(comma),$*)]'
	@touch $@

demo: $(VENV)/installed-recipes  ## the main job: tune, train, evaluate and export a CNN on real digits
	$(BIN)/python recipes/image_cnn.py

test: $(VENV)/installed-dev-recipes lint  ## lint and the whole suite, on TensorFlow
	KERAS_BACKEND=tensorflow $(PYTEST) $(RECORD)

test-fast: $(VENV)/installed-dev-recipes  ## a sample in minutes: everything not marked slow, one in eight tests of parts
	KERAS_BACKEND=tensorflow $(PYTEST) -m "not slow and not soak"

# With BACKEND=jax on JAX. Not in .ci/run: run it before an issue is resolved and before a release.
test-oldest: VENV = $(OLDEST)
test-oldest: $(OLDEST)/installed  ## what takes seconds, on the oldest versions of Keras, TensorFlow and JAX
	KERAS_BACKEND=$(BACKEND) $(PYTEST) -m "not slow and not soak"

$(OLDEST)/installed: pyproject.toml constraints-oldest.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11) and "the oldest versions are for Python 3.11; this is " + sys.version.split()[0] + ". Set PYTHON=python3.11")'
	$(PYTHON) -m venv --clear $(OLDEST)
	$(OLDEST)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints-oldest.txt -e '.[dev,jax,recipes]'
	@touch $@

test-soak: $(VENV)/installed-dev-recipes  ## what repeats many times: kills, full disks
	KERAS_BACKEND=tensorflow $(PYTEST) -m soak

# With ARGS=--all-pairs each check on each part: run it before a release.
test-jax: $(VENV)/installed-dev-jax-recipes  ## the suite on JAX, each check on every second part
	KERAS_BACKEND=jax $(PYTEST) $(RECORD)

test-torch: $(VENV)/installed-dev-recipes-torch  ## the suite on PyTorch
	KERAS_BACKEND=torch $(PYTEST) $(RECORD)

cost:  ## processor time by part and by check (on JAX: make test-jax ARGS=--cost)
	$(MAKE) test ARGS=--cost

release-check:  ## build the package, and try the wheel in a new environment as a user does
	.ci/release-check

lint: $(VENV)/installed-dev-recipes  ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/installed-dev-recipes-types  ## how completely the public signatures are typed, by pyright
	PATH="$(abspath $(BIN)):$$PATH" .ci/types

bench: $(VENV)/installed-bench bench-peers  ## triplet losses beside TensorFlow Addons and pytorch-metric-learning
	$(BIN)/python benchmarks/metric_learning.py

bench-peers: $(PEERS)/tfa/installed $(PEERS)/torch/installed $(PEERS)/optimizers/installed  ## the environments in which the peers are measured

# Old releases, which no environment of ours could hold beside Keras 3.
$(PEERS)/%/installed: benchmarks/peers/%.txt
	@$(PEER_PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11) and "the peers need Python 3.11; this is " + sys.version.split()[0] + ". Set PEER_PYTHON.")'
	$(PEER_PYTHON) -m venv --clear $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

readme: $(VENV)/installed-dev-recipes  ## write the generated parts of the README anew
	$(BIN)/python docs/build_readme.py
	$(BIN)/python docs/build_coming_from.py

docs: $(VENV)/installed-docs  ## the site, in build/site/html; `make test` before it fills in what was checked
	$(BIN)/python -m docs.theory & theory=$$!; $(BIN)/python -m docs.site.plots & plots=$$!; \
		$(BIN)/python -m docs.notebooks && wait $$theory && wait $$plots
	$(BIN)/python -m docs.site

clean:  ## remove the environments and everything that runs left behind
	rm -rf .venv .venv-* $(PEERS) build runs .pytest_cache .ruff_cache
