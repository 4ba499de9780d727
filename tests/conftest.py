"""One backend per run, chosen by KERAS_BACKEND; the same random numbers for every test."""

import contextlib
import importlib.util
import os
import re
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

BACKEND = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")


def user_cache() -> Path:
    """Return the folder in which this platform keeps a user's caches."""
    home = {"darwin": "~/Library/Caches", "win32": "~/AppData/Local"}.get(sys.platform, "~/.cache")
    return Path(os.environ.get("XDG_CACHE_HOME") or home).expanduser()


# Compiling for JAX takes longer than all that the tests compute: LLVM optimizes little, and what
# was compiled is kept. TensorFlow compiles the same operations by XLA with all optimizations.
if BACKEND == "jax":
    fast = "backend_optimization_level=0 llvm_disable_expensive_passes=true"
    fast += " cpu_use_fusion_emitters=false cpu_parallel_codegen_split_count=1"
    os.environ.setdefault("XLA_FLAGS", " ".join(f"--xla_{flag}" for flag in fast.split()))
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(user_cache() / "kcatalog" / "jax"))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")

if importlib.util.find_spec(BACKEND) is None:
    pytest.exit(
        f"KERAS_BACKEND={BACKEND}, but {BACKEND} is not installed: run `make test-{BACKEND}`."
    )

import keras  # noqa: E402

import kcatalog  # noqa: E402
from kcatalog import registry  # noqa: E402
from tests.cost import Cost  # noqa: E402
from tests.memory import DropPrograms  # noqa: E402

if BACKEND == "tensorflow":  # before TensorFlow starts, or never
    from kcatalog.conformance.descent import two_cpus

    two_cpus()

    # By default Keras compiles each model by XLA, which takes longer than the tests train. Tests
    # about XLA ask for it; recipes in processes of their own train as users' do.
    keras.Model._resolve_auto_jit_compile = lambda model: False

    # Keras builds an optimizer while it traces the first step, and TensorFlow traces a step that
    # made variables once more. Our own optimizers are built as users' are.
    make_train_function = keras.Model.make_train_function

    def build_and_make_train_function(model, force=False):
        optimizer = model.optimizer
        ours = not type(optimizer).__module__.startswith("keras.")
        if model.built and not (ours or optimizer.built):
            optimizer.build(model.trainable_variables)
        return make_train_function(model, force)

    keras.Model.make_train_function = build_and_make_train_function

if BACKEND == "torch":
    # PyTorch warns once a process of `float(y)` with a gradient, which examples and tests may do:
    # whichever came first would fail.
    import torch

    with warnings.catch_warnings(action="ignore"):
        float(torch.ones((), requires_grad=True))

ROOT = Path(__file__).parent.parent
# Folders and files of `tests` and `kcatalog` that run on each backend; the others run once.
ON_EACH_BACKEND = {*kcatalog.KINDS, "ops", "theory", "conformance", "recipe", "recipes"}
ON_EACH_BACKEND |= {"test_conformance.py", "test_user_journey.py", "test_quiet.py"}
ON_EACH_BACKEND |= {"test_saved.py", "test_without_tensorflow.py"}
# Tests of the recipes that no backend changes: what they try is data, files, messages, searches.
ONCE = re.compile(
    "test_(baselines|batches|cluster|commands|data|faults|faults_hostile|files|info|isolation"
    "|options|oracles|pictures|scaling|search|series|serve|terminal|trials|variants)[.]py"
)
# Tests of whole runs, which train, export or start processes: `make test-fast` leaves them out.
WHOLE_RUNS = re.compile(
    "test_(advice|cluster|devices|embedding|export|isolation|monitoring|new_tasks|own_recipe|own_task"
    "|pipeline|portable|scripts|search|segmentation|serve|strangers|tables|tensorboard|trials"
    "|variants|whole_way)[.]py"
)


def pytest_addoption(parser):
    parser.addoption("--cost", action="store_true", help="print processor time by part and check")


def pytest_configure(config):
    if config.getoption("--cost", False):
        config.pluginmanager.register(Cost())
    if BACKEND == "jax":
        config.pluginmanager.register(DropPrograms())


def pytest_collection_modifyitems(config, items):
    """Run on TensorFlow alone what needs it, and what does not depend on the backend.

    `-k TripletSemiHard` finds test_triplet_semi_hard.py. Docstrings of parts are left to the
    check `docstring_example`.
    """
    parts = registry.find(origin="kcatalog")
    names = {f"test_{Path(e.file).name}": e.name for e in parts}
    files = {e.file for e in parts}
    left_out = []
    for item in items:
        item.extra_keyword_matches.add(names.get(item.path.name, ""))
        place = item.path.relative_to(ROOT).parts
        if WHOLE_RUNS.fullmatch(item.path.name):
            item.add_marker(pytest.mark.slow)
        if place[0] == "kcatalog" and str(item.path) in files:
            left_out.append(item)
        elif BACKEND != "tensorflow":
            once = place[1] == "recipe" and ONCE.fullmatch(place[-1])
            if place[1] not in ON_EACH_BACKEND or once or item.get_closest_marker("once"):
                left_out.append(item)
            elif item.get_closest_marker("tensorflow"):
                item.add_marker(pytest.mark.skip(reason=f"needs TensorFlow, runs on {BACKEND}"))
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        gone = set(left_out)
        items[:] = [item for item in items if item not in gone]


@pytest.fixture(autouse=True)
def _seeded():
    keras.utils.set_random_seed(0)


@pytest.fixture(scope="session")
def one_process():
    """One process for each runtime, for all exports of this process."""
    from kcatalog.recipe import export
    from kcatalog.recipe.export.check_export import Runtimes

    with Runtimes() as runtimes, pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "Runtimes", lambda: contextlib.nullcontext(runtimes))
        yield runtimes


@pytest.fixture
def rng():
    """Random numbers of the test's own."""
    return np.random.default_rng(0)
