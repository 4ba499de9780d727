"""Every option of the command line, said once, and which belong together."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

# Every option, said once, in the order of --help: name -> (type with its help, default).
# None means "not given".
OPTIONS = {
    "data": (
        Annotated[
            str | None,
            typer.Option(metavar="NAME|PATH", help="A known set, or your own file or folder."),
        ],
        None,
    ),
    "epochs": (
        Annotated[
            int | None,
            typer.Option(min=1, metavar="N", help="Epochs of training. [default: the recipe's]"),
        ],
        None,
    ),
    "trials": (
        Annotated[
            int | None,
            typer.Option(
                min=1, metavar="N", help="Sets of hyperparameters to try. [default: the recipe's]"
            ),
        ],
        None,
    ),
    "trial_epochs": (
        Annotated[
            int | None,
            typer.Option(min=1, metavar="N", help="Epochs per trial. [default: the recipe's]"),
        ],
        None,
    ),
    "tuner": (
        Annotated[
            Literal["random", "bayesian", "hyperband"] | None,
            typer.Option(help="How sets of hyperparameters are found. [default: random]"),
        ],
        None,
    ),
    "folds": (
        Annotated[
            int | None,
            typer.Option(
                min=2, metavar="N", help="Judge trials by so many folds. [default: one split]"
            ),
        ],
        None,
    ),
    "keep": (
        Annotated[
            int | None,
            typer.Option(
                min=0, metavar="N", help="Of how many trials checkpoints are kept. [default: 3]"
            ),
        ],
        None,
    ),
    "isolate": (
        Annotated[
            bool | None, typer.Option("--isolate", help="Each trial in a process of its own.")
        ],
        None,
    ),
    "trial_memory": (
        Annotated[
            float | None,
            typer.Option(min=0.1, metavar="GB", help="End isolated trials that take more."),
        ],
        None,
    ),
    "chief": (
        Annotated[
            str | None,
            typer.Option(
                metavar="HOST:PORT", help="Hand the trials to workers, who find this host there."
            ),
        ],
        None,
    ),
    "worker": (
        Annotated[
            str | None,
            typer.Option(metavar="HOST:PORT", help="Train what the chief at that address wants."),
        ],
        None,
    ),
    "seed": (
        Annotated[
            int | None,
            typer.Option(
                min=0, max=2**31 - 1, metavar="N", help="Same seed, same result. [default: 0]"
            ),
        ],
        None,
    ),
    "overrides": (
        Annotated[
            list[str] | None,
            typer.Option("--set", metavar="NAME=VALUE", help="Set a hyperparameter yourself."),
        ],
        None,
    ),
    "precision": (
        Annotated[
            Literal["float32", "mixed_float16", "mixed_bfloat16"] | None,
            typer.Option(help="Numbers to compute with. [default: float32]"),
        ],
        None,
    ),
    "devices": (
        Annotated[
            str,
            typer.Option(
                metavar="KIND[:N]",
                help="auto, cpu, gpu or tpu; gpu:2 for two of them; all of the best kind.",
            ),
        ],
        "auto",
    ),
    "model_parallel": (
        Annotated[
            int, typer.Option(min=1, metavar="N", help="Split weights among N devices (JAX).")
        ],
        1,
    ),
    "hosts": (
        Annotated[
            str | None,
            typer.Option(metavar="HOST:PORT,...", help="Train on many hosts; or auto (JAX)."),
        ],
        None,
    ),
    "host_index": (
        Annotated[
            int | None,
            typer.Option(min=0, metavar="N", help="Which of the hosts this is, from 0."),
        ],
        None,
    ),
    "cache_memory": (
        Annotated[
            float,
            typer.Option(
                min=0, metavar="GB", help="Memory for decoded files; more of them go to disk."
            ),
        ],
        1.0,
    ),
    "watch": (
        Annotated[
            bool,
            typer.Option("--watch", help="Log every layer's statistics, whatever time it takes."),
        ],
        False,
    ),
    "profile": (
        Annotated[
            str | None,
            typer.Option(metavar="STEPS", help="Trace these training steps, such as 10-20."),
        ],
        None,
    ),
    "run_dir": (
        Annotated[
            Path | None,
            typer.Option(
                metavar="PATH", help="The run's directory. [default: runs/<recipe>/<number>]"
            ),
        ],
        None,
    ),
    "resume": (
        Annotated[bool, typer.Option("--resume", help="Go on with the run where it stopped.")],
        False,
    ),
    "variants": (
        Annotated[
            str | None,
            typer.Option(
                metavar="NAME,...",
                help="Export also as float16, int8, litert, litert_float16, litert_dynamic_int8, "
                "litert_int8, onnx; or all of them.",
            ),
        ],
        None,
    ),
    "keep_versions": (
        Annotated[
            int | None,
            typer.Option(min=1, metavar="N", help="Delete all exports but the newest N."),
        ],
        None,
    ),
    "length": (
        Annotated[int, typer.Option(min=1, metavar="N", help="For text: characters to write.")],
        200,
    ),
    "port": (
        Annotated[
            int,
            typer.Option(
                min=0, max=65535, metavar="N", help="On this machine; 0 takes a free one."
            ),
        ],
        8501,  # TensorFlow Serving's
    ),
    "version": (
        Annotated[
            int | None,
            typer.Option(min=0, metavar="N", help="The exported version. [default: newest]"),
        ],
        None,
    ),
    "debug": (
        Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")],
        False,
    ),
}
SETTINGS = ("data", "epochs", "seed", "overrides", "precision")
TUNING = ("trials", "trial_epochs", "tuner", "folds", "keep", "isolate", "trial_memory")
SPREAD = ("chief", "worker")
MONITORING = ("watch", "profile")
PLACE = ("devices", "cache_memory", "run_dir", "debug")
MANY = ("model_parallel", "hosts", "host_index")
