"""Random draws in which every item comes up equally often, found by number."""

import numpy as np


class Rounds:
    """Endless draws of `size` different items out of `items`; `rounds[n]` is draw number n.

    A lap is a shuffle of the items, dealt out `size` at a time. Where that leaves a rest of
    items, those sit the lap out. Who does, goes round a circle, so that in `items` laps each has
    sat out equally often; then the circle is shuffled. Hence draw n, and how often an item came
    up before it, are functions of n alone: nothing has to be replayed, and no two machines that
    know the key have to talk.

    No item sits out more than two laps running.

    Args:
        items: How many items there are.
        size: How many are drawn at a time, `items` at most.
        key: Whole numbers that make these draws different from others.

    >>> rounds = Rounds(5, 2, key=(0,))
    >>> draws = np.concatenate([rounds[n] for n in range(2 * 5)])  # five laps of two draws
    >>> np.bincount(draws).tolist()
    [4, 4, 4, 4, 4]
    """

    def __init__(self, items: int, size: int, key: tuple[int, ...]):
        self.items, self.size, self.key = items, size, key
        self._per_lap, self._rest = divmod(items, size)
        self._circles, self._laps = (None, None), (None, None)  # the last one made of each

    def __getitem__(self, number: int) -> np.ndarray:
        lap, place = divmod(number, self._per_lap)
        return self._lap(lap)[place * self.size : (place + 1) * self.size]

    def before(self, number: int, chosen: np.ndarray) -> np.ndarray:
        """Count how often each of the items `chosen` of draw `number` came up before it."""
        lap = number // self._per_lap
        cycle, turn = divmod(lap, self.items)
        seats = np.argsort(self._circle(cycle))[chosen]
        full, part = divmod(turn * self._rest, self.items)
        return lap - (cycle * self._rest + full + (seats < part))

    def _lap(self, lap: int) -> np.ndarray:
        """Return the items that take part in this lap, shuffled."""
        last, order = self._laps
        if last != lap:
            cycle, turn = divmod(lap, self.items)
            seats = (turn * self._rest + np.arange(self._rest)) % self.items
            present = np.delete(self._circle(cycle), seats)
            order = np.random.default_rng((*self.key, 0, lap)).permutation(present)
            self._laps = lap, order  # one assignment: other threads see all of it or nothing
        return order

    def _circle(self, cycle: int) -> np.ndarray:
        """Return the items in the order in which they sit out."""
        last, circle = self._circles
        if last != cycle:
            circle = np.random.default_rng((*self.key, 1, cycle)).permutation(self.items)
            self._circles = cycle, circle
        return circle
