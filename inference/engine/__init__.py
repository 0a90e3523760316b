"""The compiled engine: lanes, bits and blocks, run by a native kernel or by NumPy."""

from hepagraph.inference.engine.engine import Engine
from hepagraph.inference.engine.whatifs import Survey

__all__ = ["Engine", "Survey"]
