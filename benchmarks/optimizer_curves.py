"""Learning curves of every optimizer and wrapper, tuned alike, for docs/which_optimizer.md.

    python benchmarks/optimizer_curves.py                     # goes on where it was stopped
    python benchmarks/optimizer_curves.py --optimizers Adam,Yogi --problems table_mlp
    python benchmarks/optimizer_curves.py --render            # tables and figure of what is there

Every method trains each problem for the same number of epochs at six constant learning rates,
evenly spaced on a log scale over its default search range; other settings are its defaults. The
rate with the lowest validation loss is trained with two more seeds, which change weights, order and
noise. A wrapper is around Adam, with Adam's rates. Only scores of the test part are reported, which
was not used to choose the rate. Runs are saved one by one in `results/optimizer_curves.json`.
"""

import argparse
import functools
import inspect
import json
import os
import statistics
import sys
import textwrap
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "benchmarks/results/optimizer_curves.json"
PAGE = ROOT / "docs/which_optimizer.md"
PLOTS = ROOT / "docs/images"  # optimizer_curves_PROBLEM.svg
# Of methods in the figures, the same in each; they can be read on light and dark pages.
COLORS = (
    "#3b82c4",
    "#d9702b",
    "#5a9e4b",
    "#b8479b",
    "#8a6fd1",
    "#b59a1e",
    "#2aa5a0",
    "#d0504f",
    "#8c6d4f",
)
MARKS = "<!-- results: begin -->", "<!-- results: end -->"

SEEDS, RATES = (0, 1, 2), 6
MOMENTUM = "SGD with momentum"
ANY = (1e-4, 0.1)  # rates where a card has no range
EPOCHS = {"digits_cnn": 8, "rows_gru": 10, "table_mlp": 20}
ABOUT = {
    "digits_cnn": "a CNN on 8×8 images of digits, cross-entropy and accuracy",
    "rows_gru": "a GRU that reads the same images row by row, cross-entropy and accuracy",
    "table_mlp": "two dense layers on a table of ten measurements (diabetes), mean squared error "
    "in units of the target's variance",
}


# --- problems ----------------------------------------------------------------------------


def digits():
    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    return (x.reshape(-1, 8, 8) / 16).astype("float32"), y


def diabetes():
    from sklearn.datasets import load_diabetes

    x, y = load_diabetes(return_X_y=True)
    x, y = x / x.std(axis=0), (y - y.mean()) / y.std()
    return x.astype("float32"), y.astype("float32")


def parts(problem):
    """Return the training, validation and test parts: 60, 20 and 20 %."""
    from sklearn.model_selection import train_test_split

    x, y = diabetes() if problem == "table_mlp" else digits()
    classes = None if problem == "table_mlp" else y
    x, x_test, y, y_test = train_test_split(x, y, test_size=0.2, stratify=classes, random_state=0)
    classes = None if problem == "table_mlp" else y
    x, x_val, y, y_val = train_test_split(x, y, test_size=0.25, stratify=classes, random_state=0)
    return (x, y), (x_val, y_val), (x_test, y_test)


def build(problem):
    import keras
    from keras import layers

    if problem == "table_mlp":
        hidden = [layers.Dense(64, "relu"), layers.Dense(64, "relu"), layers.Dense(1)]
        return keras.Sequential([keras.Input((10,)), *hidden])
    if problem == "rows_gru":
        return keras.Sequential([keras.Input((8, 8)), layers.GRU(32), layers.Dense(10)])
    return keras.Sequential(
        [
            keras.Input((8, 8)),
            layers.Reshape((8, 8, 1)),
            layers.Conv2D(16, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, padding="same", activation="relu"),
            layers.Flatten(),
            layers.Dropout(0.2),
            layers.Dense(10),
        ]
    )


# --- methods -----------------------------------------------------------------------------


def methods():
    """Return every optimizer of the catalog by name: ours, our wrappers, Keras's own."""
    from kcatalog import registry

    found = {e.name: e for e in registry.find(kind="optimizers", origin="kcatalog")}
    theirs = {e.name: e for e in registry.find(kind="optimizers", origin="keras")}
    return {
        **theirs,
        MOMENTUM: theirs["SGD"],
        **{n: e for n, e in found.items() if n not in theirs},
    }


def is_wrapper(entry):
    return "wrapper" in entry.card.tags


def rates(entry):
    """Return the learning rates to try; (None,) for a method without one."""
    if is_wrapper(entry):
        entry = methods()["Adam"]
    space = entry.card.space.get("learning_rate")
    if space is None and "learning_rate" not in {a.name for a in entry.arguments}:
        return (None,)
    low, high = (space.low, space.high) if space else ANY
    return tuple(float(f"{low * (high / low) ** (i / (RATES - 1)):.3g}") for i in range(RATES))


def make(name, entry, rate, steps):
    """Return an optimizer of the defaults at a rate; what has no default is as in the example."""
    import keras

    from kcatalog.card import build_args

    cls = entry.load()
    parameters = inspect.signature(cls.__init__).parameters
    needed = {n for n, p in parameters.items() if p.default is p.empty}
    args = {n: v for n, v in build_args(entry.card.example.args).items() if n in needed}
    if name == MOMENTUM:
        args["momentum"] = 0.9
    if name == "StochasticWeightAveraging":  # the mean of the second half
        args["start_step"] = steps // 2
    if is_wrapper(entry):
        return cls(**{**args, "inner": keras.optimizers.Adam(rate)})
    return cls(**{**args, **({} if rate is None else {"learning_rate": rate})})


# --- runs --------------------------------------------------------------------------------


class Trainer:
    """A model of a problem and an optimizer, compiled once for the runs of all rates and seeds."""

    def __init__(self, problem, name, entry):
        import keras

        from kcatalog import training

        self.problem, (self.train, self.validation, self.test) = problem, parts(problem)
        self.model = build(problem)
        steps = EPOCHS[problem] * -(-len(self.train[0]) // 32)
        optimizer = make(name, entry, rates(entry)[0], steps)
        of_classes = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        loss, metrics = ("mse", []) if problem == "table_mlp" else (of_classes, ["accuracy"])
        jit_compile = False if keras.backend.backend() == "tensorflow" else "auto"
        self.model.compile(optimizer, loss, metrics=metrics, jit_compile=jit_compile)
        training.attach(self.model)
        optimizer.build(self.model.trainable_variables)
        self.state = [keras.ops.convert_to_numpy(v.value).copy() for v in optimizer.variables]

    def run(self, rate, seed):
        """Train from new weights; return the record of it."""
        import keras
        import numpy as np

        keras.utils.set_random_seed(seed)
        model, optimizer, begin = self.model, self.model.optimizer, time.process_time()
        for layer, new in zip(model.layers, build(self.problem).layers, strict=True):
            for v, of_new in zip(layer.variables, new.variables, strict=True):
                v.assign(of_new.value)
        for v, value in zip(optimizer.variables, self.state, strict=True):
            v.assign(value)
        if rate is not None:
            optimizer.learning_rate = rate
        fitted = model.fit(
            *self.train,
            batch_size=32,
            epochs=EPOCHS[self.problem],
            verbose=0,
            validation_data=self.validation,
            validation_batch_size=512,
        )
        scores = model.evaluate(*self.test, batch_size=512, verbose=0, return_dict=True)
        last = model.evaluate(*self.validation, batch_size=512, verbose=0)  # averaged weights, too
        curve = [round(float(v), 5) for v in fitted.history["val_loss"]]
        return {
            "validation": [v if np.isfinite(v) else None for v in curve],
            "last": finite(last if isinstance(last, float) else last[0]),
            "test": finite(scores["loss"]),
            "accuracy": finite(scores["accuracy"]) if "accuracy" in scores else None,
            "seconds": round(time.process_time() - begin, 1),
        }


def finite(value):
    """Return a number that JSON has, None for NaN and infinity."""
    value = float(value)
    return round(value, 5) if abs(value) < 1e9 else None


def key(problem, name, rate, seed):
    return f"{problem} | {name} | {rate} | {seed}"


def best_rate(runs, problem, name, entry):
    """Return the rate with the lowest validation loss at the end, "none" if all failed."""
    found = {r: runs.get(key(problem, name, r, SEEDS[0]), {}).get("last") for r in rates(entry)}
    found = {r: loss for r, loss in found.items() if loss is not None}
    return min(found, key=found.get) if found else "none"


def run(problems, names, path):
    """Train whatever is not in the record yet, and save it run by run."""
    runs, known = load(path), methods()
    for problem in problems:
        for name in names or known:
            entry = known[name]
            trainer = functools.cache(lambda p=problem, n=name, e=entry: Trainer(p, n, e))
            for rate in rates(entry):
                attempt(runs, key(problem, name, rate, SEEDS[0]), trainer, rate, SEEDS[0], path)
            rate = best_rate(runs, problem, name, entry)
            for seed in SEEDS[1:] if rate != "none" else ():
                attempt(runs, key(problem, name, rate, seed), trainer, rate, seed, path)
    return runs


def attempt(runs, this, trainer, rate, seed, path):
    if this in runs:
        return
    try:
        runs[this] = trainer().run(rate, seed)
    except Exception as e:  # a method that cannot train is a row, too
        runs[this] = {"failed": f"{type(e).__name__}: {e}"[:200]}
    print(this, runs[this].get("test", runs[this].get("failed")), file=sys.stderr, flush=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(runs, sort_keys=True).replace('}, "', '},\n"')
    path.with_suffix(".new").write_text(text + "\n", encoding="utf-8")
    os.replace(path.with_suffix(".new"), path)


def load(path):
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}


# --- reporting ---------------------------------------------------------------------------


def summary(runs, problem):
    """Return a row for each method that finished, the lowest test loss first."""
    rows, failed = [], []
    for name, entry in methods().items():
        tried = [runs.get(key(problem, name, r, SEEDS[0])) for r in rates(entry)]
        rate = best_rate(runs, problem, name, entry)
        done = [runs.get(key(problem, name, rate, seed), {}) for seed in SEEDS]
        if rate == "none" or any(d.get("test") is None for d in done):
            messages = [t["failed"] for t in tried if t and "failed" in t]
            failed += [(name, messages[0])] if messages else []
            continue
        lowest = min(t["last"] for t in tried if t and t.get("last") is not None)
        tests, scores = [d["test"] for d in done], [d["accuracy"] for d in done]
        curves = [d["validation"] for d in done]
        rows.append(
            {
                "name": name,
                "wrapper": is_wrapper(entry),
                "rate": rate,
                "edge": rate in (rates(entry)[0], rates(entry)[-1]),
                "test": statistics.mean(tests),
                "deviation": statistics.stdev(tests),
                "accuracy": None if None in scores else statistics.mean(scores),
                "near": sum(
                    (t or {}).get("last") is not None and t["last"] <= 1.2 * lowest for t in tried
                ),
                "tried": len(tried),
                "curve": [statistics.mean(v) for v in zip(*curves, strict=True) if None not in v],
            }
        )
    return sorted(rows, key=lambda row: row["test"]), failed


def report(runs):
    """Return the text of the page's results."""
    found = {problem: summary(runs, problem) for problem in ABOUT}
    found = {problem: rest for problem, rest in found.items() if rest[0]}
    lines = [overview([rows for rows, _ in found.values()]), ""]
    for problem, (rows, failed) in found.items():
        lines += [f"### `{problem}`: {ABOUT[problem]}", "", conclusion(rows), ""]
        plot = f"images/{file(problem)}"
        lines += [
            f"![Validation loss by epoch: Adam, SGD, the three best, others grey]({plot})",
            "",
        ]
        lines += [f"| {' | '.join(COLUMNS)} |", "|---" * len(COLUMNS) + "|"]
        adam = next((row["curve"][-1] for row in rows if row["name"] == "Adam"), None)
        lines += [line(row, adam) for row in rows]
        lines += [f"\n`{name}` did not train: {why}" for name, why in failed]
        lines.append("")
    return "\n".join(lines).rstrip("\n")


COLUMNS = (
    "method",
    "rate",
    "test loss",
    "accuracy",
    "epochs to reach Adam's final loss",
    "good rates",
)


def overview(tables):
    """Return how often a method and Adam are apart, and how many best rates end their range."""
    rows = [row for table in tables for row in table]
    adams = [row for row in rows if row["name"] == "Adam"]
    pairs = [(r, a) for table in tables for a in table if a in adams for r in table if r is not a]
    above, below = sum(better(r, a) for r, a in pairs), sum(better(a, r) for r, a in pairs)
    edges, adam_edges = sum(row["edge"] for row in rows), sum(row["edge"] for row in adams)
    return wrap(
        f"In {above} of {len(pairs)} comparisons with Adam, the other method is better by more "
        f"than two standard errors, and in {below} it is worse; chance alone makes some of these. "
        f"In {edges} of all {len(rows)} rows the best rate is the lowest or the highest of the "
        "six, marked (edge): a rate beyond it was not tried and may give a lower loss. This holds "
        f"for Adam in {adam_edges} of {len(tables)} problems."
    )


def better(row, other):
    """Return whether a test loss is lower by more than two standard errors of the difference."""
    error = ((row["deviation"] ** 2 + other["deviation"] ** 2) / len(SEEDS)) ** 0.5
    return other["test"] - row["test"] > 2 * error


def conclusion(rows):
    """Return the best method, the place of Adam, and what is clearly worse than Adam."""
    first, others = rows[0], rows[1:]
    level = sum(not better(first, row) for row in others)
    words = [
        f"The lowest test loss is {first['test']:.4f}, of `{first['name']}`; {level} of the other "
        f"{len(others)} methods are within two standard errors of it."
    ]
    adam = next((row for row in rows if row["name"] == "Adam"), None)
    if adam:
        above = names([row for row in rows if better(row, adam)], "no method is")
        place = rows.index(adam) + 1
        words.append(
            f"`Adam` is at place {place} of {len(rows)} with {adam['test']:.4f}, and {above} "
            "better by more than two standard errors."
        )
        below = names([row for row in rows if better(adam, row)], "no method is")
        words.append(
            f"{below[0].upper()}{below[1:]} worse than Adam by more than two standard errors."
        )
    return wrap(" ".join(words))


def names(rows, none):
    """Return the names of methods as the subject of a sentence."""
    found = [f"`{row['name']}`" for row in rows]
    if len(found) < 2:
        return f"only {found[0]} is" if found else none
    return f"{len(found)} methods ({', '.join(found)}) are"


def wrap(text):
    """Return text in lines of Markdown."""
    return textwrap.fill(text, 128, break_long_words=False, break_on_hyphens=False)


def line(row, adam):
    """Return a row of the table; Adam's validation loss at the end is the mark to reach."""
    reached = [i for i, v in enumerate(row["curve"], 1) if adam is not None and v <= adam]
    cells = [
        f"`{row['name']}`" + " around Adam" * row["wrapper"],
        "-" if row["rate"] is None else f"{row['rate']:g}" + " (edge)" * row["edge"],
        f"{row['test']:.4f} ± {row['deviation']:.4f}",
        "-" if row["accuracy"] is None else f"{row['accuracy']:.3f}",
        f"{reached[0]}" if reached else "never",
        f"{row['near']} of {row['tried']}",
    ]
    return f"| {' | '.join(cells)} |"


def file(problem):
    return f"optimizer_curves_{problem}.svg"


def draw(runs):
    """Draw the validation loss by epoch, with Adam, SGD and the three best in colour."""
    sys.path.insert(0, str(ROOT))
    from docs.site.plots.figure import PALE, figure

    shown = {p: summary(runs, p)[0] for p in ABOUT}
    chosen = {
        p: {"Adam": 0, "SGD": 0, **{r["name"]: 0 for r in rows[:3]}} for p, rows in shown.items()
    }
    methods = dict.fromkeys(name for names in chosen.values() for name in names)
    color = dict(zip(methods, COLORS, strict=False))
    for problem in filter(shown.get, shown):
        about = f"Validation loss by epoch on {problem}; each grey line is another method."
        with figure(caption=about) as ((axes,), out):
            for row in sorted(shown[problem], key=lambda row: row["name"] in chosen[problem]):
                name, epochs = row["name"], range(1, len(row["curve"]) + 1)
                if name in chosen[problem]:
                    axes.plot(epochs, row["curve"], color=color[name], lw=1.8, label=name)
                else:
                    axes.plot(epochs, row["curve"], color=PALE, lw=0.6, alpha=0.4)
            axes.set(xlabel="epoch", ylabel="validation loss", yscale="log")
            axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
        (PLOTS / file(problem)).write_bytes(out.getvalue())


def render(runs):
    """Put the results into the page."""
    begin, end = MARKS
    page = PAGE.read_text(encoding="utf-8")
    before, rest = page.split(begin)
    after = rest.split(end)[1]
    PAGE.write_text(f"{before}{begin}\n{report(runs)}\n{end}{after}", encoding="utf-8")
    draw(runs)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--optimizers", help="names, with commas (all)")
    parser.add_argument("--problems", default=",".join(ABOUT))
    parser.add_argument("--out", type=Path, default=RESULT, help="where runs are kept")
    parser.add_argument("--render", action="store_true", help="write the page, train nothing")
    args = parser.parse_args()
    if not args.render:
        names = args.optimizers.split(",") if args.optimizers else None
        run(args.problems.split(","), names, args.out)
    problems = args.problems.split(",")
    render({k: v for k, v in load(args.out).items() if k.split(" | ")[0] in problems})


if __name__ == "__main__":
    main()
