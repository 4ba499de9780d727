"""House rules that can be read from the source: files, tests, exports, layering, style."""

import ast
import functools
import inspect
import re
from pathlib import Path

import keras

import kcatalog
from kcatalog import card, docstrings, registry
from kcatalog.conformance import verified_tags

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "kcatalog"
PARTS = registry.find(origin="kcatalog")
SOURCES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))

# Where a backend may be named, and why.
KNOWS_BACKENDS = {
    "conformance": "holds the backends against each other",
    "recipe": "chooses devices, exports SavedModels",
    "doctor.py": "reports on the backends",
    "callbacks/probe_gradients.py": "gradients have no counterpart in keras.ops",
    "callbacks/probe_activations.py": "compilation has no counterpart in keras.ops",
    "samplers/sources.py": "tf.data has no counterpart in Keras",
    "ops/targets.py": "assertions in graphs have no counterpart in keras.ops",
    "ops/scan.py": "loops over axis 1 and custom gradients are not alike in keras.ops",
    "ops/gradients.py": "gradients have no counterpart in keras.ops",
    "ops/replicas.py": "tf.distribute has no counterpart in keras.ops",
    "optimizers/lbfgs.py": "gradients have no counterpart in keras.ops",
    "optimizers/sparse.py": "tf.IndexedSlices has no counterpart in keras.ops",
    "optimizers/wrappers/replicas.py": "tf.distribute has no counterpart in keras.ops",
}


# Where Keras's private modules may be imported, and why.
KNOWS_PRIVATE_KERAS = {
    "layers/recurrent/cell_wrapper.py": "how RNN has cells draw dropout masks has no public name",
    "layers/recurrent/recurrent_cell.py": "how RNN has cells draw dropout masks has no public name",
    "ops/attached.py": "tensors that travel with another one have no public name",
    "ops/masks.py": "reading and setting a mask have no public name",
    "metrics/metric.py": "that shapes are inferred has no public name",
}

# Acronyms with small letters inside, which stay whole in a file's name.
ACRONYMS = (
    "AdEMAMix",
    "AdamP",
    "ALiBi",
    "CIoU",
    "DIoU",
    "GIoU",
    "LiSHT",
    "NTXent",
    "RReLU",
    "SigLIP",
    "VICReg",
)


def snake_case(name):
    """Keras's own rule for a class's file name, with acronyms whole."""
    name = name.capitalize() if name in ACRONYMS else name
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def relative(path):
    return path.relative_to(PACKAGE).as_posix()


@functools.cache
def tree(path):
    return ast.parse(path.read_text(encoding="utf-8"))


def each(things, name=lambda path: path.relative_to(ROOT).as_posix()):
    """Return a decorator: the test of one thing becomes the test of all, which names each fault.

    Thousands of tests of a millisecond would take pytest a minute to hand out.
    """

    def decorate(rule):
        @functools.wraps(rule)
        def test():
            faults = []
            for thing in things:
                try:
                    rule(thing)
                except Exception as e:
                    faults.append(f"{name(thing)}: {type(e).__name__}: {e}")
            assert not faults, "\n".join(faults)

        del test.__wrapped__  # pytest would take its argument for a fixture
        return test

    return decorate


each_part = each(PARTS, lambda e: f"{e.kind}-{e.name}")
each_source = each(SOURCES)


# --- parts ------------------------------------------------------------------------------


@each_part
def test_file_is_named_after_its_part(entry):
    assert Path(entry.file).stem == snake_case(entry.name)


def test_one_part_a_file():
    files = [e.file for e in PARTS]
    assert len(files) == len(set(files))


@each_part
def test_part_fits_its_file(entry):
    text = Path(entry.file).read_text(encoding="utf-8").splitlines()
    lines = sum(not line.startswith(("from ", "import ")) for line in text)
    assert lines <= 200, f"{lines} lines; share by function (kcatalog.ops) or simplify"


@each_part
def test_part_has_a_reference_test(entry):
    mirrored = ROOT / "tests" / Path(entry.file).relative_to(PACKAGE)
    path = mirrored.with_name(f"test_{mirrored.name}")
    assert path.exists(), f"write {path.relative_to(ROOT)}"
    names = [n.name for n in ast.walk(tree(path)) if isinstance(n, ast.FunctionDef)]
    assert any(n.startswith("test_reference") for n in names), "write a test_reference..."


@each_part
def test_part_is_exported_and_registered(entry):
    cls = entry.load()
    module = kcatalog.optimizers.schedules if entry.kind == "schedules" else entry.kind
    module = getattr(kcatalog, module) if isinstance(module, str) else module
    assert entry.name in module.__all__
    assert list(module.__all__) == sorted(module.__all__)
    if entry.kind not in ("callbacks", "samplers"):
        name = keras.saving.get_registered_name(cls)
        assert keras.saving.get_registered_object(name) is cls


@each_part
def test_card_read_as_text_is_the_card_of_the_class(entry):
    cls = entry.load()
    assert entry.card == registry.card_of(cls)
    assert registry.kind_of(cls) == entry.kind


@each_part
def test_docstring_read_as_text_is_that_of_the_class(entry):
    """The shared sections of a family stand in the listing and in `help()`."""
    told = docstrings.sections(inspect.cleandoc(entry.load().__doc__))
    told.pop("")
    assert told == entry.sections


@each_part
def test_no_part_inherits_from_another(entry):
    bases = entry.load().__mro__[1:]
    assert not [b.__name__ for b in bases if registry.card_of(b)]


def test_every_tag_is_verified_by_a_check():
    assert set(card.TAGS) == verified_tags()


# --- Keras's own entries ----------------------------------------------------------------


@each(registry.find(origin="keras"), lambda e: e.path)
def test_keras_entry_is_true(entry):
    cls = entry.load()
    assert entry.summary
    assert entry.arguments or not entry.card.space
    names = {a.name for a in entry.arguments}
    assert set(entry.card.space) <= names
    example = cls(**card.build_args(entry.card.example.args)) if entry.card.example.args else None
    for corner in entry.card.corners() if example else ():
        cls(**{**entry.card.example.args, **corner})


# --- the package ------------------------------------------------------------------------


def imports(path):
    """Dotted names of everything a file imports, wherever in it."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


LAYERS = [  # each may import from those below it, and from its own row
    ("cli",),
    ("doctor",),
    ("recipe", "conformance", "migrate"),
    ("training",),
    kcatalog.KINDS,
    ("ops",),
    ("registry",),
    ("derive",),
    ("search",),
    ("keras_parts", "checks", "source", "entry"),
    ("card", "quiet", "docstrings", "on_disk", "atomic"),
]


def level(name):
    return next((i for i, row in enumerate(LAYERS) if name in row), None)


@each_source
def test_imports_point_one_way(path):
    own = level(relative(path).split("/")[0].removesuffix(".py"))
    for name in imports(path):
        parts = name.split(".")
        if own is not None and parts[0] == "kcatalog" and len(parts) > 1:
            other = level(parts[1])
            assert other is None or other >= own, f"{relative(path)} imports {name}"


@each_source
def test_backends_are_named_only_where_allowed(path):
    place = relative(path)
    if any(place.startswith(prefix) for prefix in KNOWS_BACKENDS):
        return
    named = {n.split(".")[0] for n in imports(path)} & {"tensorflow", "jax", "torch"}
    assert not named, "use keras.ops, or add the file to KNOWS_BACKENDS with its reason"


@each_source
def test_private_keras_stays_out(path):
    if relative(path) not in KNOWS_PRIVATE_KERAS:
        assert not [n for n in imports(path) if n.startswith("keras.src")]


@each_source
def test_no_forbidden_constructs(path):
    for node in ast.walk(tree(path)):
        assert not isinstance(node, ast.Assert), f"line {node.lineno}: raise an error instead"
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"line {node.lineno}: name what is caught"
        if isinstance(node, ast.FunctionDef) and node.args.kwarg:
            assert node.args.kwarg.arg != "_", (
                f"line {node.lineno}: **_ swallows misspelt arguments"
            )


@each_source
def test_modules_say_what_they_are(path):
    """A module begins with a docstring; that of a part's file is the part's."""
    text = path.read_text(encoding="utf-8")
    docstring = ast.get_docstring(ast.parse(text))
    if path.as_posix() in {Path(e.file).as_posix() for e in PARTS}:
        assert not docstring, "leave it out: the class's docstring is the file's"
    else:
        assert not text.strip() or docstring, "begin with a docstring"


INDIRECT = re.compile(r"(What|Whether|Which|How|Where|Of|Who|Whose)\b")


@each([*SOURCES, *TESTS])
def test_docstrings_begin_with_what_the_thing_is_or_does(path):
    documented = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module
    for node in ast.walk(tree(path)):
        if isinstance(node, documented) and (text := ast.get_docstring(node)):
            name = getattr(node, "name", "the module")
            assert not INDIRECT.match(text), f"{name}: begin with a verb or a noun phrase"


ENGINE = [  # the folders of `kcatalog/recipe`: each may import from those below it, and from itself
    "commands",
    "serve",
    "search",
    "training",
    "monitoring",
    "export",
    "tasks",
    "feed",
    "devices",
    "data",
    "files",
    "terminal",
]


def test_the_engine_has_the_folders_of_the_design():
    there = {f.stem for f in (PACKAGE / "recipe").iterdir() if f.name[0] not in "._"}
    assert there == {"recipe", "tuning", *ENGINE}


@each(sorted((PACKAGE / "recipe").glob("*/**/*.py")))
def test_the_engines_imports_point_one_way(path):
    own = ENGINE.index(relative(path).split("/")[1])
    for name in imports(path):
        folder = name.removeprefix("kcatalog.recipe.").split(".")[0]
        if name.startswith("kcatalog.recipe.") and folder in ENGINE:
            assert ENGINE.index(folder) >= own, f"{relative(path)} imports {name}"


@each(sorted((PACKAGE / "recipe").rglob("*.py")))
def test_no_task_and_no_input_is_asked_for_its_name(path):
    """Tasks and kinds of inputs are objects: what differs between them is asked of them."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Compare):
            words = ast.unparse(node)
            texts = any(
                isinstance(n, ast.Constant) and isinstance(n.value, str) for n in ast.walk(node)
            )
            asked = re.search(r"\b(task(?!\.better)|input_name)\b", words)
            assert not (texts and asked), f"line {node.lineno}: `{words}`: make it a method"


# --- the tests --------------------------------------------------------------------------


@each(TESTS)
def test_every_test_is_collected(path):
    """A function that looks like a test is one: right file, not nested, not overwritten."""
    module = tree(path)
    top = [n.name for n in module.body if isinstance(n, ast.FunctionDef)]
    every = [n.name for n in ast.walk(module) if isinstance(n, ast.FunctionDef)]
    looks_like = [n for n in every if re.match(r"_*te?st_|tset_", n)]
    assert len(top) == len(set(top)), "two functions of one name: the first never runs"
    if path.name.startswith("test_"):
        assert set(looks_like) <= {n for n in top if n.startswith("test_")}
    else:
        assert not looks_like, "tests belong into files named test_*.py"


@each([p for p in TESTS if p.name.startswith("test_")])
def test_every_test_can_fail(path):
    """A test asserts, expects an error, or calls a helper that does."""
    module = tree(path)
    helpers = {
        n.name for n in ast.walk(module) if isinstance(n, ast.FunctionDef) and _asserts(n, set())
    }
    for node in module.body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            assert _asserts(node, helpers), f"{node.name} asserts nothing"


def _asserts(function, helpers):
    for node in ast.walk(function):
        if isinstance(node, ast.Assert):
            return True
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            last = called.split(".")[-1]
            if last.startswith(("assert_", "check", "expect")) or last in (
                "raises",
                "warns",
                "run",
            ):
                return True
            if called in helpers:
                return True
    return False
