"""The fork server imports this module once, so that each worker starts without delay.

It holds what all workers share. Torchvision and torch-fidelity are not here: only a cell that
computes distances between sets of images needs them.
"""

import scipy.stats
import sklearn.ensemble
import sklearn.linear_model
import sklearn.svm

import bench.cell.run

__all__ = ["bench", "scipy", "sklearn"]
