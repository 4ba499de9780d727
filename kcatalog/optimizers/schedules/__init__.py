"""Learning-rate schedules; the path of each is `kcatalog.optimizers.schedules.<Class>`."""

from kcatalog.optimizers.schedules.cyclical import Cyclical
from kcatalog.optimizers.schedules.joined import Joined
from kcatalog.optimizers.schedules.one_cycle import OneCycle
from kcatalog.optimizers.schedules.warm_up import WarmUp
from kcatalog.optimizers.schedules.warmup_stable_decay import WarmupStableDecay

__all__ = ["Cyclical", "Joined", "OneCycle", "WarmUp", "WarmupStableDecay"]
