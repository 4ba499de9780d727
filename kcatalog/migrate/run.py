"""Many files: find those that use a library, migrate them in parallel, write them atomically."""

from __future__ import annotations

import concurrent.futures
import contextlib
import dataclasses
import functools
import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from kcatalog.atomic import atomic_write
from kcatalog.migrate import codemod, exports, files, notebook, requirements
from kcatalog.migrate.job import Job, Options, Outcome, decoded, read

MANY = 64  # files from which on further processes pay for their start


def migrate(job: Job, options: Options) -> Outcome:
    """Migrate one file in memory."""
    libraries = options.tables()
    try:
        old = job.file.read_bytes()
        text, encoding = decoded(old)
        if job.file.suffix == ".ipynb":
            result = notebook.migrate(
                text, libraries, lambda s: codemod.migrate(s, libraries, options.keras3)
            )
        else:
            package = job.file.name == "__init__.py"
            more = job.module, package, job.exports, job.kept
            result = codemod.migrate(text, libraries, options.keras3, *more)
        new = old if result.code == text else result.code.encode(encoding)
    except SyntaxError as e:
        where = f", line {e.lineno}" if e.lineno else ""
        return Outcome(job.file, error=f"it is not Python: {e.msg}{where}")
    except RecursionError:
        return Outcome(job.file, error="its expressions are nested too deeply")
    except OSError as e:
        return Outcome(job.file, error=f"cannot read it: {e.strerror}")
    except (UnicodeError, notebook.NotebookError) as e:
        return Outcome(job.file, error=str(e))
    return Outcome(job.file, old, new, result.findings, result.needs)


def write(outcome: Outcome) -> Outcome:
    """Write a migrated file whole or not at all, with its permissions; return what became of it."""
    file = outcome.file.resolve()
    try:
        with atomic_write(file) as beside:
            beside.write_bytes(outcome.new)
            shutil.copymode(file, beside)
    except OSError as e:
        return dataclasses.replace(outcome, new=outcome.old, error=f"cannot write it: {e.strerror}")
    return outcome


def run(
    paths: Iterable[Path],
    options: Options,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[Outcome]:
    """Migrate the files below paths in memory, and return those with something to say.

    Args:
        paths: files and folders.
        options: what to migrate.
        progress: called with the numbers of files done and of all files.
    """
    jobs, others, installs = [], [], []
    for file, root in files.walk(paths):
        if requirements.FILES.fullmatch(file.name):
            installs.append(file)
        if file.suffix in (".py", ".ipynb"):
            job = Job(file, files.module(file, root))
            (jobs if options.concern(read(file)) else others).append(job)
    passed_on = exports.find(jobs, others, options)
    jobs += [
        j
        for j in others
        if passed_on and j.file.suffix == ".py" and exports.may_import(j.file, passed_on)
    ]
    jobs = [dataclasses.replace(j, exports=passed_on) for j in jobs]
    outcomes = {o.file: o for o in _all(jobs, options, progress)}
    needs = {path for o in outcomes.values() for path in o.needs}
    for job in jobs:
        kept = frozenset(exports.imported_from(job.module, needs))
        if kept:
            outcomes[job.file] = migrate(dataclasses.replace(job, kept=kept), options)
    found = [o for o in outcomes.values() if o.changed or o.open or o.findings]
    return found + requirements.check(installs, options, migrated=bool(jobs))


def _all(jobs: list[Job], options: Options, progress) -> Iterator[Outcome]:
    """Migrate files, in several processes if there are many of them."""
    work, workers = functools.partial(migrate, options=options), os.cpu_count() or 1
    with contextlib.ExitStack() as stack:
        if len(jobs) < MANY or workers == 1:
            done = map(work, jobs)
        else:
            context = multiprocessing.get_context("spawn")
            pool = concurrent.futures.ProcessPoolExecutor(workers, context)
            done = stack.enter_context(pool).map(work, jobs, chunksize=8)
        progress(0, len(jobs))
        for count, outcome in enumerate(done, start=1):
            progress(count, len(jobs))
            yield outcome
