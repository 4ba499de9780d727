"""The chapters of the theory pages, in the order of a textbook."""

CHAPTERS = (
    "networks",
    "backpropagation",
    "convolution",
    "recurrence",
    "optimization",
    "regularization",
    "losses",
)
