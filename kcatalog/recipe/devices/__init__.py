"""Devices for training: one, several of one host, or those of many hosts."""

from kcatalog.recipe.devices.select import Devices, callbacks, parse, replicas, resolve, using

__all__ = ["Devices", "callbacks", "parse", "replicas", "resolve", "using"]
