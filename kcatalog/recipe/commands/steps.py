"""The steps from data to an exported model; each writes its result to the run directory."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import keras

from kcatalog.recipe import devices, monitoring, tasks
from kcatalog.recipe.commands import block, config, declared, earlier_data, needed, start
from kcatalog.recipe.commands.evaluation import evaluate
from kcatalog.recipe.commands.exporting import export_run
from kcatalog.recipe.commands.options import Options, initial
from kcatalog.recipe.commands.words import arguments
from kcatalog.recipe.data import Data
from kcatalog.recipe.devices import Devices
from kcatalog.recipe.devices.hosts import ALONE, Hosts, share_run
from kcatalog.recipe.export import variants
from kcatalog.recipe.feed import pipeline
from kcatalog.recipe.files import run_toml, rundir
from kcatalog.recipe.files.rundir import Run
from kcatalog.recipe.monitoring import profile, track
from kcatalog.recipe.search import cluster, hyperparameters, process, runners
from kcatalog.recipe.search.trial import Training
from kcatalog.recipe.search.tuner import Budget, Tuner
from kcatalog.recipe.terminal import output, stopping
from kcatalog.recipe.terminal.errors import RecipeError
from kcatalog.recipe.training.train import Plan, train


class Steps:
    """The steps of a recipe with the options that the user gave."""

    def __init__(self, recipe, options: Options, hosts: Hosts = ALONE):
        self.trial_devices = options.devices  # of the cluster, not of this machine
        options = replace(options, devices="auto") if options.cluster else options
        self.recipe, self.options, self.hosts = recipe, options, hosts
        self.profiled = profile.steps(options.profile) if options.profile else None
        self.variants = tuple(variants.parse(options.variants))
        variants.accepted(options.accept, self.variants)
        if options.config and options.resume:
            raise RecipeError("--config starts a new run. Leave out --config or --resume.")
        self.config = config.read(options.config, recipe) if options.config else {}
        track.check(options.track)
        self.console = output.console(quiet=hosts.index > 0)
        self.tracking = track.Tracking()

    # --- commands -------------------------------------------------------------------------

    def everything(self) -> None:
        """Tune, train, evaluate and export. With --resume, skip the steps that are done."""
        needed.place(self.recipe.name)
        with self._start() as (run, data), self._session(run) as used:
            resumed = self.options.resume and not run.checkpoints.exists()
            if run.hyperparameters is None or (self.options.trials and resumed):
                self._tune(run, data, used)
            if not run.model.exists():
                self._train(run, data, used)
            self._evaluate(run, data, used)
        with stopping.resumable(run.path):
            export_run(self.recipe, run, data, self.options, self.variants, self.console)

    def tune(self) -> None:
        """Search for the best hyperparameters."""
        self.config.pop("hyperparameters", None)
        devices.parse(self.trial_devices)
        with (
            cluster.connected(self.options.cluster),
            self._start() as (run, data),
            self._session(run) as used,
        ):
            self._tune(run, data, used)

    def train(self) -> None:
        """Train with the best hyperparameters."""
        lead = self._start_to_train()
        with share_run(self.hosts, lead, self._join) as (run, data), self._session(run) as used:
            self._train(run, data, used)

    def evaluate(self) -> None:
        """Score the trained model on the test split."""
        trained = start.trained(self.recipe, self.options, self._warn)
        with trained as (run, data), self._track(run), self._session(run) as used:
            self._evaluate(run, data, used)

    def export(self) -> None:
        """Write a SavedModel and check it in a clean process."""
        with start.trained(self.recipe, self.options, self._warn) as (run, data):
            if run.read("metrics.json") is None:
                with self._session(run) as used:
                    self._evaluate(run, data, used)
        export_run(self.recipe, run, data, self.options, self.variants, self.console)

    def trial(self, folder: Path) -> None:
        """Run one trial of a search that another process leads, which holds the run."""
        process.attend(self.options.trial_memory)
        work, on_cluster = runners.assigned(folder)
        run = start.find(self.recipe, self.options.run_dir)
        decoded = Path(tempfile.gettempdir()) if on_cluster else None
        data = earlier_data.same_data(self.recipe, run, self.options, decoded)
        with self._session(run) as used:
            runners.report(work, self._training(run, data, used).run(work))

    def print_config(self, command: str) -> None:
        """Print the `run.toml` of the run that a command would start or resume."""
        if command == "tune":
            self.config.pop("hyperparameters", None)
        run = start.to_resume(self.recipe, self.options) if self.options.resume else None
        run = run or (self._waiting() if command == "train" else None)
        if run:
            settings = start.changed(self.recipe, run, self.options, lambda sentence: None)
            facts = run.facts | {"settings": settings}
        else:
            facts = {
                "recipe": self.recipe.name,
                "command": start.command().replace(" --print-config", ""),
                "settings": {**initial(self.recipe), **self.options.given()},
                "hyperparameters": self.config.get("hyperparameters"),
                "versions": config.versions(),
            }
        self.console.print(run_toml.text(facts), end="", soft_wrap=True)

    def _warn(self, sentence: str) -> None:
        self.console.print(sentence, style="yellow")

    @contextlib.contextmanager
    def _track(self, run: Run) -> Iterator[None]:
        with track.tracked(self.options.track, run, self._warn) as self.tracking:
            yield

    # --- steps ---------------------------------------------------------------------------

    def _session(self, run: Run) -> contextlib.AbstractContextManager[Devices]:
        pipeline.tensorflow()  # before summaries import it, which would take another backend's GPU
        settings = run.facts["settings"]
        return start.session(self.recipe, settings, self.options, self.hosts.count)

    @contextlib.contextmanager
    def _start_to_train(self) -> Iterator[tuple[Run, Data]]:
        """Lock the newest run if that is tuned and not yet trained, else a new one."""
        with self._start(self._waiting()) as (run, data):
            if run.model.exists():
                raise RecipeError(f"{run.path} is already trained. {rundir.anew(run.path)}")
            yield run, data

    def _waiting(self) -> Run | None:
        """Return the run that `train` continues without being told to, if there is one."""
        if self.config:
            return None
        run = start.find(self.recipe, self.options.run_dir)
        return run if run and run.tuned and not run.checkpoints.exists() else None

    def _join(self, path: Path) -> tuple[Run, Data]:
        """Open the run of host 0 for reading; samples are cached elsewhere."""
        run = start.find(self.recipe, path)
        return run, earlier_data.same_data(
            self.recipe, run, self.options, Path(tempfile.gettempdir())
        )

    @contextlib.contextmanager
    def _start(self, waiting: Run | None = None) -> Iterator[tuple[Run, Data]]:
        """Lock the run to work in."""
        if self.options.resume:
            started = start.resume(self.recipe, self.options, say=self._warn)
        elif waiting is not None:
            started = start.resume(self.recipe, self.options, waiting, self._warn)
        else:
            started = start.begin(self.recipe, self.options, self.config.get("hyperparameters"))
        with started as (run, data), stopping.resumable(run.path), self._track(run):
            self.console.print(f"{self.recipe.name} on {data.name} in {run.path}")
            if waiting is None and not self.options.resume:
                block.show(self.console, run.facts["findings"])
            if self.config:
                for sentence in config.changes(self.options.config, self.config, run.facts):
                    self._warn(sentence)
                if run.hyperparameters:
                    self.console.print(f"Hyperparameters: those of {self.options.config}.")
            yield run, data

    def _tune(self, run: Run, data: Data, used: Devices) -> None:
        settings, build = run.facts["settings"], start.builder(self.recipe, data, used)
        space = hyperparameters.space(build, hyperparameters.parse(settings["overrides"]))
        declared.check_search(self.recipe, run, data, space)
        training, memory = self._training(run, data, used), settings["trial_memory"]
        options = Options(
            run_dir=run.path.resolve(),
            devices=self.trial_devices,
            cache_memory=self.options.cache_memory,
            trial_memory=memory,
            debug=True,
        )
        words = arguments(options, "search-worker")
        script = runners.Script(self.recipe.script, words, self.trial_devices, memory)
        if self.options.cluster is not None:
            runner = cluster.RayCluster(script, settings["parallel"])
        elif settings["isolate"] or settings["parallel"] > 1:
            runner = runners.Processes(script, runners.shares(settings["parallel"], script.devices))
        else:
            runner = runners.InProcess(training.run)
        budget = Budget(settings["tuner"], settings["trials"], settings["keep"])
        tuner = Tuner(training, space, budget, runner, run.tuning, self.console, self.tracking)
        self.console.print(used.line)
        run.update(hyperparameters=tuner.search())

    def _training(self, run: Run, data: Data, used: Devices) -> Training:
        """Return how the trials of this run are trained."""
        settings = run.facts["settings"]
        return Training(
            start.builder(self.recipe, data, used),
            data,
            tasks.objective_of(self.recipe, data),
            epochs=settings["trial_epochs"],
            batch_size=self.recipe.batch_size,
            seed=settings["seed"],
            logs=run.logs,
            folds=settings["folds"],
        )

    def _train(self, run: Run, data: Data, used: Devices) -> None:
        settings, build = run.facts["settings"], start.builder(self.recipe, data, used)
        overrides = hyperparameters.parse(settings["overrides"])
        hp = hyperparameters.space(build, overrides, run.hyperparameters)
        hyperparameters.check_epochs(hp, self.options.epochs, settings["tuner"])
        for change in declared.check_training(self.recipe, run, data, hp):
            self._warn(f"{change}.")
        run.update(hyperparameters=monitoring.active(hp))
        self.tracking.send("parameters", run.hyperparameters)
        plan = Plan(
            tasks.objective_of(self.recipe, data),
            epochs=hp.values.get("epochs", settings["epochs"]),
            batch_size=self.recipe.batch_size,
            seed=settings["seed"],
            shard=self.hosts,
            watch=self.options.watch,
            profile=self.profiled,
        )
        self.console.print(used.line)
        # gives layers the same names as in every trial, so that TensorBoard overlays their curves
        keras.utils.clear_session(free_memory=False)
        with used.scope():
            train(build, hp, data, plan, run, self.console, self.tracking.callbacks())

    def _evaluate(self, run: Run, data: Data, used: Devices) -> None:
        scores = evaluate(self.recipe, run, data, used.words, self.console)
        self.tracking.send("scores", scores)
