"""An optimizer that is another one in all of Keras's protocol."""

import inspect
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import keras
from keras import ops

from kcatalog import checks
from kcatalog.types import Tensor

Inner: TypeAlias = keras.optimizers.Optimizer | str | dict[str, Any]
"""The optimizer inside: an instance, a name such as "adam", or a config."""

# Optimizers that hold others and cannot be held. Keras 3.13 has no MultiOptimizer yet.
_OUTER_ONLY = (
    keras.optimizers.LossScaleOptimizer,
    getattr(keras.optimizers, "MultiOptimizer", keras.optimizers.LossScaleOptimizer),
)


class InnerSetting:
    """An attribute that is the inner optimizer's: read there, and assigned there.

    While the outer one is `standing_alone` it has none: Keras's own constructor assigns settings
    before there is an inner optimizer, and Keras's own `build` would make the variables of
    `use_ema` and `gradient_accumulation_steps` a second time.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, outer: Any, owner: type | None = None) -> Any:
        if outer is None:
            return self
        return None if outer.standing_alone else getattr(outer.inner, self.name)

    def __set__(self, outer: Any, value: Any) -> None:
        if not outer.standing_alone:
            setattr(outer.inner, self.name, value)


class Delegate(keras.optimizers.Optimizer):
    """Has the settings, the state and the answers of the optimizer inside it.

    Args:
        inner: The optimizer inside: an instance, a name such as `"adam"`, or a config.
        name: Name of the optimizer; None makes one up from the class.
    """

    inner = None
    standing_alone = True

    learning_rate = InnerSetting()
    weight_decay = InnerSetting()
    clipnorm = InnerSetting()
    clipvalue = InnerSetting()
    global_clipnorm = InnerSetting()
    use_ema = InnerSetting()
    ema_momentum = InnerSetting()
    ema_overwrite_frequency = InnerSetting()
    loss_scale_factor = InnerSetting()
    gradient_accumulation_steps = InnerSetting()

    def __init__(self, inner: Inner, name: str | None = None, **kwargs: Any):
        _refuse(self, kwargs)
        inner = _optimizer(self, inner)
        super().__init__(learning_rate=0.0, name=name)
        self.inner = inner
        self.standing_alone = False

    def build(self, variables: list[keras.Variable]) -> None:
        if self.built:
            return
        if self.inner.built:  # it trained before it was wrapped
            self.inner._check_variables_are_known(variables)
        else:
            self.inner.build(variables)
        self.standing_alone = True
        super().build(variables)
        self.standing_alone = False

    def _checked(self, grads, variables):
        """Return lists of gradients and of their variables, and build on the first ones."""
        grads = list(grads)
        if not grads:
            return [], []
        if not self.built:
            if variables is None:
                rule = "a list of variables until the optimizer is built"
                raise checks.error(self, "trainable_variables", rule, None, "Or call `build`.")
            self.build(variables := list(variables))
        variables = list(self._trainable_variables if variables is None else variables)
        if len(grads) != len(variables):
            rule = f"a list of {len(variables)} gradients, one for each variable"
            raise checks.error(self, "grads", rule, f"{len(grads)} gradients")
        self._check_variables_are_known(variables)
        return grads, variables

    @property
    def iterations(self) -> keras.Variable:
        return self.inner.iterations

    @property
    def variables(self) -> list[keras.Variable]:
        return [*self._variables, *self.inner.variables]

    @property
    def _model_variables_moving_average(self):  # SwapEMAWeights swaps it with the weights
        averages, place = self.inner._model_variables_moving_average, self.inner._get_variable_index
        return [averages[place(v)] for v in self._trainable_variables]

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Tensor, keras.Variable]]) -> Any:
        super().apply_gradients(grads_and_vars)
        return self.iterations

    def update_step(
        self, gradient: Tensor, variable: keras.Variable, learning_rate: Tensor
    ) -> None:
        cls = type(self).__name__
        raise NotImplementedError(f"{cls} cannot step one weight alone: call `apply`.")

    def finalize_variable_values(self, var_list: list[keras.Variable]) -> None:
        self.inner.finalize_variable_values(var_list)

    def exclude_from_weight_decay(
        self, var_list: list[keras.Variable] | None = None, var_names: Sequence[str] | None = None
    ) -> None:
        self.inner.exclude_from_weight_decay(var_list, var_names)

    def scale_loss(self, loss: Any) -> Tensor:
        return self.inner.scale_loss(loss)

    def set_weights(self, weights: Tensor) -> None:
        weights, own = list(weights), len(self._variables)
        if self.built and len(weights) != len(self.variables):
            rule = f"the {len(self.variables)} values of `variables` of an optimizer like this one"
            raise checks.error(self, "weights", rule, f"{len(weights)} values")
        super().set_weights(weights[:own])  # of `_variables`
        self.inner.set_weights(weights[own:])

    # `inner` is saved by Keras as an object of its own; here, only what stands around it.

    def save_own_variables(self, store: dict[str, Any]) -> None:
        for i, variable in enumerate(self._variables):
            store[str(i)] = ops.convert_to_numpy(variable)

    def load_own_variables(self, store: dict[str, Any]) -> None:
        if len(store.keys()) == len(self._variables):
            for i, variable in enumerate(self._variables):
                variable.assign(store[str(i)])
        else:
            super().load_own_variables(store)  # warns, with Keras's words

    def get_config(self) -> dict[str, Any]:
        return {"inner": keras.optimizers.serialize(self.inner), "name": self.name}


def chain(optimizer: keras.optimizers.Optimizer) -> list[keras.optimizers.Optimizer]:
    """Return an optimizer and those inside it, outermost first."""
    found = []
    while optimizer is not None:
        found.append(optimizer)
        inner = getattr(optimizer, "inner_optimizer", None)  # of LossScaleOptimizer
        optimizer = optimizer.inner if isinstance(optimizer, Delegate) else inner
    return found


def _optimizer(owner, inner):
    """`inner` as an optimizer that can be wrapped."""
    rule = "a Keras optimizer, its name or its config"
    try:
        optimizer = keras.optimizers.get(inner)
    except (ValueError, TypeError, KeyError, AttributeError) as e:
        raise checks.error(owner, "inner", rule, inner, 'For example: "adam".') from e
    if optimizer is None:
        raise checks.error(owner, "inner", rule, inner, 'For example: "adam".')
    if isinstance(optimizer, _OUTER_ONLY):
        kind = type(optimizer).__name__
        name = type(owner).__name__
        fix = f"Wrap the other way round: put {name} inside the {kind}."
        raise checks.error(owner, "inner", f"an optimizer other than {kind}", inner, fix)
    return optimizer


def _refuse(owner, arguments):
    """Raise for keyword arguments that no wrapper takes, though the inner optimizer may."""
    settings = inspect.signature(keras.optimizers.Optimizer.__init__).parameters
    for name, value in arguments.items():
        cls = type(owner).__name__
        if name in {*settings, *vars(Delegate)}:
            fix = f"For example: {cls}(keras.optimizers.SGD({name}={value!r}), ...)."
            raise checks.error(owner, name, "an argument of the inner optimizer", value, fix)
        raise TypeError(f"{cls}() got an unexpected keyword argument {name!r}.")
