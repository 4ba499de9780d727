from typing import Any

from kcatalog.card import Choice, Example, Float, Int, Paper
from kcatalog.layers.recurrent.echo_state_cell import EchoStateCell, EchoStateOptions
from kcatalog.layers.recurrent.recurrent_layer import RecurrentLayer
from kcatalog.registry import component


@component(
    paper=Paper(
        'The "echo state" approach to analysing and training recurrent neural networks',
        "Jaeger",
        2001,
        "https://www.ai.rug.nl/minds/uploads/EchoStatesTechRep.pdf",
    ),
    tags=("recurrent", "masking"),
    space={
        "units": Int(32, 1024, log=True),
        "spectral_radius": Float(0.5, 1.2),
        "leaky": Choice(0.1, 0.3, 1.0),
    },
    example=Example(
        {"units": 4, "connectivity": 0.8, "leaky": 0.6, "return_sequences": True}, shape=(5, 3)
    ),
)
class EchoState(EchoStateOptions, RecurrentLayer):
    """An echo state network over whole sequences: a random recurrent network that is not trained.

    Only the layer that reads it, such as `keras.layers.Dense`, is trained, which takes little data
    and time: for signals of physical systems, and as a baseline for layers that are trained. It
    has to be much wider than they are.

    Maths:
        `h' = (1 - α) h + α φ(W x + U h + b)`, with `α` = `leaky`, `φ` = `activation`, and random
        `W`, `U`, `b`; `U` has `connectivity` of its connections and the given `spectral_radius`.

    Behaviour:
        The weights are not trainable. Dropout acts in training only, with one mask for all steps
        of a sequence. A masked step keeps the state and repeats the last output.

    Example:
        With the radius of `U` at 0.5 the past of a linear network halves at each step:

        >>> from keras import ops
        >>> layer = EchoState(1, 1.0, spectral_radius=0.5, activation=None)
        >>> h = layer(ops.zeros((1, 3, 1)), initial_state=[ops.ones((1, 1))])
        >>> print(abs(ops.convert_to_numpy(h)).round(4))
        [[0.125]]
    """

    def __init__(
        self,
        units: int,
        connectivity: float = 0.1,
        leaky: float = 1.0,
        spectral_radius: float = 0.9,
        **kwargs: Any,
    ):
        super().__init__(units, connectivity, leaky, spectral_radius, **kwargs)
        self.run(EchoStateCell)
