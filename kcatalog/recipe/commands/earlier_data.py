"""The data of an earlier run: those that it learned from, with a test part that may change."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kcatalog.recipe.commands.options import Options
from kcatalog.recipe.data import Data, recorded
from kcatalog.recipe.data.findings import Finding, listed
from kcatalog.recipe.files import rundir
from kcatalog.recipe.files.rundir import Run
from kcatalog.recipe.terminal.errors import RecipeError

Say = Callable[[str], None]  # shows the user a sentence


def root(recipe, settings: dict) -> Path:
    """Return the folder of a run's data, where they are a folder."""
    return Path(settings["data"] or getattr(recipe.source, "default", "")).expanduser()


def same_data(recipe, run: Run, options: Options, folder: Path | None = None) -> Data:
    """Load the data that the run learns from; decoded samples are cached in `folder` or the run
    directory. The test part may have changed."""
    return _loaded(recipe, run, options, folder)[0]


def _loaded(
    recipe, run: Run, options: Options, folder: Path | None = None
) -> tuple[Data, recorded.Changes]:
    """Load the data of the run, split as they were when it began."""
    settings, facts, changes = run.facts["settings"], run.facts["data"], recorded.Changes()
    data = recipe.load(settings["data"], settings["seed"], settings)
    if split := run.read("split.json"):
        classes = tuple(facts["classes"])
        data, changes = recorded.apply(data, split, root(recipe, settings), classes)
    if changes.learned:
        raise RecipeError(
            f"Files that {run.path} learns from have changed or are gone since it was started: "
            f"{listed(changes.learned)}. Put them back to go on. {rundir.anew(run.path)}"
        )
    if data.learned != run.facts["learned"]:
        raise RecipeError(
            f"The data {data.name} have changed since {run.path} was started. Put them back to go "
            f"on. {rundir.anew(run.path)}"
        )
    data.keep(folder or run.path, options.cache_memory)
    return data, changes


def reopened(recipe, run: Run, options: Options, say: Say) -> tuple[Run, Data]:
    """Return a locked run and its data. Scores of a test part that has changed are removed."""
    data, changes = _loaded(recipe, run, options)
    if changes.added:
        say(
            f"{len(changes.added)} files have been added since {run.path} was started. It leaves "
            f"them out: {listed(changes.added)}."
        )
    if data.fingerprint == (facts := run.facts)["data"]["fingerprint"]:
        return run, data
    names = f" ({listed(changes.test)})" if changes.test else ""
    text, changed = (
        f"has changed since the run began{names}",
        data.fingerprint != facts.get("began"),
    )
    text = text if changed else "is again as it was when the run began"
    say(f"The test part of {data.name} {text}. Its scores are computed anew.")
    run.samples.unlink(missing_ok=True)
    (run.path / "metrics.json").unlink(missing_ok=True)
    found = [each for each in facts["findings"] if each["about"] != "test part"]
    found += [vars(Finding("test part", text, warning=True))] if changed else []
    run.update(data=data.info.to_record(), findings=found)
    return run, data
