# Everything starts from a machine that has Python 3.11+ and make; `make help` lists targets.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
comma := ,
PEERS := benchmarks/.peers
PEER_PYTHON ?= python3.11

export TF_CPP_MIN_LOG_LEVEL ?= 3
PYTEST = $(BIN)/python -m pytest -n 2 --dist worksteal -q $(ARGS)

.PHONY: help demo test test-fast test-soak test-jax test-torch cost lint readme bench bench-peers clean

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
	KERAS_BACKEND=tensorflow $(PYTEST)

test-fast: $(VENV)/installed-dev-recipes  ## what takes seconds: everything not marked slow
	KERAS_BACKEND=tensorflow $(PYTEST) -m "not slow and not soak"

test-soak: $(VENV)/installed-dev-recipes  ## what repeats many times: kills, full disks
	KERAS_BACKEND=tensorflow $(PYTEST) -m soak

test-jax: $(VENV)/installed-dev-jax-recipes  ## the suite on JAX
	KERAS_BACKEND=jax $(PYTEST)

test-torch: $(VENV)/installed-dev-recipes-torch  ## the suite on PyTorch
	KERAS_BACKEND=torch $(PYTEST)

cost:  ## processor time by part and by check (on JAX: make test-jax ARGS=--cost)
	$(MAKE) test ARGS=--cost

lint: $(VENV)/installed-dev-recipes  ## ruff: rules and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

bench: $(VENV)/installed-bench bench-peers  ## triplet losses beside TensorFlow Addons and pytorch-metric-learning
	$(BIN)/python benchmarks/metric_learning.py

bench-peers: $(PEERS)/tfa/installed $(PEERS)/torch/installed  ## the environments in which the peers are measured

# Old releases, which no environment of ours could hold beside Keras 3.
$(PEERS)/%/installed: benchmarks/peers/%.txt
	@$(PEER_PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11) and "the peers need Python 3.11; this is " + sys.version.split()[0] + ". Set PEER_PYTHON.")'
	$(PEER_PYTHON) -m venv --clear $(@D)
	$(@D)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

readme: $(VENV)/installed-dev-recipes  ## write the generated parts of the README anew
	$(BIN)/python docs/build_readme.py

clean:  ## remove the environment and everything that runs left behind
	rm -rf $(VENV) $(PEERS) runs .pytest_cache .ruff_cache
