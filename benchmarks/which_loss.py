"""Losses side by side on small problems, for docs/which_loss.md.

    python benchmarks/which_loss.py                     # goes on where it was stopped
    python benchmarks/which_loss.py --problems rare,wrong
    python benchmarks/which_loss.py --render            # the page, from what is there

Each loss trains its problem with Adam at one learning rate and with three seeds, which change the
split, the noise, the weights and the order. Settings of a loss are its defaults, unless
`loss_problems.py` says so. Runs are saved one by one in `results/which_loss.json`.
"""

import argparse
import functools
import json
import os
import re
import statistics
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
RESULT = ROOT / "benchmarks/results/which_loss.json"
PAGE = ROOT / "docs/which_loss.md"
MARKS = "<!-- {}: begin -->", "<!-- {}: end -->"
SEEDS, RATE = (0, 1, 2), 0.003
T = 4.303  # 97.5 % quantile of Student's t with two degrees of freedom


@functools.cache
def problems():
    from benchmarks.loss_problems import PROBLEMS

    return PROBLEMS


# --- runs --------------------------------------------------------------------------------


class Trainer:
    """A model and a loss, compiled once for the runs of all seeds."""

    def __init__(self, problem, contestant):
        import keras

        self.problem, self.contestant = problem, contestant
        if contestant.loss is None:
            return
        self.model = self.new()
        self.model.compile(
            keras.optimizers.Adam(), contestant.loss(), jit_compile=False, steps_per_execution=8
        )
        self.model.optimizer.build(self.model.trainable_variables)

    def new(self):
        return self.problem.network(self.contestant.head or self.problem.head)

    def run(self, seed):
        """Train from new weights; return the record of it."""
        begin, (train, test) = time.process_time(), self.problem.data(seed)
        if self.contestant.loss:
            self.fit(train, seed)
        outputs, known = self.contestant.decode(self.outputs(test[0])), self.outputs(train[0])
        score = float(self.problem.score(test[1], outputs, train[1], known))
        return {"test": round(score, 5), "seconds": round(time.process_time() - begin, 1)}

    def fit(self, train, seed):
        import keras

        keras.utils.set_random_seed(seed)
        model, optimizer = self.model, self.model.optimizer
        for v, new in zip(model.variables, self.new().variables, strict=True):
            v.assign(new.value)
        for v in optimizer.variables:
            v.assign(keras.ops.zeros_like(v.value))
        optimizer.learning_rate = RATE
        data = {"x": train[0], "y": train[1], "batch_size": 64}
        if self.problem.classes_per_batch:
            from kcatalog.samplers import MPerClass

            classes = self.problem.classes_per_batch
            data = {"x": MPerClass(*train, classes_per_batch=classes, samples_per_class=8)}
        elif self.contestant.class_weight:
            data["class_weight"] = self.contestant.class_weight
        model.fit(**data, epochs=self.problem.epochs, verbose=0)

    def outputs(self, x):
        """Return the model's outputs, or where these are scored, its features."""
        import keras

        if self.contestant.loss is None:
            return x
        model = self.model
        if self.problem.features:
            model = keras.Sequential([keras.Input(x.shape[1:]), *model.layers[:-1]])
        return keras.ops.convert_to_numpy(model(x, training=False))


def run(names, path):
    """Train whatever is not in the record yet, and save it run by run."""
    runs = load(path)
    for name in names:
        for loss, contestant in problems()[name].losses.items():
            trainer = functools.cache(functools.partial(Trainer, problems()[name], contestant))
            for seed in SEEDS:
                attempt(runs, key(name, loss, seed), trainer, seed, path)
    return runs


def attempt(runs, this, trainer, seed, path):
    if this in runs:
        return
    runs[this] = trainer().run(seed)
    print(this, runs[this], file=sys.stderr, flush=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(runs, sort_keys=True).replace('}, "', '},\n"')
    path.with_suffix(".new").write_text(text + "\n", encoding="utf-8")
    os.replace(path.with_suffix(".new"), path)


def load(path):
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


def key(problem, loss, seed):
    return f"{problem} | {loss} | {seed}"


# --- reporting ---------------------------------------------------------------------------

# The questions of the tree, and the problems that each leads to.
TREE = {
    "The model gives a class": ("classes", "rare", "wrong", "ordered", "two", "labels"),
    "The model gives a vector, to compare or to search": ("unseen", "pairs", "views"),
    "The model finds something in an image": ("masks", "boxes"),
    "The model gives a sequence or an order": ("tags", "lists"),
    "The model gives a number": ("number", "outliers", "quantile"),
}


def summary(runs, name):
    """Return a row for each loss, the best first; none if a run is missing."""
    problem, rows = problems()[name], []
    for loss in problem.losses:
        done = [runs.get(key(name, loss, seed)) for seed in SEEDS]
        if None in done:
            return []
        tests = [d["test"] for d in done]
        rows.append(
            {
                "loss": loss,
                "trained": problem.losses[loss].loss is not None,
                "plain": loss == next(iter(problem.losses)),
                "tests": tests,
                "mean": statistics.mean(tests),
                "deviation": statistics.stdev(tests),
                "seconds": statistics.mean(d["seconds"] for d in done),
            }
        )
    rows.sort(key=lambda row: row["mean"], reverse=problem.higher)
    best = next(row for row in rows if row["trained"])
    for row in rows:
        row["level"] = level(best["tests"], row["tests"])
    return rows


def level(first, other):
    """Return whether chance may explain the seeds' differences: 0 is in their 95 % interval.

    >>> level([0.9, 0.8, 0.7], [0.9, 0.9, 0.6]), level([0.9, 0.8, 0.7], [0.8, 0.7, 0.61])
    (True, False)
    """
    apart = [a - b for a, b in zip(first, other, strict=True)]
    return abs(statistics.mean(apart)) <= T * statistics.stdev(apart) / len(apart) ** 0.5


def shown(loss):
    """Return a loss as readers import it, or a remark as it is."""
    from kcatalog import losses

    call, _, remark = loss.partition(" ")
    if not call[0].isupper():
        return loss
    module = "losses" if call.split("(")[0] in losses.__all__ else "keras.losses"
    return f"`{module}.{call}` {remark}".rstrip()


def conclusion(rows, measure):
    """Return what to take: the plain loss, unless another is better by more than chance."""
    trained = [row for row in rows if row["trained"]]
    best, plain = trained[0], next(row for row in trained if row["plain"])
    level = [shown(row["loss"]) for row in trained[1:] if row["level"]]
    if plain is best:
        words = f"**{shown(best['loss'])}**, {measure} {best['mean']:.3f}. No other is better."
    elif plain["level"]:
        words = (
            f"**{shown(plain['loss'])}**, {measure} {plain['mean']:.3f}. The best mean is that of "
            f"{shown(best['loss'])}, {best['mean']:.3f}; three seeds cannot tell them apart."
        )
    else:
        words = (
            f"**{shown(best['loss'])}**, {measure} {best['mean']:.3f} where "
            f"{shown(plain['loss'])} has {plain['mean']:.3f}."
        )
        words += f" Not clearly behind it: {', '.join(level)}." * bool(level)
    untrained = [f" With {r['loss']}, it is {r['mean']:.3f}." for r in rows if not r["trained"]]
    return words + "".join(untrained)


def tree(runs):
    """Return the questions, and what each answer leads to."""
    lines = []
    for question, names in TREE.items():
        lines.append(f"- **{question}.**")
        for name in names:
            problem, rows = problems()[name], summary(runs, name)
            if rows:
                anchor = re.sub(r"[^\w\s-]", "", problem.when.lower()).replace(" ", "-")
                words = conclusion(rows, problem.measure)
                lines.append(f"  - [{problem.when}](#{anchor}): {words}")
    return "\n".join(lines)


def tables(runs):
    """Return a section for each problem."""
    lines = []
    for names in TREE.values():
        for name in names:
            problem, rows = problems()[name], summary(runs, name)
            if rows:
                lines += [f"### {problem.when}\n", f"Data: {problem.about}.\n"]
                lines += [f"| loss | {problem.measure} | seconds |", "|---|---|---|"]
                lines += [line(row) for row in rows]
                lines.append("")
    return "\n".join(lines).rstrip("\n")


def line(row):
    score = f"{row['mean']:.3f} ± {row['deviation']:.3f}"
    cells = [
        shown(row["loss"]) + " (plain)" * row["plain"],
        f"**{score}**" if row["level"] else score,
        f"{row['seconds']:.1f}" if row["trained"] else "-",
    ]
    return f"| {' | '.join(cells)} |"


def render(runs):
    """Put the results into the page."""
    page = PAGE.read_text(encoding="utf-8")
    for name, text in (("tree", tree(runs)), ("tables", tables(runs))):
        begin, end = (mark.format(name) for mark in MARKS)
        before, rest = page.split(begin)
        page = f"{before}{begin}\n{text}\n{end}{rest.split(end)[1]}"
    PAGE.write_text(page, encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--problems", help="names, with commas (all)")
    parser.add_argument("--out", type=Path, default=RESULT, help="where runs are kept")
    parser.add_argument("--render", action="store_true", help="write the page, train nothing")
    args = parser.parse_args()
    if not args.render:
        run(args.problems.split(",") if args.problems else problems(), args.out)
    render(load(args.out))


if __name__ == "__main__":
    main()
