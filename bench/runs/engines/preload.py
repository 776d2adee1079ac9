"""Imported once by the process that workers are forked from, so that a cell starts in no time."""

import pandas
import scipy.stats
import sklearn.ensemble
import sklearn.linear_model
import sklearn.svm

import bench.cell.run
from bench.utils import compat

compat.torch_fidelity()
__all__ = ["bench", "pandas", "scipy", "sklearn"]
