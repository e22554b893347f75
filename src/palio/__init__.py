"""Palio runs image-AI challenges that are won by code."""

__version__ = "0.1.0"
