"""Measure any model on proven cases: accuracy, calibration, safety, abstention, and a baseline beside it."""

from hepagraph.inference.evaluation.predictors import (
    NaiveBayesPredictor,
    NetworkPredictor,
    Prediction,
    Predictor,
    ReasonerPredictor,
)
from hepagraph.inference.evaluation.proven import ProvenCase, Truth, TruthReader
from hepagraph.inference.evaluation.report import Evaluation, ModelReport
from hepagraph.inference.evaluation.runner import Settings, evaluate

__all__ = [
    "Evaluation",
    "ModelReport",
    "NaiveBayesPredictor",
    "NetworkPredictor",
    "Prediction",
    "Predictor",
    "ProvenCase",
    "ReasonerPredictor",
    "Settings",
    "Truth",
    "TruthReader",
    "evaluate",
]
