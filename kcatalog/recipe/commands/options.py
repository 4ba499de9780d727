"""Options of the command line: each is one field of a dataclass, with annotation, help and default.

Everything else derives from the field: the command line and its help (`cli.py`), the settings that
a run stores, what a resumed run may change, and the arguments for another process of the recipe.
`COMMANDS` at the end has the groups of options that each command takes.
"""

import dataclasses  # and no `annotations` from the future: `cli.py` reads the fields' types
from dataclasses import Field, dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Literal


class Change(Enum):
    """The time until which an option that a run stores may be changed."""

    NEVER = "never"
    UNTIL_TRAINING = "until training begins"
    UNTIL_TRAINED = "until training ends"
    ANY_TIME = "at any time"


FROM_RECIPE = object()  # the attribute of the same name of the recipe


def stored(help: str, initial: Any, change: Change = Change.NEVER, **typer_options) -> Any:
    """Return a field for an option that is stored in the run, and that `--resume` reads there.

    Its default is None, for "not given".

    Args:
        help: one line for `--help`.
        initial: what a new run stores where the option is not given.
        change: until when a resumed run may change it.
        **typer_options: further arguments of `typer.Option`, and `flag`, where that is not the
            field's name. A number's metavar is N unless stated.
    """
    if initial is FROM_RECIPE:
        help += " [default: recipe's]"
    elif initial is not None and initial is not False and initial != []:
        help += f" [default: {initial}]"
    metadata = {"help": help, "initial": initial, "change": change, "typer": typer_options}
    return dataclasses.field(default=None, metadata=metadata)


def transient(help: str, default: Any, **typer_options) -> Any:
    """Return a field for an option of this invocation alone."""
    return dataclasses.field(default=default, metadata={"help": help, "typer": typer_options})


@dataclass(frozen=True)
class SettingOptions:
    """Options for the data and the training, the same in every step of a run."""

    data: str | None = stored(
        "Data set by name, or a file or folder. [default: recipe's]", None, metavar="NAME|PATH"
    )
    epochs: int | None = stored("Training epochs.", FROM_RECIPE, Change.UNTIL_TRAINED, min=1)
    seed: int | None = stored("Random seed.", 0, min=0, max=2**31 - 1)
    overrides: list[str] | None = stored(
        "Fix a hyperparameter; repeatable.", [], flag="--set", metavar="NAME=VALUE"
    )
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] | None = stored(
        "Numeric precision (Keras dtype policy).", "float32"
    )


@dataclass(frozen=True)
class SearchOptions:
    """Options for the hyperparameter search."""

    trials: int | None = stored("Number of trials.", FROM_RECIPE, Change.UNTIL_TRAINING, min=1)
    trial_epochs: int | None = stored("Epochs per trial.", FROM_RECIPE, min=1)
    tuner: Literal["random", "bayesian", "hyperband"] | None = stored("Search algorithm.", "random")
    folds: int | None = stored("Cross-validation folds.", 1, min=1)
    keep: int | None = stored("Keep checkpoints of the N best trials.", 3, Change.ANY_TIME, min=0)
    isolate: bool | None = stored("Run each trial in its own process.", False, Change.ANY_TIME)
    trial_memory: float | None = stored(
        "Memory limit of an isolated trial.", None, Change.ANY_TIME, min=0.1, metavar="GB"
    )
    parallel: int | None = stored(
        "Isolated trials at once on each machine.", 1, Change.ANY_TIME, min=1
    )


@dataclass(frozen=True)
class ClusterOptions:
    """Options for a search on many machines."""

    cluster: str | None = transient("Run trials on a Ray cluster.", None, metavar="auto|ADDRESS")


@dataclass(frozen=True)
class DeviceOptions:
    """Options for the devices and memory of this process."""

    devices: str = transient(
        "auto, all, cpu, gpu or tpu; gpu:2 for two.", "auto", metavar="KIND[:N]"
    )
    cache_memory: float = transient("RAM for decoded files.", 1.0, min=0, metavar="GB")


@dataclass(frozen=True)
class HostOptions:
    """Options for one training on many devices and hosts."""

    model_parallel: int = transient("Split weights across N devices (JAX).", 1, min=1)
    hosts: str | None = transient(
        "Addresses of all hosts, or auto (JAX).", None, metavar="HOST:PORT,..."
    )
    host_index: int | None = transient("Position of this host in --hosts, from 0.", None, min=0)


@dataclass(frozen=True)
class MonitorOptions:
    """Options for what TensorBoard shows of the training."""

    watch: bool = transient("Log layer statistics every epoch (slower).", False)
    profile: str | None = transient("Profile training steps, such as 10-20.", None, metavar="STEPS")


@dataclass(frozen=True)
class TrackOptions:
    """Options for services that record experiments."""

    track: Literal["mlflow", "wandb"] | None = transient(
        "Send metrics to MLflow or Weights & Biases.", None
    )


@dataclass(frozen=True)
class ExportOptions:
    """Options for the export."""

    variants: str | None = transient(
        "Further formats, such as int8,onnx; or all.", None, metavar="NAME,..."
    )
    accept: str | None = transient(
        "Keep these variants even if they fail their check.", None, metavar="NAME,..."
    )
    keep_versions: int | None = transient("Delete all but the newest N exports.", None, min=1)


@dataclass(frozen=True)
class ExistingRunOptions:
    """Options of commands that need a trained run."""

    run_dir: Path | None = transient(
        "Run directory. [default: the newest run]", None, metavar="PATH"
    )


@dataclass(frozen=True)
class RunOptions(ExistingRunOptions):
    """Options of commands that start or resume a run."""

    run_dir: Path | None = transient(
        "Run directory. [default: runs/RECIPE/N]", None, metavar="PATH"
    )
    resume: bool = transient("Resume the run in --run-dir, or the newest.", False)
    config: Path | None = transient(
        "Take options from the file of another run; typed ones win.", None, metavar="RUN.TOML"
    )
    print_config: bool = transient("Print the run.toml that the run would have, and stop.", False)


@dataclass(frozen=True)
class PredictOptions:
    """Options of `predict`."""

    length: int = transient("Characters to generate (text models).", 200, min=1)
    seed: int = transient("Random seed (text models).", 0, min=0, max=2**31 - 1)
    json: bool = transient("Print one line of JSON for each file.", False)


@dataclass(frozen=True)
class ServeOptions:
    """Options of `serve`."""

    port: int = transient("Port; 0 takes a free one.", 8501, min=0, max=65535)
    version: int | None = transient("Exported version. [default: the newest]", None, min=0)


@dataclass(frozen=True)
class DebugOption:
    """The option that every command has."""

    debug: bool = transient("Show the traceback of an error.", False)


@dataclass(frozen=True)
class Options(
    SettingOptions,
    SearchOptions,
    ClusterOptions,
    DeviceOptions,
    HostOptions,
    MonitorOptions,
    TrackOptions,
    ExportOptions,
    RunOptions,
    DebugOption,
):
    """All options of the commands that work on a run, as given on the command line.

    source: the options of the recipe's source that were given.
    """

    source: dict[str, Any] = dataclasses.field(default_factory=dict)

    @classmethod
    def of(cls, **given) -> "Options":
        """Return the options of a command line. Those that are no field are the source's."""
        names = {f.name for f in dataclasses.fields(cls)}
        own = {name: value for name, value in given.items() if name in names}
        source = {n: v for n, v in given.items() if n not in names and v is not None}
        return cls(**own, source=source)

    def given(self) -> dict[str, Any]:
        """Return the stored options that were given."""
        values = {name: getattr(self, name) for name in STORED}
        return {name: value for name, value in values.items() if value is not None} | self.source


# The options of each command; "" is the recipe without a command. All of them also take `--debug`.
COMMANDS: dict[str, tuple[type, ...]] = {
    "": (
        SettingOptions,
        SearchOptions,
        DeviceOptions,
        MonitorOptions,
        TrackOptions,
        ExportOptions,
        RunOptions,
    ),
    "tune": (
        SettingOptions,
        SearchOptions,
        ClusterOptions,
        DeviceOptions,
        TrackOptions,
        RunOptions,
    ),
    "train": (SettingOptions, DeviceOptions, HostOptions, MonitorOptions, TrackOptions, RunOptions),
    "evaluate": (DeviceOptions, TrackOptions, ExistingRunOptions),
    "export": (ExportOptions, DeviceOptions, ExistingRunOptions),
    "search-worker": (SearchOptions, DeviceOptions, ExistingRunOptions),
    "predict": (PredictOptions,),
    "serve": (ServeOptions,),
}
STORED: dict[str, Field] = {
    f.name: f for f in dataclasses.fields(Options) if "change" in f.metadata
}


def fields(command: str, source=None) -> list[Field]:
    """Return the options of a command, with those of a recipe's source where it takes settings."""
    found = []
    for group in (*COMMANDS[command], DebugOption):
        found += dataclasses.fields(group)
        if group is SettingOptions and source is not None:
            found += of_source(source).values()
    return found


def of_source(source) -> dict[str, Field]:
    """Return the options of a recipe's source, which are stored in the run."""
    if clash := {f.name for f in dataclasses.fields(Options)} & source.options.keys():
        raise ValueError(
            f"{type(source).__name__}: `options` must have other names than the options of every "
            f"recipe. Received: {', '.join(sorted(clash))}. Rename these arguments."
        )
    values = source.settings()
    parts = [
        (name, option.type | None, stored(option.help, values[name], **option.typer))
        for name, option in source.options.items()
    ]
    return {f.name: f for f in dataclasses.fields(dataclasses.make_dataclass("Source", parts))}


def initial(recipe) -> dict[str, Any]:
    """Return the settings of a new run whose user gives no option."""
    known = {**STORED, **of_source(recipe.source)}
    values = {name: field.metadata["initial"] for name, field in known.items()}
    return {
        name: getattr(recipe, name) if value is FROM_RECIPE else value
        for name, value in values.items()
    }


def flag(field: Field) -> str:
    """Return the option's name on the command line."""
    return field.metadata["typer"].get("flag") or f"--{field.name.replace('_', '-')}"
