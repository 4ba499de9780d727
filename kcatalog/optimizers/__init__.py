"""Optimizers and their wrappers; the path of each is `kcatalog.optimizers.<Class>`."""

from kcatalog.optimizers import schedules
from kcatalog.optimizers.ada_belief import AdaBelief
from kcatalog.optimizers.adamp import AdamP
from kcatalog.optimizers.adan import Adan
from kcatalog.optimizers.ademamix import AdEMAMix
from kcatalog.optimizers.adopt import ADOPT
from kcatalog.optimizers.cocob import COCOB
from kcatalog.optimizers.conditional_gradient import ConditionalGradient
from kcatalog.optimizers.lamb import LAMB
from kcatalog.optimizers.lars import LARS
from kcatalog.optimizers.lazy_adam import LazyAdam
from kcatalog.optimizers.lbfgs import fit_lbfgs
from kcatalog.optimizers.madgrad import MADGRAD
from kcatalog.optimizers.novo_grad import NovoGrad
from kcatalog.optimizers.optimizer import Optimizer
from kcatalog.optimizers.prodigy import Prodigy
from kcatalog.optimizers.proximal_adagrad import ProximalAdagrad
from kcatalog.optimizers.rectified_adam import RectifiedAdam
from kcatalog.optimizers.rprop import Rprop
from kcatalog.optimizers.signum import Signum
from kcatalog.optimizers.soap import SOAP
from kcatalog.optimizers.wrappers.adaptive_gradient_clipping import AdaptiveGradientClipping
from kcatalog.optimizers.wrappers.alternating_sam import AlternatingSAM
from kcatalog.optimizers.wrappers.asam import ASAM
from kcatalog.optimizers.wrappers.cautious import Cautious
from kcatalog.optimizers.wrappers.decoupled_weight_decay import DecoupledWeightDecay
from kcatalog.optimizers.wrappers.gradient_centralization import GradientCentralization
from kcatalog.optimizers.wrappers.gradient_noise import GradientNoise
from kcatalog.optimizers.wrappers.layerwise_decay import LayerwiseDecay
from kcatalog.optimizers.wrappers.lookahead import Lookahead
from kcatalog.optimizers.wrappers.moving_average import MovingAverage
from kcatalog.optimizers.wrappers.orthogonal_gradient import OrthogonalGradient
from kcatalog.optimizers.wrappers.proximal_regularization import ProximalRegularization
from kcatalog.optimizers.wrappers.sam import SAM
from kcatalog.optimizers.wrappers.schedule_free import ScheduleFree
from kcatalog.optimizers.wrappers.skip_non_finite import SkipNonFinite
from kcatalog.optimizers.wrappers.stochastic_weight_averaging import StochasticWeightAveraging
from kcatalog.optimizers.wrappers.wrapper import Wrapper
from kcatalog.optimizers.yogi import Yogi

__all__ = [  # noqa: RUF022 (plain order; ADOPT is a class, no constant)
    "ADOPT",
    "ASAM",
    "AdEMAMix",
    "AdaBelief",
    "AdamP",
    "Adan",
    "AdaptiveGradientClipping",
    "AlternatingSAM",
    "COCOB",
    "Cautious",
    "ConditionalGradient",
    "DecoupledWeightDecay",
    "GradientCentralization",
    "GradientNoise",
    "LAMB",
    "LARS",
    "LayerwiseDecay",
    "LazyAdam",
    "Lookahead",
    "MADGRAD",
    "MovingAverage",
    "NovoGrad",
    "Optimizer",
    "OrthogonalGradient",
    "Prodigy",
    "ProximalAdagrad",
    "ProximalRegularization",
    "RectifiedAdam",
    "Rprop",
    "SAM",
    "SOAP",
    "ScheduleFree",
    "Signum",
    "SkipNonFinite",
    "StochasticWeightAveraging",
    "Wrapper",
    "Yogi",
    "fit_lbfgs",
    "schedules",
]
