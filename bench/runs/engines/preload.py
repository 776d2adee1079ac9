"""The fork server imports this module once, so that each worker starts without delay."""

import pandas
import scipy.stats
import sklearn.ensemble
import sklearn.linear_model
import sklearn.svm

import bench.cell.run
from bench.utils import compat

compat.torch_fidelity()
__all__ = ["bench", "pandas", "scipy", "sklearn"]
