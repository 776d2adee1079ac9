"""Reimplementations against numbers recorded from the reference implementations.

The vectors are `tests/golden/METHOD.json` and `METHOD_float64.json`, or those in the folder that
`BENCH_GOLDEN_DIR` names. A test iterates over whatever groups a file holds; a file that is missing
is skipped. Each file states the scheme by which weights and inputs are made from seeds.
"""

from __future__ import annotations

from tests.parity_did2019 import TestDID2019
from tests.parity_double_infogan import TestDoubleInfoGAN
from tests.parity_drit import TestDRIT, TestDRITFloat64
from tests.parity_fader import TestFader
from tests.parity_mask2020 import TestMask2020
from tests.parity_munit import TestMUNIT
from tests.parity_press2019 import TestPress2019
from tests.parity_sepvae import TestSepVAE
from tests.parity_ufdn import TestUFDN, TestUFDNFloat64

__all__ = [
    "TestDID2019",
    "TestDRIT",
    "TestDRITFloat64",
    "TestDoubleInfoGAN",
    "TestFader",
    "TestMUNIT",
    "TestMask2020",
    "TestPress2019",
    "TestSepVAE",
    "TestUFDN",
    "TestUFDNFloat64",
]
