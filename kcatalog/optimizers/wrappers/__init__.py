"""Wrappers change what an optimizer is given, or what it leaves behind."""
