"""The site's pages, read as text, and a few of them in a browser."""

import doctest
import json
import os
import re
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace
from xml.etree import ElementTree

import keras
import numpy as np
import pytest

from docs.site import (
    build,
    checked,
    elsewhere,
    formula,
    links,
    names,
    pages,
    part_pages,
    publish,
    twins,
)
from docs.site.plots import draw, mask
from kcatalog import registry
from tests.record import Record


@pytest.fixture(scope="module")
def written():
    """The files that Sphinx reads."""
    return build.sources()


@pytest.mark.parametrize(
    ("source", "html"),
    [
        ("y = x / n", "<i>y</i> = <i>x</i> / <i>n</i>"),
        ("D_ap", "<i>D</i><sub><i>ap</i></sub>"),
        ("q^(2-t)", "<i>q</i><sup>2−<i>t</i></sup>"),
        ("Σ_{j ≠ y} s_j", "Σ<sub><i>j</i> ≠ <i>y</i></sub> <i>s</i><sub><i>j</i></sub>"),
        ("max(a * b)", "max(<i>a</i> &#42; <i>b</i>)"),
        ("slow_step_size < 1", "slow&#95;step&#95;size &lt; 1"),
    ],
)
def test_formulas_are_typeset(source, html):
    assert formula.inline(source) == f'<span class="formula">{html}</span>'


def test_names_become_links_outside_of_code():
    name = "`losses.TripletHard`"
    text = f"See {name}.\n\n    {name}\n\n```\n{name}\n```\n"
    linked = names.linked(text, "guides/a.md")
    assert linked == text.replace(name, f"[{name}](../parts/losses/TripletHard.md)", 1)


def test_links_of_the_tree_become_links_of_the_site():
    text = "[a](docs/tuning.md#x) [b](LICENSE) [c](docs/parts.md#losses) [d](https://e.f)"
    placed = pages.placed(text, "README.md", "guides/page.md")
    assert placed["guides/page.md"] == (
        "[a](tuning.md#x) [b](../files/LICENSE) [c](../parts/losses/index.md) [d](https://e.f)"
    )
    named = pages.placed("[docs/tuning.md](docs/tuning.md)", "README.md", "index.md")
    assert named == {"index.md": "[Tuning hyperparameters](guides/tuning.md)"}
    assert placed["files/LICENSE"] == (pages.ROOT / "LICENSE").read_bytes()


@pytest.mark.slow
def test_every_part_has_a_page_with_its_sections(written):
    for e in registry.find():
        page = written[names.place(e)]
        assert page.startswith(f"# {e.name}\n\n`{e.path}`")
        for title in ("Maths", "Shapes", "Behaviour", "Example") if e.origin == "kcatalog" else ():
            assert f"## {title}\n" in page or title not in e.sections
        for argument in e.arguments:
            assert f"`{argument.name}` (" in page


@pytest.mark.parametrize(
    "name",
    ["losses.TripletHard", "layers.SqueezeExcite", "optimizers.SAM", "losses.CORN", "metrics.BLEU"],
)
def test_examples_run_when_pasted(name):
    page = part_pages.page(registry.describe(name), True, {})
    session = "\n".join(re.findall(r"```pycon\n(.*?)```", page, re.DOTALL))
    example = doctest.DocTestParser().get_doctest(session, {}, name, None, 0)
    assert example.examples
    assert doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(example).failed == 0


@pytest.mark.parametrize("name", ["losses.TripletHard", "optimizers.SAM", "keras.optimizers.Adam"])
def test_a_loss_or_an_optimizer_trains_a_model_when_pasted(name):
    page = part_pages.page(registry.describe(name), True, {})
    code = re.search(r"## Use it\n\n```python\n(.*?)```", page, re.DOTALL)[1]
    assert "model.fit(x, y)" in code
    model = keras.Sequential([keras.layers.Dense(1)])
    exec(code, {"model": model, "x": np.ones((4, 2)), "y": np.array([0, 0, 1, 1])})  # noqa: S102
    assert model.optimizer.iterations == 1


def test_a_part_says_what_it_is_called_elsewhere_and_what_cannot_export_it():
    triplet = registry.describe("losses.TripletSemiHard")
    assert "`tensorflow_addons.losses.TripletSemiHardLoss`" in elsewhere.section(triplet)
    assert checked.exports(registry.describe("layers.CRF"))["ONNX"].startswith("no: ")
    assert checked.exports(registry.describe("callbacks.TimeBudget")) == {}


def test_each_library_to_come_from_has_a_page_of_its_tables():
    place = "guides/coming_from.md"
    text = (pages.ROOT / "docs/coming_from.md").read_text(encoding="utf-8")
    found = pages.libraries(text)
    rows = [line for line in text.splitlines() if line.count(" | ") == 3]
    assert set(rows) <= set("\n".join(found.values()).splitlines())
    assert not set(rows) & set(found[place].splitlines())
    assert "](coming_from/optax.md)" in found[place]
    assert found["guides/coming_from/optax.md"].startswith("# optax\n")


@pytest.mark.slow
def test_programs_get_markdown_and_a_catalog(written):
    svg = b"<svg><title>The loss of `TripletHard()`.</title></svg>"
    found = twins.twins({**written, "plots/losses/TripletHard.svg": svg})
    plot = "\n![The loss of `TripletHard()`.](../../plots/losses/TripletHard.svg)\n"
    assert plot in found["parts/losses/TripletHard.md"]
    assert "\n![image_cnn: " in found["recipes/image_cnn.md"]
    assert "| jax | " in found["parts/optimizers/Lookahead.md"].split("## Cost")[1]
    assert "<span" not in found["parts/losses/TripletHard.md"]
    assert "{toctree}" not in found["guides/index.md"]
    catalog = json.loads(found["catalog.json"])
    assert len(catalog) == len(registry.find())
    for entry in catalog:
        assert entry["page"].replace(".html", ".md") in found
        assert f"]({entry['page'].replace('.html', '.md')})" in found["llms.txt"]


def test_broken_links_and_other_hosts_are_found(tmp_path):
    (tmp_path / "a.html").write_text(
        '<a href="b.html">x</a><a href="#no">x</a><a href="a.html#yes" id="yes">x</a>'
        '<a href="https://example.org">x</a><script src="https://example.org/x.js"></script>'
    )
    assert links.faults(tmp_path) == [
        "a.html loads https://example.org/x.js: take it into the page.",
        "a.html links to #no: the page has no such anchor.",
        "a.html links to b.html: there is no such file.",
    ]


# --- plots ------------------------------------------------------------------------------

# Of each function, and of losses and metrics two that do not share what they draw.
DRAWN = [
    "constraints.Box",
    "layers.DropConnect",
    "layers.BlurPooling1D",
    "layers.IndRNN",
    "layers.Snake",
    "losses.CIoU",
    "losses.LDAM",
    "losses.TripletHard",
    "metrics.RecallAtK",
    "metrics.ROUGE",
    "optimizers.Lookahead",
    "optimizers.SAM",
    "regularizers.GroupLasso",
    "samplers.MPerClass",
    "schedules.OneCycle",
]


def test_each_part_of_a_kind_is_drawn_or_the_reason_is_written():
    reasons = (pages.ROOT / "docs" / "decisions" / "catalog.md").read_text(encoding="utf-8")
    for e in registry.find(origin="kcatalog"):
        family = Path(e.file).parent.name
        if e.kind in draw.OF_KIND or (e.kind == "layers" and family in draw.OF_FAMILY):
            drawn = draw.function_for(e) is not None
            assert drawn or (e.path in draw.UNDRAWN and f"`{e.path}`" in reasons)
            assert not drawn or family != "regularization" or e.name in mask.LAYOUTS


@pytest.mark.slow
def test_a_plot_is_a_small_file_with_a_caption_and_the_same_in_each_process(tmp_path):
    program = (
        "import pathlib, sys\nfrom docs.site.plots import draw\nfrom kcatalog import registry\n"
        "for name in sys.argv[2:]:\n"
        "    drawn = draw.draw(registry.describe(name))\n"
        "    pathlib.Path(sys.argv[1], name).write_bytes(drawn)\n"
    )
    subprocess.run(
        [sys.executable, "-c", program, tmp_path, *DRAWN],
        cwd=pages.ROOT,
        env={**os.environ, "PYTHONHASHSEED": "7"},
        check=True,
        capture_output=True,
    )
    for name in reversed(DRAWN):
        drawn = draw.draw(registry.describe(name))
        assert drawn == (tmp_path / name).read_bytes(), name
        assert len(drawn) < 150_000, name
        title = ElementTree.fromstring(drawn).find("{*}title").text  # noqa: S314 - our own
        assert title.endswith(".")
        assert len(title) > 30, name


def test_a_page_shows_the_plot_of_its_part_with_the_caption():
    e = registry.describe("losses.TripletHard")
    svg = b"<svg><title>The loss of `TripletHard()` &lt; 1.</title></svg>"
    page = part_pages.page(e, True, {"plots/losses/TripletHard.svg": svg})
    figure = "```{figure} ../../plots/losses/TripletHard.svg\n:alt: Plot of TripletHard\n\n"
    assert figure + "The loss of `TripletHard()` < 1.\n```" in page
    assert "{figure}" not in part_pages.page(e, True, {})


def test_a_plot_is_drawn_anew_for_a_change_of_what_it_uses():
    used = draw.used(draw.recurrence.__name__) | draw.used("kcatalog.layers.recurrent.ind_rnn")
    plots = {name for name in used if name.startswith("docs.site.plots.")}
    assert plots == {f"docs.site.plots.{name}" for name in ("recurrence", "arguments", "figure")}
    assert "kcatalog.layers.recurrent.recurrent_cell" in used
    assert "kcatalog.layers.recurrent.sru" not in used


# --- what was checked -------------------------------------------------------------------


def session(**options):
    option = {"keyword": "", "markexpr": "not soak", "file_or_dir": [], **options}
    return SimpleNamespace(config=SimpleNamespace(option=SimpleNamespace(**option)))


def report(check, outcome="passed", when="call", **more):
    nodeid = f"tests/test_conformance.py::test_conformance[losses-TripletHard-{check}]"
    return SimpleNamespace(nodeid=nodeid, outcome=outcome, when=when, **more)


def test_a_whole_run_is_recorded_and_shown(tmp_path, monkeypatch):
    record = Record(tmp_path)
    record.pytest_runtest_logreport(report("gradient_exact"))
    record.pytest_runtest_logreport(report("gradient_exact", when="teardown"))
    record.pytest_runtest_logreport(report("half-mixed_float16", "skipped", wasxfail="reason"))
    record.pytest_runtest_logreport(report("half-mixed_bfloat16", "failed"))
    record.pytest_sessionfinish(session(keyword="TripletHard"))
    assert not list(tmp_path.iterdir())  # a part of the suite is no record
    record.pytest_sessionfinish(session())
    monkeypatch.setattr(checked, "RECORDS", tmp_path)
    checked.records.cache_clear()
    entry = registry.describe("losses.TripletHard")
    section = checked.section(entry)
    backends = checked.backends(entry)
    checked.records.cache_clear()
    assert "`gradient_exact` | ✓ |" in section
    assert "`half` | FAILED ×2 |" in section
    assert len(backends) == len(checked.BACKENDS) - 1


# --- in a browser -----------------------------------------------------------------------

SEEN = (
    "index.md",
    "parts/index.md",
    "parts/losses/TripletHard.md",
    "guides/tuning.md",
    "guides/which_loss.md",
    "guides/coming_from/tensorflow_addons.md",
    "recipes/index.md",
    "recipes/image_cnn.md",
    "notebooks/index.md",
    "notebooks/own_pictures.md",
    "theory/index.md",
)
# Words of tables that are broken into several lines, and the characters that a line of code holds.
BROKEN_WORDS = """() => [...document.querySelectorAll(".bd-article td.short :is(p, code)")].filter(
    (e) => !e.textContent.trim().includes(" ") && e.firstChild
        && new Set([...e.getClientRects()].map((r) => r.top)).size > 1).map((e) => e.textContent)"""
CODE_COLUMNS = """() => {
    const pre = document.querySelector(".bd-article .highlight pre");
    if (!pre) return Infinity;
    const style = getComputedStyle(pre), ink = document.createElement("canvas").getContext("2d");
    ink.font = style.font;
    return (pre.clientWidth - 2 * parseFloat(style.paddingLeft)) / ink.measureText("0").width;
}"""


@pytest.mark.slow
def test_pages_fit_phones_and_both_themes(written, tmp_path):
    """No message in the console, nothing to scroll sideways, and a table that filters."""
    from playwright import sync_api

    browser = shutil.which("chromium") or pytest.skip("there is no chromium on the PATH")
    kept = [*SEEN, *(place for place in written if not place.endswith(".md"))]
    shown = {place: written[place] for place in kept}
    build.write(shown, tmp_path / "source")
    with warnings.catch_warnings(action="ignore"):  # of Sphinx and its extensions
        build.sphinx(tmp_path / "source", tmp_path / "html", complete=False)
    with sync_api.sync_playwright() as playwright:
        window = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        complaints = []
        for width, theme in ((1280, "light"), (390, "dark")):
            page = window.new_page(viewport={"width": width, "height": 800}, color_scheme=theme)
            page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
            page.on("pageerror", lambda e: complaints.append(str(e)))
            for place in SEEN:
                page.goto((tmp_path / "html" / place).with_suffix(".html").as_uri())
                assert page.locator("html").get_attribute("data-theme") == theme
                wide = page.evaluate("document.documentElement.scrollWidth")
                assert wide <= width, f"{place} is {wide} pixels wide"
                assert page.evaluate(BROKEN_WORDS) == [], place
                assert width < 1280 or page.evaluate(CODE_COLUMNS) >= 100, place
            page.goto((tmp_path / "html" / "parts" / "index.html").as_uri() + "?kind=losses")
            for text in ("semi-hard mining", "NT-Xent", "cosine annealing", "TripletHardLoss", "f"):
                parts = registry.find(kind="losses", text=text)
                page.fill("input[name=text]", text)
                rows = page.locator("table.find tbody tr:visible")
                sync_api.expect(rows).to_have_count(len(parts))
            assert page.locator("select.versions:visible").count() == 0
        for version in ("0.9", "0.10"):
            versions = publish.publish(tmp_path / "html", tmp_path / "host", version)
        assert versions == ["0.10", "0.9"]
        page.set_viewport_size({"width": 1280, "height": 800})
        page.goto((tmp_path / "host/0.9/guides/tuning.html").as_uri())
        assert page.locator("#pst-header select.versions option").all_inner_texts() == versions
        page.locator("#pst-header select.versions").select_option("0.10")
        page.wait_for_url((tmp_path / "host/0.10/index.html").as_uri())
        page.goto((tmp_path / "host/index.html").as_uri())
        page.wait_for_url((tmp_path / "host/0.10/index.html").as_uri())
        assert complaints == []
        window.close()
