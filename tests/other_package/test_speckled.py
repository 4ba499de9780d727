"""The file with which the author of another package checks their parts."""

from speckled.noise import Plain, Speckle

import kcatalog


@kcatalog.conformance.parametrize([Speckle, (Plain, {"shape": (4,)})])
def test_conformance(check):
    check.run()
