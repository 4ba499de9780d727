"""Training steps that compute more than the gradient of the loss: see `attach`."""

from kcatalog.training.jacobian_penalty import JacobianPenalty
from kcatalog.training.step import attach

__all__ = ["JacobianPenalty", "attach"]
