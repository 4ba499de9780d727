"""`--help` of a recipe's script, answered before the script imports Keras and TensorFlow.

They take several seconds, and help needs no more than the script's docstring, its source and the
options. `import kcatalog.recipe` therefore answers it, where the program only runs a recipe.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

DATA = "kcatalog.recipe.data"


def answer() -> None:
    """Print help and exit, if the program is a recipe's script that was asked for it."""
    file = getattr(sys.modules["__main__"], "__file__", None)
    if "--help" in sys.argv[1:] and file and (known := read(Path(file))):
        from kcatalog.recipe.commands import cli

        code = cli.execute(sys.argv[1:], *known)
        if code is not None:  # else `--help` is the value of another option
            raise SystemExit(code)


def read(script: Path) -> tuple | None:
    """Return the docstring and the source of a script that only declares and runs a recipe.

    None where the script may do anything else with the command line, or has a source of its own:
    there, `main()` answers.
    """
    try:
        text = script.read_text(encoding="utf-8")
        module = ast.parse(text)
    except (OSError, ValueError, SyntaxError):
        return None
    assigned = {
        ast.unparse(node.targets[0]): node.value
        for node in module.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
    }
    recipes = [name for name, call in assigned.items() if _called(call) == "Recipe"]
    if len(recipes) != 1 or "argv" in text or "argparse" in text:
        return None
    if ast.unparse(module.body[-1]) != f"if __name__ == '__main__':\n    {recipes[0]}.main()":
        return None
    recipe = assigned[recipes[0]]
    given = dict(zip(("name", "source", "build"), recipe.args, strict=False))
    given |= {keyword.arg: keyword.value for keyword in recipe.keywords}
    functions = [node.name for node in module.body if isinstance(node, ast.FunctionDef)]
    about = ast.get_docstring(module)
    if not about or not {"source", "build"} <= given.keys():
        return None
    if ast.unparse(given["build"]) not in functions:
        return None
    imports = [n for n in module.body if isinstance(n, ast.ImportFrom) and n.module == DATA]
    source = assigned.get(ast.unparse(given["source"]), given["source"])
    names: dict = {}
    try:  # the script is about to run anyway
        exec(compile(ast.Module(imports, []), script, "exec"), names)  # noqa: S102
        return about, eval(compile(ast.Expression(source), script, "eval"), names)  # noqa: S307
    except Exception:  # a name from elsewhere, or an argument that is refused
        return None


def _called(call: ast.Call) -> str:
    return ast.unparse(call.func).split(".")[-1]
