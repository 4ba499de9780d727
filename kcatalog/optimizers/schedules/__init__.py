"""Learning-rate schedules; the path of each is `kcatalog.optimizers.schedules.<Class>`."""

from kcatalog.optimizers.schedules.warm_up import WarmUp

__all__ = ["WarmUp"]
