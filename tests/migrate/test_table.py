"""Tables of `kcatalog migrate`: the format, its errors, and that every table fulfils it."""

import pytest

from kcatalog.migrate import table

pytestmark = pytest.mark.once

HEAD = """
[library]
title = "Old"
version = "1.0"
distribution = "old-lib"
package = "old_lib"
"""


def row(text, name="losses.A", head=HEAD):
    """Return the only row of a table."""
    return table.parse(f'{head}\n["{name}"]\n{text}', "old").rows[name]


@pytest.mark.parametrize("key", table.names())
def test_table_is_valid(key):
    library = table.load(key)
    assert library.key == key
    assert library.rows


def test_signature():
    s = table.Signature.parse("a, b=1, c='x', *, d=None, **kwargs")
    assert s.defaults == {"a": None, "b": "1", "c": "'x'", "d": "None"}
    assert s.extra
    assert not table.Signature.parse("").extra


def test_plain_rows_change_nothing_but_the_name():
    assert row('to = "keras.losses.A"\nsignature = "x"\ntest = "value"').plain
    assert not row('to = "keras.losses.A"\nsignature = "x"\ntest = "value"\ndrop = ["x"]').plain


def test_paths_through_private_modules_are_found():
    library = table.load("tensorflow_addons")
    name = "layers.InstanceNormalization"
    assert library.find("layers.normalizations.InstanceNormalization") is library.rows[name]
    assert library.find("normalizations.InstanceNormalization") is None
    assert library.find("layers") is None
    assert library.find("register_all") is library.rows["register_all"]


def test_common_rules_yield_to_the_rows_own():
    head = HEAD + '[common.losses]\nrename = { lr = "learning_rate", x = "z" }\nleave.d = "no"'
    given = 'to = "keras.losses.A"\ntest = "value"\n'
    merged = row(f'{given}signature = "x, **kwargs"\nleave.d = "own"', head=head)
    assert merged.rename == {"lr": "learning_rate", "x": "z"}
    assert merged.leave == {"d": "own"}
    own = 'signature = "x"\nrename.x = "y"'
    assert row(given + own, head=head).rename == {"x": "y"}
    assert row(f'{given}signature = "y"', head=head).plain


def test_otherwise_inherits_the_signature():
    text = """to = "keras.losses.A"
    signature = "x, y=2"
    test = "value"
    numbers = ["x"]
    otherwise = { to = "kcatalog.losses.B", rename = { x = "z" } }"""
    other = row(text).otherwise
    assert other.to == "kcatalog.losses.B"
    assert other.signature.names == ("x", "y")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "`to` or `reason` is required"),
        ('to = "keras.losses.A"\nreason = "none"\ntest = "value"', "there is `to`"),
        ('reason = "none"\ndrop = ["x"]', "cannot have drop"),
        ('to = "A"\nsignature = ""\ntest = "value"', "full path"),
        ('to = "keras.losses.A"\nsignature = ""', "`test` is required"),
        ('to = "keras.losses.A"\ntest = "value"', "`signature` or `hint`"),
        ('to = "keras.losses.A"\ntest = "value"\nsignature = "*a"', "signature"),
        ('to = "keras.losses.A"\ntest = "value"\nsignature = "x"\ndrop = ["y"]', "lacks y"),
        ('to = "keras.losses.A"\ntest = "value"\nsignature = "x"\nstate = ["x"]', "no old default"),
        ('to = "keras.losses.A"\ntest = "value"\nsignature = "x"\nadd = { y = "1 +" }', "Python"),
        (
            'to = "keras.losses.A"\ntest = "value"\nsignature = "x"\ncompute = { y = "{z}" }',
            "lacks 'z'",
        ),
        ('reason = "none"\nreasn = "typo"', "unknown reasn"),
    ],
)
def test_faults_are_named(text, message):
    with pytest.raises(table.TableError, match=message):
        row(text)


def test_a_library_says_what_it_is():
    with pytest.raises(table.TableError, match="lacks package"):
        table.parse(HEAD.replace('package = "old_lib"', ""), "old")
