"""The forms appliance: one machine, one command, a whole forms platform."""

__version__ = "0.1.0"
