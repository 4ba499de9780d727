"""Writes the public names of other libraries, and their parameters, to `migration_names.json`.

The packages are read as text, so none of their dependencies is needed: unpack their wheels (for
keras-contrib, which has none, its repository) and optax and torch into one folder, and give that:
`python make_migration_names.py FOLDER`.
"""

import ast
import json
import re
import sys
from pathlib import Path

FILE = Path(__file__).parent / "migration_names.json"
LIBRARIES = {  # library -> package and its modules with public names
    "pytorch_metric_learning": (
        "pytorch_metric_learning",
        (
            "losses",
            "distances",
            "reducers",
            "miners",
            "regularizers",
            "samplers",
            "testers",
            "utils.accuracy_calculator",
        ),
    ),
    "tensorflow_similarity": (
        "tensorflow_similarity",
        (
            "losses",
            "layers",
            "distances",
            "retrieval_metrics",
            "classification_metrics",
            "training_metrics",
            "samplers",
            "matchers",
            "models",
            "augmenters",
            "callbacks",
            "schedules",
            "search",
            "stores",
            "evaluators",
            "indexer",
        ),
    ),
    "keras_contrib": (
        "keras_contrib",
        (
            "layers",
            "losses",
            "metrics",
            "optimizers",
            "callbacks",
            "constraints",
            "initializers",
            "activations",
        ),
    ),
    "keras_cv": ("keras_cv", ("losses", "layers")),
    "segmentation_models": ("segmentation_models", ("losses", "metrics")),
    "optax": ("optax", ("losses", "", "contrib")),
    "torch": ("torch", ("nn",)),
}
# what is not looked for: types, states, and parts of optimizers that Keras keeps inside of its own
CLASSES = ("XBM", "CRF", "BNDCG", "PELU", "FTML", "LARS")  # in capitals, but no constants
OPTAX_SOURCES = ("alias", "losses", "lookahead", "contrib")


def tree(file):
    return ast.parse(file.read_text(encoding="utf-8"))


def file_of(root, dotted):
    base = root.joinpath(*dotted.split("."))
    return base / "__init__.py" if base.is_dir() else base.with_suffix(".py")


def imports(root, file, package):
    """Yield (name, source module) of the names that a module's file imports."""
    for node in tree(file).body:
        if isinstance(node, ast.ImportFrom):
            source = node.module or ""
            if node.level:
                parts = file.relative_to(root).with_suffix("").parts
                parts = parts[: len(parts) - node.level]
                source = ".".join([*parts, *filter(None, [source])])
            for alias in node.names:
                yield alias.asname or alias.name, source, alias.name


def definitions(root, dotted):
    """Return the classes and functions of a module's file, and its assigned names."""
    file = file_of(root, dotted)
    found = {}
    for node in tree(file).body if file.is_file() else []:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            found[node.name] = node
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            found[node.targets[0].id] = node
    return found


def signature(root, dotted, name):
    """Return parameters as a `def` states them; of a class those of the nearest constructor."""
    node = definitions(root, dotted).get(name)
    if isinstance(node, ast.ClassDef):
        init = next((n for n in node.body if getattr(n, "name", "") == "__init__"), None)
        if init is None:
            for base in node.bases:
                last = ast.unparse(base).rpartition(".")[2]
                file = file_of(root, dotted)
                for local, source, original in imports(root, file, dotted):
                    if local == last:
                        return signature(root, source, original)
                if last in definitions(root, dotted):
                    return signature(root, dotted, last)
            return "**kwargs"
        node = init
    if not isinstance(node, ast.FunctionDef):
        return None
    a = node.args
    for p in [*a.posonlyargs, *a.args, *a.kwonlyargs]:
        p.annotation = None
    a.args = [p for p in [*a.posonlyargs, *a.args] if p.arg != "self"]
    a.posonlyargs, a.vararg = [], None
    if a.kwarg:
        a.kwarg.annotation = None
    text = ast.unparse(a)
    return re.sub(r"\s+", " ", text).replace("*, ", "")


def of_torch(root):
    file = root / "torch/nn/modules/loss.py"
    return {
        f"nn.{name}": signature(root, "torch.nn.modules.loss", name)
        for node in tree(file).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__"
        for name in ast.literal_eval(node.value)
    }


def of_library(root, package, modules):
    names = {}
    for module in modules:
        dotted = f"{package}.{module}".rstrip(".")
        file = file_of(root / "keras_cv" / "api" if package == "keras_cv" else root, dotted)
        if package == "keras_cv":
            file = root / "keras_cv" / "api" / module / "__init__.py"
        prefix = f"{module}." if module else ""
        plain = not file.name.startswith("__init__")
        for name, source, original in imports(root, file, dotted):
            if plain:
                break  # what a module of code imports is for itself
            ours = source.startswith(package)
            if package == "optax":
                place = source.split(".")[-2 if "contrib" in source or "losses" in source else -1]
                ours = place in OPTAX_SOURCES and name.islower() and "scale_by" not in name
                parts = ("_", "split_", "hutchinson", "schedule_free_e")
                ours = ours and not name.startswith(parts)
            constant = name.isupper() and name not in CLASSES
            if ours and not name.startswith("_") and not constant:
                names[prefix + name] = signature(root, source, original)
        if plain:
            for name, node in definitions(root, dotted).items():
                helper = module.startswith("utils") and not isinstance(node, ast.ClassDef)
                if not name.startswith("_") and not name.isupper() and not helper:
                    text = signature(root, dotted, name)
                    names[prefix + name] = text if text is not None else "gt, pr"
        elif package == "keras_contrib":
            for name in definitions(root, dotted):
                names[prefix + name] = None
    return names


def main():
    root = Path(sys.argv[1])
    found = {}
    for library, (package, modules) in LIBRARIES.items():
        names = of_torch(root) if library == "torch" else of_library(root, package, modules)
        found[library] = dict(sorted(names.items()))
    FILE.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    for library, names in found.items():
        print(library, len(names))


if __name__ == "__main__":
    main()
