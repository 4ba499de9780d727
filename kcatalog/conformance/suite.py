"""The checks that a part has to pass: those of its kind whose conditions its card meets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kcatalog.conformance.guess import example_for
from kcatalog.conformance.subject import CheckError, CheckSkipped, Subject
from kcatalog.types import Shape

_CHECKS: list[_Rule] = []


@dataclass(frozen=True)
class _Rule:
    function: Callable[..., Any]
    kinds: tuple[str, ...]
    when: Callable[[Subject], bool]
    variants: tuple[Any, ...] | Callable[[Subject], tuple[Any, ...]]
    slow: bool
    once: bool


@dataclass(frozen=True)
class Check:
    """One check of one part. `exemption` is the card's reason why it cannot pass, or ""."""

    name: str
    subject: Subject
    function: Callable[..., Any]
    args: tuple[Any, ...] = ()
    slow: bool = False
    once: bool = False

    @property
    def id(self) -> str:
        """For instance `losses-TripletSemiHard-degenerate_input-float16`."""
        return f"{self.subject.kind}-{self.subject.name}-{self.name}"

    @property
    def exemption(self) -> str:
        """The card's reason for an expected failure of it, or of all its variants; or ""."""
        reasons = self.subject.card.exemptions
        return reasons.get(self.name) or reasons.get(self.function.__name__, "")

    def run(self) -> None:
        """Raise unless the part passes.

        Raises:
            CheckError: the part breaks the rule; the message names the data it was tried on.
            CheckSkipped: the check cannot be made here.
        """
        try:
            self.function(self.subject, *self.args)
        except CheckSkipped:
            raise
        except CheckError as e:
            e.args = (f"{e}\nTried: {self.subject.described()}",)
            raise
        except Exception as e:  # whatever a broken part raises
            e.add_note(f"Tried: {self.subject.described()}")
            raise


def check(
    *kinds: str,
    tag: str | None = None,
    when=None,
    variants: tuple[Any, ...] | Callable[[Subject], tuple[Any, ...]] = (),
    slow: bool = False,
    once: bool = False,
):
    """Decorator: makes a function `(subject)` or `(subject, variant)` a check of these kinds.

    Args:
        kinds: kinds of part it applies to; none means all.
        tag: the claim it verifies; it is generated for parts that make the claim.
        when: a further condition on the subject.
        variants: run once for each, as a second argument; or a function of the subject to them.
        slow: it compiles or trains a model, which `make test-fast` leaves out.
        once: its result does not depend on the backend, so our tests run it on TensorFlow alone.
    """

    def register(function):
        def applies(subject: Subject) -> bool:
            return (tag is None or tag in subject.tags) and (when is None or when(subject))

        function.tag = tag
        _CHECKS.append(_Rule(function, kinds, applies, variants, slow, once))
        return function

    return register


def checks_for(
    cls: type, args: dict[Any, Any] | None = None, shape: Shape | None = None, **data: Any
) -> list[Check]:
    """Return every check that applies to a class, registered in the catalog or not.

    Args:
        cls: as in `check_component`, like the other arguments.
        args: constructor arguments.
        shape: the shape to try it on.
        data: further fields of `kcatalog.card.Example`.

    Raises:
        CheckError: a class without a card cannot be used on any data that was tried.
    """
    subject = example_for(Subject.of(cls), args, shape, **data)
    found = []
    for rule in _CHECKS:
        if (rule.kinds and subject.kind not in rule.kinds) or not rule.when(subject):
            continue
        variants = rule.variants(subject) if callable(rule.variants) else rule.variants
        for variant in [(v,) for v in variants] or [()]:
            name = "-".join((rule.function.__name__, *map(str, variant)))
            found.append(Check(name, subject, rule.function, variant, rule.slow, rule.once))
    return found


def verified_tags() -> set[str]:
    """Tags that some check reads."""
    return {r.function.tag for r in _CHECKS if r.function.tag}
