"""One backend per run, chosen by KERAS_BACKEND; the same random numbers for every test."""

import contextlib
import gc
import importlib.util
import os
import re
import sys
import warnings
import zlib
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


# XLA takes longer to compile than all that the tests compute. These leave the results as they are.
FLAGS = ["xla_cpu_use_fusion_emitters=false", "xla_cpu_parallel_codegen_split_count=1"]
# JAX compiles everything: there LLVM optimizes little, and what was compiled is kept. TensorFlow
# compiles the same operations with all optimizations.
if BACKEND == "jax":
    FLAGS += ["xla_backend_optimization_level=0", "xla_llvm_disable_expensive_passes=true"]
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(user_cache() / "kcatalog" / "jax"))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
    os.environ.setdefault("JAX_TRACEBACK_IN_LOCATIONS_LIMIT", "0")  # for profiles of programs
os.environ.setdefault("XLA_FLAGS", " ".join(f"--{flag}" for flag in FLAGS))
# Convolutions with channels first, which TensorFlow otherwise has on some processors only.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

if importlib.util.find_spec(BACKEND) is None:
    pytest.exit(
        f"KERAS_BACKEND={BACKEND}, but {BACKEND} is not installed: run `make test-{BACKEND}`."
    )

import keras  # noqa: E402

import kcatalog  # noqa: E402
from kcatalog import registry  # noqa: E402
from tests.cost import Cost  # noqa: E402
from tests.memory import DropPrograms  # noqa: E402
from tests.record import Record  # noqa: E402

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

# A worker holds thousands of tests and programs, which each search for garbage walks through.
gc.set_threshold(100_000, 50, 100)

ROOT = Path(__file__).parent.parent
collect_ignore = ["other_package"]  # run by test_others.py as its author runs it
# Folders and files of `tests` and `kcatalog` that run on each backend; the others run once.
EACH = {*kcatalog.KINDS, "ops", "theory", "training", "conformance", "recipes"}
EACH |= {"test_conformance.py", "test_user_journey.py", "test_quiet.py"}
EACH |= {"test_saved.py", "test_without_tensorflow.py"}
# Of the engine of the recipes: what trains, computes and exports. Files, messages, searches, the
# command line and what a task makes of its data are the same on each.
RECIPE_ON_EACH_BACKEND = re.compile(
    "test_(contract|devices|export|faults_kill|hosts|monitoring|pipeline|portable|resume|signatures"
    "|stepwise|tuning|whole_way)[.]py"
)
# Tests of whole runs, which train, export or start processes: `make test-fast` leaves them out.
WHOLE_RUNS = re.compile(
    "test_(advice|cluster|devices|embedding|export|isolation|migrate|monitoring"
    "|networks|new_tasks|own_recipe|own_task|pipeline|portable|prediction|protocol|recorded|scripts"
    "|search|segmentation|serve|step|strangers|tables|tensorboard|tensorflow_addons|trials|variants"
    "|whole_way)[.]py"
)
# `make test-fast` runs one in so many of the tests of a part.
STRIDE = 8


def pytest_addoption(parser):
    parser.addoption("--cost", action="store_true", help="print processor time by part and check")
    parser.addoption("--all-pairs", action="store_true", help="JAX: each check on each part")
    parser.addoption("--record", type=Path, help="write what each check found, for the site")


def pytest_configure(config):
    if config.getoption("--cost", False):
        config.pluginmanager.register(Cost())
    if config.getoption("--record", None):
        config.pluginmanager.register(Record(config.getoption("--record")))
    if BACKEND == "jax":
        config.pluginmanager.register(DropPrograms())


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()
        gc.freeze()


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
        of_part = item.path.name in names
        left_out_of_sample = of_part and zlib.crc32(item.nodeid.encode()) % STRIDE
        if WHOLE_RUNS.fullmatch(item.path.name) or left_out_of_sample:
            item.add_marker(pytest.mark.slow)
        if place[0] == "kcatalog" and str(item.path) in files:
            left_out.append(item)
        elif BACKEND != "tensorflow":
            of_engine = place[:2] == ("tests", "recipe")
            each = RECIPE_ON_EACH_BACKEND.fullmatch(place[-1]) if of_engine else place[1] in EACH
            half = BACKEND == "jax" and item.get_closest_marker("other_half")
            left_to_others = half and not config.getoption("--all-pairs", False)
            if not each or left_to_others or item.get_closest_marker("once"):
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
