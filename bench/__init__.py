"""contentbench: the benchmark for content transfer and feature disentanglement.

Read `bench.contracts.task` first: it is the manual of the suite.
"""

__version__ = "0.1.0"
