"""The steps from data to a served model; each leaves its result in the run directory."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

import keras

from kcatalog.recipe import monitoring, tasks
from kcatalog.recipe.commands import start
from kcatalog.recipe.commands.evaluation import evaluate
from kcatalog.recipe.commands.exporting import export_run
from kcatalog.recipe.commands.options import Options
from kcatalog.recipe.data import Data
from kcatalog.recipe.devices import Devices
from kcatalog.recipe.devices.hosts import ALONE, Hosts, meet
from kcatalog.recipe.export import variants
from kcatalog.recipe.feed import pipeline
from kcatalog.recipe.files import rundir
from kcatalog.recipe.files.rundir import Run
from kcatalog.recipe.monitoring import profile
from kcatalog.recipe.search import hyperparameters
from kcatalog.recipe.terminal import output, stopping
from kcatalog.recipe.terminal.errors import RecipeError
from kcatalog.recipe.training.train import Plan, train


class Steps:
    """The steps of a recipe with the options that the user gave."""

    def __init__(self, recipe, options: Options, hosts: Hosts = ALONE):
        self.recipe, self.options, self.hosts = recipe, options, hosts
        self.profiled = profile.steps(options.profile) if options.profile else None
        self.variants = tuple(variants.parse(options.variants))
        self.console = output.console(quiet=hosts.index > 0)

    # --- what the command line calls -----------------------------------------------------

    def everything(self) -> None:
        """The whole way. With --resume, steps that are done are left out."""
        with self._start() as (run, data), self._session(run) as used:
            more = self.options.trials and not run.checkpoints.exists()
            if more or run.read("hyperparameters.json") is None:
                self._tune(run, data, used)
            if not run.model.exists():
                self._train(run, data, used)
            evaluate(self.recipe, run, data, used.words, self.console)
        with stopping.resumable(run.path):
            export_run(self.recipe, run, data, self.options, self.variants, self.console)

    def tune(self) -> None:
        if self.options.worker:
            self._work_along()
            return
        if self.options.chief:
            from kcatalog.recipe.search import distributed

            distributed.free(self.options.chief)
        with self._start() as (run, data), self._session(run) as used:
            self._tune(run, data, used)

    def train(self) -> None:
        """In the newest run if that is tuned and not yet trained, else in a new one."""
        with (
            meet(self.hosts, self._start_to_train(), self._join) as (run, data),
            self._session(run) as used,
        ):
            self._train(run, data, used)

    def evaluate(self) -> None:
        trained = start.trained(self.recipe, self.options)
        with trained as (run, data), self._session(run) as used:
            evaluate(self.recipe, run, data, used.words, self.console)

    def export(self) -> None:
        with start.trained(self.recipe, self.options) as (run, data):
            if run.read("metrics.json") is None:
                with self._session(run) as used:
                    evaluate(self.recipe, run, data, used.words, self.console)
        export_run(self.recipe, run, data, self.options, self.variants, self.console)

    def trial(self, folder: Path) -> None:
        """One trial of a search that runs elsewhere and holds the run (`tune --isolate`)."""
        from kcatalog.recipe.search import isolation

        isolation.attend(self.options.trial_memory)
        run = rundir.find(self.recipe.name, self.options.run_dir)
        data = start.same_data(self.recipe, run, self.options)
        with self._session(run) as used:
            isolation.work_on(self._training(run, data, used), folder)

    # --- the steps themselves ------------------------------------------------------------

    def _session(self, run: Run) -> contextlib.AbstractContextManager[Devices]:
        pipeline.tensorflow()  # before summaries use it, or it takes another backend's GPU
        return start.session(self.recipe, run, self.options, self.hosts.count)

    @contextlib.contextmanager
    def _start_to_train(self) -> Iterator[tuple[Run, Data]]:
        run = rundir.find(self.recipe.name, self.options.run_dir)
        waiting = run if run and run.tuned and not run.checkpoints.exists() else None
        with self._start(waiting) as (run, data):
            if run.model.exists():
                raise RecipeError(
                    f"{run.path} is trained already. Leave out --resume for a new run."
                )
            yield run, data

    def _join(self, path: Path) -> tuple[Run, Data]:
        """The run that host 0 works in. Nothing is written there, so samples are kept elsewhere."""
        run = rundir.find(self.recipe.name, path)
        return run, start.same_data(self.recipe, run, self.options, Path(tempfile.gettempdir()))

    @contextlib.contextmanager
    def _start(self, waiting: Run | None = None) -> Iterator[tuple[Run, Data]]:
        """The run to work in. Nobody else does meanwhile."""
        if self.options.resume:
            started = start.resume(self.recipe, self.options)
        elif waiting is not None:
            started = start.reopen(self.recipe, waiting, self.options)
        else:
            started = start.begin(self.recipe, self.options)
        with started as (run, data), stopping.resumable(run.path):
            self.console.print(f"{self.recipe.name} on {data.name} in {run.path}")
            yield run, data

    def _objective(self, data: Data) -> str:
        return tasks.objective_of(self.recipe, data)

    def _tune(self, run: Run, data: Data, used: Devices) -> None:
        from kcatalog.recipe import search

        settings, place = run.facts["settings"], self.options.chief
        how = settings["isolate"], settings["trial_memory"]
        tuner, budget = self._tuner(run, data, used, *how)
        if place:
            from kcatalog.recipe.search import chief

            chief.lead(tuner, chief.terms(self.recipe, run), place, self.console)
        else:
            self.console.print(used.line)
            tuner.search()
        run.write("hyperparameters.json", search.conclude(tuner.oracle, budget, self.console))

    def _work_along(self) -> None:
        """Trials of a search that a chief leads."""
        from kcatalog.recipe.search import worker

        with (
            worker.joined(self.recipe, self.options, self.console) as us,
            self._session(us.run) as used,
        ):
            tuner, _ = self._tuner(us.run, us.data, used, *us.how)
            self.console.print(used.line)
            worker.follow(tuner, us, self.console)

    def _tuner(self, run: Run, data: Data, used: Devices, isolate: bool, memory: float | None):
        """The run's tuner and its budget."""
        from kcatalog.recipe.search import Budget, isolation, tuner_of

        settings, build = run.facts["settings"], start.builder(self.recipe, data, used)
        space = hyperparameters.space(build, hyperparameters.parse(settings["overrides"]))
        budget = Budget(settings["tuner"], settings["trials"], settings["keep"])
        training = self._training(run, data, used)
        run_trial = training.run
        if isolate:
            place = self.options.devices, memory, self.options.cache_memory
            run_trial = isolation.Isolated(self.recipe.script, run.path, *place)
        return tuner_of(training, space, budget, run, self.console, run_trial), budget

    def _training(self, run: Run, data: Data, used: Devices):
        """How the trials of this run are trained."""
        from kcatalog.recipe.search import Training

        def build(hp, data):
            return start.builder(self.recipe, data, used)(hp)

        settings = run.facts["settings"]
        return Training(
            build,
            data,
            self._objective(data),
            epochs=settings["trial_epochs"],
            batch_size=self.recipe.batch_size,
            seed=settings["seed"],
            logs=run.logs,
            folds=settings.get("folds", 1),
        )

    def _train(self, run: Run, data: Data, used: Devices) -> None:
        settings, build = run.facts["settings"], start.builder(self.recipe, data, used)
        tuned = run.read("hyperparameters.json")
        hp = hyperparameters.space(build, hyperparameters.parse(settings["overrides"]), tuned)
        hyperparameters.check_epochs(hp, self.options.epochs, settings["tuner"])
        run.write("hyperparameters.json", monitoring.active(hp))
        epochs, size = hp.values.get("epochs", settings["epochs"]), self.recipe.batch_size
        seed, shard = settings["seed"], self.hosts.shard
        watched = self.options.watch, self.profiled
        plan = Plan(self._objective(data), epochs, size, seed, shard, *watched)
        self.console.print(used.line)
        # layers are then named as in every trial, so that curves lie together
        keras.utils.clear_session(free_memory=False)
        with used.scope():
            train(build, hp, data, plan, run, self.console)
