"""Where models compute: one device, several of one host, or many hosts."""

from kcatalog.recipe.devices.base import Devices
from kcatalog.recipe.devices.select import feeding, parse, replicas, understood, using

__all__ = ["Devices", "feeding", "parse", "replicas", "understood", "using"]
