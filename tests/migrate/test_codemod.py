"""The codemod of `kcatalog migrate`: one source in, one source out."""

import pytest

from kcatalog.migrate import codemod, program, table

pytestmark = pytest.mark.once

TABLE = """
[library]
title = "Old"
version = "1.0"
distribution = "old-lib"
package = "old"

[common.optimizers]
rename.lr = "learning_rate"
leave.decay = "Give a schedule."

["losses.Plain"]
to = "kcatalog.losses.Plain"
signature = "margin=1.0, **kwargs"
test = "value"

["losses.Renamed"]
to = "kcatalog.losses.NewName"
signature = "margin=1.0, name=None"
test = "value"

["layers.Groups"]
to = "keras.layers.GroupNormalization"
signature = "**kwargs"
add.groups = "-1"
test = "value"

["layers.Attention"]
to = "keras.layers.MultiHeadAttention"
signature = "head_size, num_heads, dropout=0.0, bias=True, distance='L2'"
rename = { head_size = "key_dim", distance = "metric" }
values.bias = { "True" = "" }
values.distance = { "'L2'" = "'euclidean'", "keras.losses.Reduction.NONE" = "'none'", "*" = "{}" }
leave.bias = "Add the bias by hand."
test = "value"

["metrics.Score"]
to = "keras.metrics.Score"
signature = "num_classes, average=None, threshold=None"
drop = ["num_classes"]
state = ["average"]
test = "value"

["metrics.First"]
to = "keras.metrics.First"
signature = "a, b=2"
positional = 1
rename.a = "z"
add.c = "3"
test = "value"

[setup]
reason = "Nothing is to be set up."
delete = true

["optimizers.Decay"]
to = "keras.optimizers.AdamW"
signature = "weight_decay, learning_rate=0.001, **kwargs"
numbers = ["learning_rate"]
compute.weight_decay = "{weight_decay} / {learning_rate}"
test = "trajectory"
[".otherwise"]
reason = "x"

["optimizers.Average"]
to = "keras.optimizers.Optimizer"
signature = "optimizer, average_decay=0.99"
into = "optimizer"
rename.average_decay = "ema_momentum"
add.use_ema = "True"
test = "trajectory"

["functions.hardmax"]
to = "keras.ops.one_hot"
signature = "logits"
expression = "keras.ops.one_hot(keras.ops.argmax({logits}, -1), numpy.shape({logits})[-1])"
test = "value"

["functions.score"]
to = "kcatalog.ops.score"
signature = "x, lengths"
drop = ["lengths"]
compute.mask = "keras.ops.arange(3) < {lengths}[:, None]"
expression = "{call} * 2"
test = "value"

["functions.steps"]
to = "kcatalog.ops.score"
signature = "x, lengths"
drop = ["lengths"]
compute.mask = "keras.ops.arange({x}.shape[1]) < {lengths}[:, None]"
test = "value"

["functions.elsewhere"]
to = "scipy.ndimage.median_filter"
signature = "image"
test = "value"

["activations.act"]
to = "keras.activations.act"
signature = "x, approximate=True"
state = ["approximate"]
test = "value"

["gone"]
reason = "Nothing needs it."
hint = "Delete it."

["byhand"]
to = "keras.losses.B"
hint = "Write it anew."
test = "value"
""".replace('[".otherwise"]\nreason = "x"\n', "")
OLD = table.parse(TABLE, "old")


def run(source, **options):
    """Migrate a source, check that a second run changes nothing, and return the result."""
    result = codemod.migrate(source, [OLD], **options)
    assert codemod.migrate(result.code, [OLD], **options).code == result.code
    return result


def expect(before, after, **options):
    """Check what becomes of a source without anything left."""
    result = run(before, **options)
    assert result.code == after
    assert not result.of("left")


def expect_left(before, message):
    """Check that a source is only marked, and why."""
    result = run(before)
    (found,) = result.of("left")
    assert message in found.message
    lines = result.code.splitlines()
    marks = [i for i, line in enumerate(lines) if line.strip().startswith(program.MARK)]
    assert [line for i, line in enumerate(lines) if i not in marks] == before.splitlines()
    (mark,) = marks
    assert "".join(before.splitlines()[found.line - 1].split()) in "".join(lines[mark + 1].split())
    return result


# --- imports ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("imports", "name"),
    [
        ("import old", "old.losses.Plain"),
        ("import old as o", "o.losses.Plain"),
        ("import old.losses", "old.losses.Plain"),
        ("import old.losses as ol", "ol.Plain"),
        ("from old import losses", "losses.Plain"),
        ("from old import losses as ol", "ol.Plain"),
        ("from old.losses import plain_file", "plain_file.Plain"),
        ("import old.losses.plain_file as pf", "pf.Plain"),
    ],
)
def test_import_of_a_module(imports, name):
    expect(f"{imports}\n\nx = {name}(2)\n", "import kcatalog\n\nx = kcatalog.losses.Plain(2)\n")


@pytest.mark.parametrize(
    ("imports", "name", "new", "written"),
    [
        ("from old.losses import Plain", "Plain", "from kcatalog.losses import Plain", "Plain"),
        ("from old.losses.a import Plain", "Plain", "from kcatalog.losses import Plain", "Plain"),
        ("from old.losses import Plain as P", "P", "from kcatalog.losses import Plain as P", "P"),
        ("from old.losses import *", "Plain", "from kcatalog.losses import Plain", "Plain"),
        (
            "from old.losses import Renamed",
            "Renamed",
            "from kcatalog.losses import NewName",
            "NewName",
        ),
    ],
)
def test_import_of_a_name(imports, name, new, written):
    expect(f"{imports}\n\nx = {name}(margin=2)\n", f"{new}\n\nx = {written}(margin=2)\n")


def test_other_names_of_an_import_stay():
    expect(
        "import os, old\nfrom old.losses import (\n    Plain,  # one\n    Renamed,\n)\n\n"
        "old.losses.Plain(os)\n",
        "import os\nimport kcatalog\n\nkcatalog.losses.Plain(os)\n",
    )
    result = run("from old.losses import Plain, Unknown  # both\nPlain()\nUnknown()\n")
    assert result.code.startswith(
        "from old.losses import Unknown\nfrom kcatalog.losses import Plain"
    )


def test_another_name_of_a_parameter():
    """A value computed from a parameter is computed from its other name, too."""
    expect(
        "import old\na = old.optimizers.Decay(lr=0.1, weight_decay=0.2)\n",
        "import keras\na = keras.optimizers.AdamW(learning_rate=0.1, weight_decay=0.2 / 0.1)\n",
    )


def test_an_argument_is_not_computed_twice():
    twice = "old.functions.steps(f(x), n)"
    expect_left(f"import old\na = {twice}\n", "`x` would be computed twice")


def test_names_of_the_project_and_of_other_imports_are_kept():
    expect(
        "import keras\nimport old\nold.layers.Groups()\n",
        "import keras\nkeras.layers.GroupNormalization(groups=-1)\n",
    )
    expect(
        "from tensorflow import keras\nimport old\nold.layers.Groups()\n",
        "from tensorflow import keras\nkeras.layers.GroupNormalization(groups=-1)\n",
    )
    expect(
        "import keras as k\nimport old\nold.layers.Groups()\n",
        "import keras as k\nk.layers.GroupNormalization(groups=-1)\n",
    )
    expect(
        "import tensorflow as tf\nimport old\nkeras = tf.keras\nold.layers.Groups()\n",
        "import tensorflow as tf\nkeras = tf.keras\nkeras.layers.GroupNormalization(groups=-1)\n",
    )
    expect(
        "from old.layers import Groups\nGroupNormalization = 1\nGroups()\n",
        "import keras\nGroupNormalization = 1\nkeras.layers.GroupNormalization(groups=-1)\n",
    )


def test_a_name_that_means_something_else_is_never_shadowed():
    expect_left("import old\nkeras = 1\nold.layers.Groups()\n", "`keras` means something else")
    expect_left("import old\ndef f(keras):\n    old.layers.Groups()\n", "`keras` means something")


def test_imports_in_functions_stay_there():
    expect(
        "def f():\n    import old\n    return old.losses.Plain()\n",
        "def f():\n    import kcatalog\n    return kcatalog.losses.Plain()\n",
    )
    expect("def f():\n    import old\n", "def f():\n    pass\n")
    expect(
        "x = 1; import old\nold.losses.Plain()\n",
        "x = 1; import kcatalog\nkcatalog.losses.Plain()\n",
    )


def test_an_import_that_may_fail():
    expect(
        "try:\n    import old\nexcept ImportError:\n    old = None\nold.losses.Plain()\n",
        "try:\n    import kcatalog\nexcept ImportError:\n    old = None\nkcatalog.losses.Plain()\n",
    )
    result = run(
        "try:\n    import old\nexcept ImportError:\n    old = None\n"
        "if old is None:\n    raise SystemExit\nold.losses.Plain()\n"
    )
    assert "import old\n" in result.code
    assert "\nkcatalog.losses.Plain()\n" in result.code
    assert len(result.of("left")) == 1


def test_scopes():
    """A parameter or variable of the same name is something else."""
    source = "import old\n\ndef f(old):\n    return old.losses.Plain()\n\nold.losses.Plain()\n"
    assert run(source).code == source.replace("import old\n", "import kcatalog\n").replace(
        "\n\nold.", "\n\nkcatalog."
    )
    expect_left("import old\nclass A:\n    old = old.losses.Plain()\n", "another meaning")
    expect(
        "import old\nx = [old.losses.Plain() for old in y]\nold.losses.Plain()\n",
        "import kcatalog\nx = [old.losses.Plain() for old in y]\nkcatalog.losses.Plain()\n",
    )
    expect(
        "import old\ndef f():\n    global z\n    z = lambda: old.losses.Plain()\n",
        "import kcatalog\ndef f():\n    global z\n    z = lambda: kcatalog.losses.Plain()\n",
    )
    expect_left("import old\nif x:\n    old = 3\nold.losses.Plain()\n", "another meaning")


# --- calls ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("old.layers.Groups()", "keras.layers.GroupNormalization(groups=-1)"),
        ("old.layers.Groups(axis=1)", "keras.layers.GroupNormalization(axis=1, groups=-1)"),
        (
            "old.layers.Attention(8, num_heads=2)",
            "keras.layers.MultiHeadAttention(key_dim=8, num_heads=2)",
        ),
        (
            "old.layers.Attention(head_size=8, num_heads=2, bias=True)",
            "keras.layers.MultiHeadAttention(key_dim=8, num_heads=2)",
        ),
        (
            'old.layers.Attention(8, 2, 0.1, True, "L2")',
            "keras.layers.MultiHeadAttention(key_dim=8, num_heads=2, dropout=0.1, "
            'metric="euclidean")',
        ),
        (
            "old.layers.Attention(8, 2, distance=f(x))",
            "keras.layers.MultiHeadAttention(key_dim=8, num_heads=2, metric=f(x))",
        ),
        ("old.metrics.Score(3)", "keras.metrics.Score(average=None)"),
        ("old.metrics.Score(3, 'm')", "keras.metrics.Score(average='m')"),
        (
            "old.metrics.Score(num_classes=3, threshold=1)",
            "keras.metrics.Score(threshold=1, average=None)",
        ),
        ("old.metrics.First(1, 2)", "keras.metrics.First(1, b=2, c=3)"),
        (
            "old.optimizers.Decay(1e-4, lr=2.0)",
            "keras.optimizers.AdamW(weight_decay=1e-4 / 2.0, learning_rate=2.0)",
        ),
        (
            "old.optimizers.Decay(1e-4, 2.0)",
            "keras.optimizers.AdamW(weight_decay=1e-4 / 2.0, learning_rate=2.0)",
        ),
        (
            "old.optimizers.Decay(weight_decay=a + b)",
            "keras.optimizers.AdamW(weight_decay=(a + b) / 0.001)",
        ),
        (
            "old.optimizers.Average(keras.optimizers.Adam(1))",
            "keras.optimizers.Adam(1, use_ema=True)",
        ),
        (
            "old.optimizers.Average(old.optimizers.Decay(1, 2), average_decay=0.9)",
            "keras.optimizers.AdamW(weight_decay=1 / 2, learning_rate=2, ema_momentum=0.9, "
            "use_ema=True)",
        ),
        (
            "old.functions.hardmax(x).y",
            "keras.ops.one_hot(keras.ops.argmax(x, -1), np.shape(x)[-1]).y",
        ),
        (
            "2 - old.functions.score(x, n)",
            "2 - (kcatalog.ops.score(x=x, mask=keras.ops.arange(3) < n[:, None]) * 2)",
        ),
        ("old.functions.elsewhere(x)", "scipy.ndimage.median_filter(x)"),
        ("old.losses.Plain(*a, **b)", "kcatalog.losses.Plain(*a, **b)"),
        (
            "isinstance(x, (old.layers.Groups, int))",
            "isinstance(x, (keras.layers.GroupNormalization, int))",
        ),
        ("f(old.losses.Plain)", "f(kcatalog.losses.Plain)"),
        ("old.losses.Plain.from_config(c)", "kcatalog.losses.Plain.from_config(c)"),
        (
            "old.losses.Plain(old.layers.Groups(x=old.losses.Plain()))",
            "kcatalog.losses.Plain(keras.layers.GroupNormalization(x=kcatalog.losses.Plain(), "
            "groups=-1))",
        ),
    ],
)
def test_call(before, after):
    result = run(f"import keras\nimport old\n{before}\n")
    assert result.code.splitlines()[-1] == after
    assert not result.of("left")


def test_layout_and_comments_stay():
    expect(
        "import old\n\nx = old.layers.Attention(  # attention\n    8,  # width\n    num_heads=2,\n"
        "    # a comment\n    bias=True,\n)  # end\n",
        "import keras\n\nx = keras.layers.MultiHeadAttention(  # attention\n"
        "    key_dim=8,  # width\n    num_heads=2,\n)  # end\n",
    )
    expect(
        "import old\nx = (old.layers\n     .Groups(\n         axis=1))\n",
        "import keras\nx = (keras.layers.GroupNormalization(\n         axis=1,\n"
        "         groups=-1))\n",
    )
    expect(
        "import old\r\nx = old.layers.Groups(\r\n\taxis=1,  # ä\r\n)\r\n",
        "import keras\r\nx = keras.layers.GroupNormalization(\r\n\taxis=1,  # ä\r\n"
        "\tgroups=-1,\r\n)\r\n",
    )
    expect(
        "import old\n'ä'; y = old.losses.Plain('ö')",
        "import kcatalog\n'ä'; y = kcatalog.losses.Plain('ö')",
    )


# --- what is left -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("use", "message"),
    [
        ("old.gone()", "Nothing needs it; delete it"),
        ("old.byhand()", "Write it anew"),
        ("old.losses.NoSuchName()", "no public name losses.NoSuchName"),
        ("f(old.losses)", "a module of Old is used as a value"),
        ("f(old.layers.Attention)", "it is passed on"),
        ("old.layers.Attention(8, 2, bias=False)", "add the bias by hand"),
        ("old.layers.Attention(8, 2, bias=b)", "`bias=b` has no counterpart"),
        ("old.metrics.Score(*x)", "`*` hides arguments"),
        ("old.metrics.Score(3, None, 1, 2)", "more arguments than"),
        ("old.metrics.Score(3, other=2)", "`other` was no argument"),
        ("old.optimizers.Decay(1, learning_rate=schedule)", "may be no number"),
        ("old.optimizers.Decay(1, 0.1, decay=2)", "give a schedule"),
        ("old.optimizers.Average(opt)", "made elsewhere"),
        ("old.functions.hardmax(f(x))", "computed twice"),
        ("class A(old.layers.Groups): pass", "a subclass depends"),
        ("print(f'{old.losses.Plain()}')", "f-string"),
        ("m = load(custom_objects={'A': old.losses.Plain})", "migrate-model"),
    ],
)
def test_left(use, message):
    expect_left(f"import old\n{use}\n", message)


def test_marks_stand_above_the_statement_and_once():
    source = """import old

@old.byhand
def f():
    if x: old.gone()
    elif old.gone(): pass
    return (1 +
            old.gone() + old.gone())
"""
    result = run(source)
    assert result.code.count(program.MARK) == 4
    assert f"\n{program.MARK}byhand: Write it anew\n@old.byhand" in result.code
    assert f"\n    {program.MARK}gone: Nothing needs it; delete it\n    return (1 +" in result.code
    assert [f.line for f in result.of("left")] == [3, 5, 6, 8]
    after = result.code.splitlines()
    assert all("old." in after[f.after - 1] for f in result.of("left"))


def test_deleted_calls():
    source = """import old

old.setup()  # once
def f(x):
    old.setup()
"""
    result = run(source)
    assert result.code == "\ndef f(x):\n    pass\n"
    assert [(f.kind, f.message) for f in result.findings if f.line == 5] == [
        ("note", "Nothing is to be set up."),
        ("rewritten", "-> deleted"),
    ]
    expect_left("import old\nx = old.setup()\n", "Nothing is to be set up")


def test_numbers_are_looked_up():
    call = "old.optimizers.Decay(1e-4, LR)\n"
    assert not run(f"import old\nLR = 1e-3 * 2\n{call}").of("left")
    assert run(f"import old\nLR = Schedule()\n{call}").of("left")
    assert run(f"import old\nfor LR in x:\n    {call}").of("left")
    assert run(f"import old\nLR = 1\nLR *= f()\n{call}").of("left")


def test_names_that_others_import():
    source = "from old.losses import Plain\nfrom old.metrics import Score\n"
    result = codemod.migrate(source, [OLD], package=True)
    assert result.code.startswith("from kcatalog.losses import Plain\n# kcatalog migrate:")
    assert "\nfrom old.metrics import Score\n" in result.code
    listed = "from old.losses import Renamed\n__all__ = ['Renamed']\n"
    expect(
        listed,
        listed.replace("old.losses import Renamed", "kcatalog.losses import NewName as Renamed"),
    )
    assert run("import old\n").code == ""


def test_a_registered_name_in_text_is_noted():
    (note,) = codemod.migrate("x = 'Addons>Layer'\n", [table.load("tensorflow_addons")]).findings
    assert note.kind == "note"


def test_an_import_for_saved_models_leaves_something_to_do():
    """The import goes, and a comment says that the models are to be converted."""
    result = run("import old\nmodel = load_model('a.h5')\n")
    message = "convert the models that this file loads with `kcatalog migrate-model`"
    assert result.code == f"{program.MARK}old: {message}\nmodel = load_model('a.h5')\n"
    assert [f.kind for f in result.findings] == ["left"]


def test_a_library_that_is_only_reported():
    torch = table.parse(TABLE.replace('package = "old"', 'package = "old"\nrewrite = false'), "old")
    result = codemod.migrate("import old\nold.losses.Plain()\n", [torch])
    assert result.code == "import old\nold.losses.Plain()\n"
    assert [(f.kind, f.name) for f in result.findings] == [("note", "losses.Plain")]
