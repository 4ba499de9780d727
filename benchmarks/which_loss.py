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
import inspect
import json
import os
import re
import statistics
import sys
import textwrap
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
RESULT = ROOT / "benchmarks/results/which_loss.json"
PAGE = ROOT / "docs/which_loss.md"
MARKS = "<!-- {}: begin -->", "<!-- {}: end -->"
SEEDS, RATE = (0, 1, 2), 0.003
# How much better than the plain loss another has to be: 0.01, or what its problem has here.
TOLERANCE, TOLERANCES = 0.01, {"ordered": 0.05}


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


# For each problem's recommended loss: the targets, the last layer, what this returns, and a remark.
CLASSES = "integer classes, shape (batch,)"
NUMBER = "numbers, shape (batch,)", "keras.layers.Dense(1)", "the number"
USES = {
    "classes": (CLASSES, "keras.layers.Dense(10)", "one logit for each class"),
    "rare": (CLASSES, "keras.layers.Dense(10)", "one logit for each class"),
    "wrong": (CLASSES, "keras.layers.Dense(10)", "one logit for each class"),
    "ordered": (
        "grades 0, 1, 2, ..., shape (batch,)",
        "keras.layers.Dense(1)",
        "the grade as a number; round it to predict",
    ),
    "two": ("0 or 1, shape (batch, 1)", "keras.layers.Dense(1)", "the logit of class 1"),
    "labels": (
        "0 or 1 for each label, shape (batch, 20)",
        "keras.layers.Dense(20)",
        "one logit for each label",
    ),
    "unseen": (
        CLASSES,
        "keras.layers.Dense(7)",
        "one logit for each training class; search with the inputs of this layer",
    ),
    "pairs": (
        "not used; any numbers, shape (batch,)",
        "keras.layers.Dense(32)",
        "embeddings of both sides, stacked to shape (batch, 2, 32)",
    ),
    "views": (
        "not used; any numbers, shape (batch,)",
        "keras.layers.Dense(32)",
        "projections of both views, stacked to shape (batch, 2, 32)",
    ),
    "masks": (
        "0 or 1 for each pixel, shape (batch, height, width, 1)",
        'keras.layers.Conv2D(1, 3, padding="same")',
        "one logit for each pixel",
    ),
    "boxes": (
        "center x, center y, width, height as shares of the image, shape (batch, 4)",
        'keras.layers.Dense(4, "sigmoid")',
        "the same four numbers",
    ),
    "tags": (
        "integer tags, shape (batch, steps)",
        "kcatalog.layers.CRF(10)",
        "the scores of ten tags at each step",
    ),
    "lists": (
        "grades, shape (batch, 10)",
        "keras.Sequential([keras.layers.Dense(1), keras.layers.Reshape((10,))])",
        "one score for each of ten entries",
    ),
    "number": NUMBER,
    "outliers": NUMBER,
    "quantile": ("numbers, shape (batch,)", "keras.layers.Dense(1)", "the quantile"),
}
NOTES = {
    "classes": "`kcatalog.losses.PolyCrossentropy(epsilon=0.0, label_smoothing=0.1)` is "
    "cross-entropy with label smoothing, of integer classes. It equals "
    "`keras.losses.CategoricalCrossentropy(label_smoothing=0.1)` of one-hot targets.",
    "unseen": "Cross-entropy needs an output for each training class. Triplet losses and the other "
    "losses of pairs do not, so they also apply where there are too many classes for a last layer, "
    "or where it is only known which samples belong together. With the seven training classes of "
    "this problem they do not find new classes better, and nothing here measures many classes.",
    "views": "These images have 64 pixels, and all digits stand upright in the middle at one size. "
    "Neighbours by pixels therefore already are of the same class, which leaves training little to "
    "gain. This problem compares the losses with each other; it cannot show what training without "
    "labels gains on photographs.",
}


def summary(runs, name):
    """Return a row for each loss, the best first; none if a run is missing."""
    problem, rows = problems()[name], []
    for loss, contestant in problem.losses.items():
        done = [runs.get(key(name, loss, seed)) for seed in SEEDS]
        if None in done:
            return []
        tests = [d["test"] for d in done]
        rows.append(
            {
                "loss": shown(loss, contestant),
                "contestant": contestant,
                "trained": contestant.loss is not None,
                "plain": loss == next(iter(problem.losses)),
                "mean": statistics.mean(tests),
                "deviation": statistics.stdev(tests),
                "failed": failed(tests, problem.higher),
                "seconds": statistics.mean(d["seconds"] for d in done),
            }
        )
    rows.sort(key=lambda row: row["mean"], reverse=problem.higher)
    best = next(row for row in rows if row["trained"])
    for row in rows:
        row["level"] = level(best, row, TOLERANCES.get(name, TOLERANCE))
    return rows


def level(best, other, tolerance):
    """Return whether a loss is about as good as the best one.

    The difference of the means is within the tolerance or two standard errors of the best mean.
    The spread of the other loss does not count: it would reward a loss whose runs differ much.

    >>> best = {"mean": 0.8, "deviation": 0.02}
    >>> [level(best, {"mean": mean, "deviation": 0.3}, 0.01) for mean in (0.78, 0.77)]
    [True, False]
    """
    error = best["deviation"] / len(SEEDS) ** 0.5
    return abs(best["mean"] - other["mean"]) <= max(tolerance, 2 * error)


def failed(tests, higher):
    """Return the worst score if it is far worse than the median, else None.

    >>> failed([0.57, 0.54, 0.21], higher=True), failed([1.0, 1.2, 1.3], higher=False)
    (0.21, None)
    """
    worst, middle = (min if higher else max)(tests), statistics.median(tests)
    low, high = sorted((worst, middle))
    return worst if 2 * low < high and high - low > 0.1 else None


def arguments(part):
    """Return the arguments of a loss that are not its defaults."""
    config, found = part.get_config(), {}
    for name, parameter in inspect.signature(type(part).__init__).parameters.items():
        if name in config and name not in ("name", "reduction", "dtype"):
            found |= {name: config[name]} if config[name] != parameter.default else {}
    return found


def call(loss, **arguments):
    """Return the expression that makes a loss."""
    library = type(loss).__module__.split(".")[0]
    given = ", ".join(f"{name}={value}" for name, value in arguments.items())
    return f"{library}.losses.{type(loss).__name__}({given})"


def literal(value):
    return f'"{value}"' if isinstance(value, str) else repr(value)


def shown(name, contestant):
    """Return a loss as readers make it, without the form of its inputs; a remark as it is."""
    loss = contestant.loss and contestant.loss()
    if not hasattr(loss, "get_config"):
        return "the pixels, without training" if loss is None else FUNCTIONS[name]
    given = {
        argument: literal(value)
        for argument, value in arguments(loss).items()
        if argument != "from_logits" and not isinstance(value, list)
    }
    text = f"`{call(loss, **given)}`".replace("()`", "`")
    remark = " of the grade" if name.endswith(" of the grade") else ""
    return text + remark + " with `class_weight` in `fit`" * bool(contestant.class_weight)


FUNCTIONS = {"MeanSquaredError": "the mean squared difference of both outputs"}


def code(name, row):
    """Return the targets, the last layer and the recommended loss of a problem as a program."""
    targets, last, outputs = USES[name]
    loss, lines, given = row["contestant"].loss(), [], {}
    for argument, value in arguments(loss).items():
        if isinstance(value, list):
            lines.append(f"{argument} = {value}  # of each class in the training data")
        given[argument] = argument if isinstance(value, list) else literal(value)
    lines += [f"# Targets: {targets}.", f"# Outputs: {outputs}."]
    lines += [f"last = {last}", f"loss = {call(loss, **given)}"]
    return "\n".join(["```python", *lines, "```"])


def recommended(rows):
    """Return the row of the plain loss if it is level with the best, else that of the best."""
    trained = [row for row in rows if row["trained"]]
    plain = next(row for row in trained if row["plain"])
    return plain if plain["level"] else trained[0]


def conclusion(rows, measure):
    """Return what to take, with its score, and how the others compare."""
    taken, trained = recommended(rows), [row for row in rows if row["trained"]]
    best, plain = trained[0], next(row for row in trained if row["plain"])
    words = f"**{taken['loss']}**, {taken['mean']:.3f} ({measure})"
    if taken is best and not taken["plain"]:
        words += f"; {plain['loss']} has {plain['mean']:.3f}."
        if plain["failed"]:
            words += f" One run of the latter nearly failed, with {plain['failed']:.3f}."
        others = [row["loss"] for row in trained[1:] if row["level"]]
        words += f" About as good: {'; '.join(others)}." * bool(others)
    elif taken is best:
        words += ". No other is better."
    else:
        words += (
            f". The best mean is {best['mean']:.3f}, of {best['loss']}, which is no clear gain."
        )
    for row in rows:
        if not row["trained"] and rows.index(row) < rows.index(taken):
            words += f" Training did not help on this problem: the pixels have {row['mean']:.3f}."
        elif not row["trained"]:
            words += f" Without training, the pixels have {row['mean']:.3f}."
    return words


def tree(runs):
    """Return the questions, and what each answer leads to."""
    lines = []
    for question, names in TREE.items():
        lines.append(f"- **{question}.**")
        for name in names:
            problem, rows = problems()[name], summary(runs, name)
            if rows:
                anchor = re.sub(r"[^\w\s-]", "", problem.when.lower()).replace(" ", "-")
                words = conclusion(rows, measure(problem))
                lines.append(wrap(f"  - [{problem.when}](#{anchor}): {words}", "    "))
    return "\n".join(lines)


def tables(runs):
    """Return a section for each problem."""
    lines = []
    for names in TREE.values():
        for name in names:
            problem, rows = problems()[name], summary(runs, name)
            if rows:
                lines += [f"### {problem.when}\n", wrap(f"Data: {problem.about}."), ""]
                lines += [code(name, recommended(rows)), ""]
                lines += [f"| loss | {measure(problem)} | seconds |", "|---|---|---|"]
                lines += [line(row) for row in rows]
                lines += ["", wrap(NOTES[name])] if name in NOTES else []
                lines.append("")
    return "\n".join(lines).rstrip("\n")


def wrap(text, indent=""):
    """Return text in lines of Markdown."""
    return textwrap.fill(
        text, 128, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )


def measure(problem):
    return f"{problem.measure} {'↑' if problem.higher else '↓'}"


def line(row):
    score = f"{row['mean']:.3f} ± {row['deviation']:.3f}"
    score = f"**{score}**" if row["level"] and row["trained"] else score
    cells = [
        row["loss"] + " (plain)" * row["plain"],
        f"{score} (one run nearly failed: {row['failed']:.3f})" if row["failed"] else score,
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
