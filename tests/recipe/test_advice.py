"""Every sentence that tells a user what to do is followed here, and it works.

The steps that take time are replaced by ones that leave the same files. All else is the command
line as a user has it.
"""

import dataclasses
import functools
import re
import shlex
import shutil
import socket
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

import kcatalog
from kcatalog.recipe import Recipe, serve, tasks
from kcatalog.recipe.commands import steps
from kcatalog.recipe.commands.steps import Steps
from kcatalog.recipe.data import Images, Masks, Series
from kcatalog.recipe.feed import batches
from kcatalog.recipe.files import keras_file
from kcatalog.recipe.tasks.forecast import QUANTILES
from kcatalog.recipe.terminal.errors import RecipeError
from kcatalog.recipe.training import checkpoint
from tests.recipe import test_declared, test_recorded, tiny
from tests.test_messages import MESSAGES, relative

TUNE = Steps._tune


def tune(self, run, data, used):
    run.tuning.mkdir(exist_ok=True)
    run.update(hyperparameters={"units": 4})


def train(self, run, data, used):
    run.checkpoints.mkdir(exist_ok=True)
    run.model.touch()


def evaluate(self, run, data, used):
    np.asarray(data.test[0])  # reads the test part
    run.write("metrics.json", {"test": 0.5})


@pytest.fixture
def quick(call, monkeypatch):
    """The command line of a recipe, whose steps only leave their files."""
    for step in (tune, train, evaluate):
        monkeypatch.setattr(Steps, f"_{step.__name__}", step)
    monkeypatch.setattr(steps, "export_run", lambda *arguments: None)
    return call


def refused(done, pattern) -> re.Match:
    """Return the advice in the sentence of a command that was refused."""
    assert done.code == 2, done.err
    assert len(done.err.strip().splitlines()) == 1
    found = re.search(pattern, done.err)
    assert found, done.err
    return found


def works(done):
    assert done.code == 0, done.err
    return done


NEW_RUN = r"To start a new run, leave out --resume and add (--run-dir \S+)\.$"


# --- options ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "advice", "follow"),
    [
        ("--epochs 3 train", "Put options after `train`", "train --epochs 3"),
        ("--trials 3 train", "Leave out --trials: `train` has", "train"),
        ("train --set optimizer.SGD.momentum=0.9", "Add (--set optimizer=SGD)", "{given} {0}"),
        ("train --set optimizer=SDG", "Did you mean '(SGD)'", "train --set optimizer={0}"),
        ("train --data cloud", "Did you mean '(clouds)'", "train --data {0}"),
        ("tune --trial-memory 9", "add (--isolate) or --parallel 2", "{given} {0}"),
        ("tune --trial-memory 9", "add --isolate or (--parallel 2)", "{given} {0}"),
        ("train --devices gpu", "Use (--devices cpu)", "train {0}"),
        ("tune --folds 1000", r"--folds must be at most (\d+)", "tune --folds {0}"),
        ("train --profile 99-100", "Choose .*(--profile 2)", "train {0}"),
        ("train --resume", "Leave out --resume to start one", "train"),
        ("train --resume --run-dir a", "Leave out --resume to start one", "train --run-dir a"),
    ],
)
def test_options_that_are_advised(quick, given, advice, follow):
    found = refused(quick(*given.split()), advice)
    assert not (quick(*given.split()).folder / "runs").exists()
    works(quick(*follow.format(*found.groups(), given=given).split()))


def with_epochs(hp, data):
    """The tiny model, which tunes how long it trains."""
    hp.Int("epochs", 1, 4)
    return tiny.build(hp, data)


@pytest.mark.parametrize(
    ("given", "advice", "follow"),
    [
        ("train --epochs 3", "Use (--set epochs=3)", "train {0}"),
        ("tune --tuner hyperband", "Add (--set epochs=)N", "{given} {0}4"),
        ("tune --tuner hyperband", "or use another tuner", "tune --tuner random"),
        ("train --set epochs=0", "must be at least (1)", "train --set epochs={0}"),
    ],
)
def test_where_epochs_are_tuned(quick, given, advice, follow):
    recipe = dataclasses.replace(tiny.recipe, build=with_epochs)
    found = refused(quick(*given.split(), recipe=recipe), advice)
    works(quick(*follow.format(*found.groups(), given=given).split(), recipe=recipe))


def test_an_option_that_the_data_do_not_use(quick, tmp_path):
    recipe = Recipe("tiny", Series(horizon=2, window=8), forecast, tiny.baseline)
    given = ("tune", "--fill", "linear")
    refused(quick(*given, recipe=recipe), "Leave it out, or name your files with --data")
    works(quick("tune", recipe=recipe))
    (tmp_path / "sold.csv").write_text("\n".join(["date,sold", *SOLD]))
    works(quick(*given, "--data", "sold.csv", recipe=recipe))


# --- runs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["", "--run-dir 'my run'"])
@pytest.mark.parametrize("before", ["nothing", "begun", "tuned", "interrupted"])
def test_a_run_that_is_not_trained_yet(quick, monkeypatch, before, place):
    place = shlex.split(place)
    if before == "begun":
        with monkeypatch.context() as patch:
            patch.setattr(Steps, "_tune", lambda *arguments: None)
            works(quick("tune", *place))
    elif before != "nothing":
        works(quick("tune", *place))
    if before == "interrupted":
        with monkeypatch.context() as patch:
            patch.setattr(Steps, "_train", lambda self, run, *rest: run.checkpoints.mkdir())
            works(quick("train", *place))
    for step in ("evaluate", "export"):
        command = refused(quick(step, *place), "Run `(.*)` first")[1]
    works(quick(*shlex.split(command)))
    for step in ("evaluate", "export"):
        works(quick(step, *place))


@pytest.mark.parametrize("given", ["--seed 4", "--set units=8", "--data clouds"])
def test_an_option_that_a_run_cannot_change(quick, given):
    works(quick("tune"))
    option = given.split()[0]
    found = refused(quick("train", *given.split()), rf"(Leave out {option}) to go on.*{NEW_RUN}")
    new = works(quick("train", *given.split(), *found[2].split()))
    assert "in runs/tiny/2" in new.out
    assert "in runs/tiny/1" in works(quick("train", "--run-dir", "runs/tiny/1")).out


@pytest.mark.parametrize("place", [[], ["--run-dir", "there"]])
def test_a_run_that_is_trained_already(quick, place):
    works(quick("train", *place))
    found = refused(quick("train", "--resume", *place), NEW_RUN)
    works(quick("train", *found[1].split()))


def test_a_directory_that_is_not_empty(quick, tmp_path):
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "note.txt").touch()
    found = refused(quick("tune", "--run-dir", "notes"), "Choose another directory(.*)")
    assert found[1] == "."  # there is no run to resume
    works(quick("train", "--run-dir", "other"))
    works(quick("tune", "--run-dir", "tuned"))
    found = refused(quick("tune", "--run-dir", "tuned"), r"add (--resume) to continue the run")
    works(quick("tune", "--run-dir", "tuned", found[1]))


def test_a_run_of_another_recipe(quick):
    other = dataclasses.replace(tiny.recipe, name="other")
    works(quick("tune", "--run-dir", "run", recipe=other))
    refused(quick("train", "--run-dir", "run"), "Choose another --run-dir")
    works(quick("train", "--run-dir", "another"))


@pytest.mark.parametrize("name", ["record.json", "run.toml"])
def test_a_damaged_file_of_a_run(quick, name):
    done = works(quick("tune"))
    (done.run / name).write_text("{")
    found = refused(quick("train"), NEW_RUN)
    works(quick("train", *found[1].split()))


def test_a_damaged_model(quick):
    done = works(quick("train"))
    with pytest.raises(RecipeError) as damaged:
        keras_file.load(done.run / "model.keras")
    command = re.search("Remove it, then run `(.*)` to write it again", str(damaged.value))[1]
    (done.run / "model.keras").unlink()
    works(quick(*shlex.split(command)))
    assert (done.run / "model.keras").exists()


@pytest.mark.parametrize("place", [[], ["--run-dir", "my run"]])
@pytest.mark.parametrize("step", [["train"], ["tune"], []])
@pytest.mark.parametrize("how", [KeyboardInterrupt, functools.partial(OSError, 28, "")])
def test_a_run_that_stops(quick, monkeypatch, how, step, place):
    def stop(*arguments):
        raise how()

    with monkeypatch.context() as patch:
        patch.setattr(Steps, "_train" if step == ["train"] else "_tune", stop)
        stopped = quick(*step, *place)
    assert stopped.code in (2, 130)
    found = re.search(r"To continue, add: (.*)", stopped.err)
    works(quick(*step, *shlex.split(found[1])))


def test_a_step_without_a_way_to_resume(quick, monkeypatch):
    def fail(*arguments):
        raise OSError(28, "no space", "file")

    works(quick("train"))
    with monkeypatch.context() as patch:
        patch.setattr(Steps, "_evaluate", fail)
        refused(quick("evaluate"), r"Fix this\. Then run again\.")
    works(quick("evaluate"))


# --- data ---------------------------------------------------------------------------------------


def test_data_that_have_changed(quick, monkeypatch):
    works(quick("tune"))
    with monkeypatch.context() as patch:
        patch.setenv("TINY_SHIFT", "1")
        found = refused(quick("train"), f"Put them back to go on.*{NEW_RUN}")
        works(quick("train", *found[1].split()))
    works(quick("train", "--run-dir", "runs/tiny/1"))


def pictures(tmp_path):
    """The arguments that name a folder of two classes."""
    for seed in range(16):
        path = tmp_path / "pictures" / ("cat", "dog")[seed % 2] / f"{seed}.png"
        test_recorded.draw(path, seed)
    return {"recipe": test_recorded.recipe}, tmp_path / "pictures"


@pytest.mark.parametrize("repaired", [True, False])
def test_a_test_file_that_breaks_in_the_night(quick, tmp_path, repaired):
    """Training has ended when the file is found. "Repair or remove it": either works."""
    how, folder = pictures(tmp_path)
    done = works(quick("train", "--data", folder, **how))
    broken = test_recorded.file(folder, test_recorded.rundir.find("tiny", done.run), "test")
    sound = broken.read_bytes()
    broken.write_bytes(sound[:60])
    named = refused(quick("evaluate", **how), r"(\S+\.png) must be an image.* Repair or remove it")
    assert named[1] == str(broken)
    broken.write_bytes(sound) if repaired else broken.unlink()
    again = works(quick("evaluate", **how))
    words = ("has changed since the run began", "is again as it was when the run began")[repaired]
    assert f"The test part of pictures {words}" in again.out
    works(quick("export", **how))


@pytest.mark.parametrize("removed", [True, False])
def test_a_test_file_that_breaks_while_a_run_goes_on(quick, tmp_path, monkeypatch, removed):
    how, folder = pictures(tmp_path)
    content = {}

    def breaking(self, run, data, used):
        train(self, run, data, used)
        x = data.test[0]
        content["path"] = path = x.shelf.paths[x.places[0]]
        content["sound"] = path.read_bytes()
        path.write_bytes(b"half")

    with monkeypatch.context() as patch:
        patch.setattr(Steps, "_train", breaking)
        done = quick("--data", folder, **how)
    advice = r"must stay as it was.*Put it back and run again, with (--resume) to continue.*removed"
    found = refused(done, advice)
    if removed:
        content["path"].unlink()
    else:
        content["path"].write_bytes(content["sound"])
    works(quick(found[1], **how))


def test_a_training_file_that_breaks(quick, tmp_path):
    how, folder = pictures(tmp_path)
    done = works(quick("tune", "--data", folder, **how))
    broken = test_recorded.file(folder, test_recorded.rundir.find("tiny", done.run), "train")
    sound = broken.read_bytes()
    broken.unlink()
    found = refused(quick("train", **how), f"Put them back to go on.*{NEW_RUN}")
    works(quick("train", "--data", folder, *found[1].split(), **how))
    broken.write_bytes(sound)
    works(quick("train", "--run-dir", done.run, **how))


# --- recipes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("edited", [{"build": test_declared.build}, {"batch_size": 8}])
def test_a_recipe_that_was_edited_during_a_search(quick, monkeypatch, edited):
    """Undone, the search goes on; a new run takes the change."""
    works(quick("tune"))
    recipe = dataclasses.replace(tiny.recipe, **edited)
    with monkeypatch.context() as patch:
        patch.setattr(Steps, "_tune", TUNE)  # which refuses before anything is trained
        done = quick("tune", "--resume", recipe=recipe)
    found = refused(done, f"was .* when the run began, and is .* Undo the change.*{NEW_RUN}")
    works(quick("tune", *found[1].split(), recipe=recipe))
    works(quick("tune", "--resume", "--run-dir", "runs/tiny/1"))


def test_an_objective_without_a_direction():
    with pytest.raises(RecipeError, match=r"as in \('val_profit', 'max'\)"):
        tasks.objective("val_profit")
    assert tasks.objective(("val_profit", "max")).higher


def test_a_port_in_use():
    with socket.create_server((serve.HOST, 0)) as taken:
        with pytest.raises(RecipeError) as refusal:
            serve.listen(taken.getsockname()[1])
        port = re.search(r"Try --port (\d+)", str(refusal.value))[1]
        serve.listen(int(port)).close()


# --- files of one's own -------------------------------------------------------------------------


def forecast(hp, data):
    """A dense layer that forecasts three quantiles of each step."""
    shape = (*data.train[1].shape[1:], len(QUANTILES))
    inputs = keras.Input(data.input_shape, name=data.input_name)
    x = keras.layers.Dense(int(np.prod(shape)))(inputs)
    model = keras.Model(inputs, keras.layers.Reshape(shape)(x))
    model.compile("sgd", kcatalog.losses.Pinball(list(QUANTILES)))
    return model


DAYS = np.arange("2024-01-01", "2024-09-01", dtype="datetime64[D]").astype(str)
SOLD = [f"{day},{20 + 5 * (n % 7)}.{n % 10}" for n, day in enumerate(DAYS)]


def line(number, text):
    """The table with another line."""
    return lambda lines: [*lines[:number], text, *lines[number + 1 :]]


@pytest.mark.parametrize(
    ("spoil", "advice", "follow"),
    [
        (lambda s: [*s[:40], *s[44:]], "Add (--fill linear) or --fill previous", None),
        (lambda s: [*s[:40], *s[44:]], "or (--fill previous), or complete the file", None),
        (line(50, "2024-02-20,"), "Add (--fill linear)", None),
        (
            line(50, "2024-02-20,much"),
            "empty them and add (--fill linear)",
            line(50, "2024-02-20,"),
        ),
        (line(50, "2024-02-20,much"), "Correct the cells", lambda s: SOLD),
        (line(50, "yesterday,3.5"), "Write dates like 2024-01-31", lambda s: SOLD),
        (lambda s: [*s[:50], s[60], *s[50:]], "Keep one of them|Sort the lines", lambda s: SOLD),
        (
            lambda s: [f"{a},7.5" for a in (x[:10] for x in s)],
            "Give another column or file",
            lambda s: SOLD,
        ),
        (lambda s: s[:20], "Give a longer series", lambda s: SOLD),
        (lambda s: [f"{x},{i % 5}.5" for i, x in enumerate(s)], r"Name it: (--data \S+)", None),
    ],
)
def test_a_series_of_ones_own(quick, tmp_path, spoil, advice, follow):
    recipe = Recipe("tiny", Series(horizon=2, window=8), forecast, tiny.baseline)
    file, lines = tmp_path / "sold.csv", spoil(SOLD)
    file.write_text("\n".join(["date,sold" + ",left" * (lines[0].count(",") - 1), *lines]))
    found = refused(quick("tune", "--data", file, recipe=recipe), advice)
    if follow:
        file.write_text("\n".join(["date,sold", *follow(lines)]))
    more = found[1].split() if found.groups() else []
    works(quick("tune", "--data", file, *more, recipe=recipe))


def masks(folder):
    """Eight images and their masks."""
    for n in range(8):
        test_recorded.draw(folder / "images" / f"{n}.png", n)
        (folder / "masks").mkdir(exist_ok=True)
        pixels = np.random.default_rng(n).integers(0, 3, (8, 8)).astype("uint8")
        Image.fromarray(pixels).save(folder / "masks" / f"{n}.png")
    return folder


def grey(folder, top):
    Image.fromarray(np.full((8, 8), top, "uint8")).save(folder / "masks" / "3.png")


def coloured(folder):
    Image.fromarray(np.zeros((8, 8, 3), "uint8")).save(folder / "masks" / "3.png")


@pytest.mark.parametrize(
    ("spoil", "advice", "follow"),
    [
        (lambda f: (f / "masks/3.png").unlink(), "Add them", lambda f: grey(f, 2)),
        (
            lambda f: (f / "masks/3.png").unlink(),
            "or remove the others",
            lambda f: (f / "images/3.png").unlink(),
        ),
        (coloured, "Save it as a grey PNG file of class numbers", lambda f: grey(f, 1)),
        (lambda f: grey(f, 200), "Renumber them", lambda f: grey(f, 1)),
        (
            lambda f: (f / "classes.txt").write_text("a\nb"),
            "Name every class in classes.txt, one a line",
            lambda f: (f / "classes.txt").write_text("a\nb\nc"),
        ),
        (
            lambda f: Image.fromarray(np.zeros((8, 20), "uint8")).save(f / "masks/3.png"),
            "Repair or remove both",
            lambda f: grey(f, 1),
        ),
    ],
)
def test_masks_of_ones_own(tmp_path, spoil, advice, follow):
    folder = masks(tmp_path / "scenes")
    assert len(Masks(size=8).load(folder).classes) == 3
    spoil(folder)
    with pytest.raises(RecipeError, match=advice):
        Masks(size=8).load(folder)
    follow(folder)
    Masks(size=8).load(folder).decode()


def few(folder):
    for path in [*(folder / "dog").iterdir()][2:]:
        path.unlink()


@pytest.mark.parametrize(
    ("spoil", "advice", "follow"),
    [
        (few, "Add files", lambda f: test_recorded.draw(f / "dog" / "new.png", 70)),
        (few, "or remove the folder", lambda f: shutil.rmtree(f / "dog")),
        (
            lambda f: (f / "cat" / "0.png").write_bytes(b"\x89PNG half"),
            "Repair or remove it",
            lambda f: (f / "cat" / "0.png").unlink(),
        ),
    ],
)
def test_pictures_of_ones_own(tmp_path, spoil, advice, follow):
    _, folder = pictures(tmp_path)
    for n in range(4):
        test_recorded.draw(folder / "bird" / f"{n}.png", 30 + n)
    spoil(folder)
    with pytest.raises(RecipeError, match=advice):
        Images(size=8).load(folder).decode()
    follow(folder)
    Images(size=8).load(folder).decode()


# --- training -----------------------------------------------------------------------------------


def test_weights_of_another_model(quick, tmp_path):
    done = works(quick("train"))
    file = done.run / "checkpoints" / "last.npz"
    with pytest.raises(RecipeError) as refusal:
        checkpoint.assign(file, {}, {"weights/0": np.ones(3)})
    words = re.search(NEW_RUN, str(refusal.value))[1].split()
    works(quick("train", *words))


def test_batches_that_devices_cannot_share():
    with pytest.raises(RecipeError, match=r"multiple of the 6 devices.*Set Recipe\(batch_size"):
        batches.check_divisible("samples in a batch", 16, 6, "devices")
    recipe = dataclasses.replace(tiny.recipe, batch_size=18)
    batches.check_divisible("samples in a batch", recipe.batch_size, 6, "devices")


# --- all of them --------------------------------------------------------------------------------

FOLDERS = ("commands", "devices", "feed", "files", "monitoring", "search", "terminal", "training")
VERBS = (
    "Add|Allow|Choose|Convert|Correct|Decode|Decorate|Fill|Fix|Give|Install|Keep|Leave|Move|Name|"
    "Open|Put|Read|Remove|Rename|Repair|Replace|Run|Save|See|Set|Start|Try|Undo|Use|Wait|Write"
)
# The beginning of each advice, and the test that follows it
FOLLOWED = {
    "Put options after": "test_options_that_are_advised",
    "Leave out {}:": "test_options_that_are_advised",
    "Then run again": "test_a_step_without_a_way_to_resume",
    "Fix this": "test_a_step_without_a_way_to_resume",
    "Undo the change": "test_a_recipe_that_was_edited_during_a_search",
    "Correct it:": "test_a_baseline_that_fails_is_found_before_the_first_trial",
    "Rename it": "test_a_place_where_no_export_can_be_written_is_found_at_once",
    "Allow it": "test_a_place_where_no_export_can_be_written_is_found_at_once",
    "or start elsewhere": "test_a_place_where_no_export_can_be_written_is_found_at_once",
    "Choose earlier ones": "test_options_that_are_advised",
    "Leave it out": "test_an_option_that_the_data_do_not_use",
    "or name your files": "test_an_option_that_the_data_do_not_use",
    "Leave out --resume to start one": "test_options_that_are_advised",
    "Run `{}` first": "test_a_run_that_is_not_trained_yet",
    "Leave out {}": "test_an_option_that_a_run_cannot_change",
    "Use {}": "test_a_run_keeps_its_epochs_and_names_the_option_that_changes_them",
    "Use --epochs {}": "test_fewer_epochs_than_are_done_are_refused",
    "Put them back": "test_a_training_file_that_breaks",
    "Start all hosts again": "test_two_hosts_train_as_one_device_does_though_one_dies",
    "Use --devices cpu": "test_options_that_are_advised",
    "Set Recipe(batch_size": "test_batches_that_devices_cannot_share",
    "or use another number": "test_batches_that_devices_cannot_share",
    "Wait until it has finished": "test_waiting_for_the_other",
    "or choose another --run-dir": "test_a_run_of_another_recipe",
    "Decorate your own layers": "test_a_model_that_cannot_be_loaded_again_is_refused",
    "give layers a `get_config`": "test_a_model_that_cannot_be_loaded_again_is_refused",
    "and use no `Lambda`": "test_a_model_that_cannot_be_loaded_again_is_refused",
    "Remove it": "test_a_damaged_model",
    "then run {}": "test_a_damaged_model",
    "leave out --resume and add": "test_a_run_that_is_trained_already",
    "Choose another directory": "test_a_directory_that_is_not_empty",
    "Choose another --run-dir": "test_a_run_of_another_recipe",
    "Add {}.": "test_options_that_are_advised",
    "Use --set epochs=": "test_where_epochs_are_tuned",
    "Add --set epochs=": "test_where_epochs_are_tuned",
    "or use another tuner": "test_where_epochs_are_tuned",
    "add --isolate or --parallel": "test_options_that_are_advised",
    "Correct the cause": "test_a_hopeless_search_stops",
    "add:": "test_a_run_that_stops",
    "Correct it,": "test_config_begins_a_new_run",
    "or choose the {}": "test_a_run_again_ends_in_the_same_weights",
    "Run {},": "test_a_recipe_of_another_name",
    "Write it as [{}]": "test_print_config",
    "use `tune --config {}`": "test_options_of_a_search_that_does_not_take_place",
    "or remove [hyperparameters]": "test_options_of_a_search_that_does_not_take_place",
    "Leave out --config or --resume": "test_config_begins_a_new_run",
    "Correct this,": "test_a_service_that_fails_ends_the_tracking_and_not_the_run",
    "or leave out --track": "test_a_service_that_fails_ends_the_tracking_and_not_the_run",
    "Leave out --backbone-weights": "test_the_head_learns_first_and_then_the_backbone_more_slowly",
    "Save that one alone": "test_the_head_learns_first_and_then_the_backbone_more_slowly",
    "add --backbone NAME": "test_a_model_of_keras_applications_with_weights_from_a_file",
    "and add --backbone-weights": "test_a_model_of_keras_applications_with_weights_from_a_file",
    "Add what prepares its images": "test_what_is_no_preset_of_images_is_refused",
    "Give a folder that": "test_what_is_no_preset_of_images_is_refused",
    "give a folder:": "test_a_preset_is_carried_to_where_there_is_no_network",
    "use --size and --channels": "test_the_options_reach_the_data",
    "Try a smaller learning rate": "test_nan_from_the_start_is_one_sentence_and_train_begins_anew",
}
# What nobody can follow in a test: hosts, GPUs, other programs; `test_messages.py` knows the names
ELSEWHERE = (
    "run `pip install tensorflow`",  # on another Python
    "or see `kcatalog doctor`",
    "Leave out --hosts or --model-parallel",
    "Use --devices {}:{}",
    "or set JAX_NUM_CPU_DEVICES",
    "Name the weights to split",
    "or leave out the option",
    "Decode less",
    "keep them on a faster disk",
    "or give more memory to the cache",
    "Add --watch",
    "Read it in TensorBoard's Profile tab",
    "Open the .pt.trace.json file",
    "Start one with `ray start",
    "and add hosts with `ray start",
    "Install the same version on all hosts",
    "Install it with:",
)


def test_every_advice_of_the_engine_is_followed():
    begins, advice = rf"(?:[Oo]r |[Tt]hen |[Aa]nd )?(?:{VERBS})\b", set()
    for path, texts in MESSAGES.items():
        place = relative(path).split("/")
        if place[0] == "recipe" and place[1] in FOLDERS and place[-1] != "options.py":
            sentences = (s.strip() for _, text in texts for s in re.split(r"(?<=[.:;,}])\s+", text))
            advice |= {s for s in sentences if re.match(begins, s, re.IGNORECASE)}
    helps = {
        "Set aside.",
        "Write a SavedModel and check it in a clean process.",
        "Run one trial of a search.",
    }
    known = (*FOLLOWED, *ELSEWHERE)
    assert sorted(s for s in advice - helps if not s.startswith(known)) == []
    assert [k for k in known if not any(s.startswith(k) for s in advice)] == []
    tests = "\n".join(f.read_text(encoding="utf-8") for f in Path(__file__).parent.glob("*.py"))
    assert set(FOLLOWED.values()) <= set(re.findall(r"^def (test_\w+)", tests, re.MULTILINE))
