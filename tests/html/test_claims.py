"""The verdicts that `bench claims` left."""

from __future__ import annotations

import shutil

from bench.html.claims import VERDICTS, verdicts_in
from tests.helpers import ROOT


def test_decided_claims_come_first(tmp_path):
    shutil.copy(ROOT / "results" / "claims" / "claims.csv", tmp_path)
    found = verdicts_in(tmp_path)
    places = [VERDICTS.index(one.verdict) for one in found]
    assert places == sorted(places)
    assert found[0].claim == "confusion-0.05-leak"
    assert found[0].difference == "0.153 [0.103, 0.203]"


def test_without_claims_there_are_none(tmp_path):
    assert verdicts_in(tmp_path) is None
    (tmp_path / "claims.csv").write_text("other,columns\n1,2\n")
    assert verdicts_in(tmp_path) is None
    (tmp_path / "claims.csv").write_bytes(b"\xff\xfe")
    assert verdicts_in(tmp_path) is None


def test_a_text_that_looked_like_a_formula_is_shown_as_it_was(tmp_path):
    (tmp_path / "claims.csv").write_text("claim,verdict,statement\n'=1+1,supported,'tis so\n")
    (one,) = verdicts_in(tmp_path)
    assert (one.claim, one.statement) == ("=1+1", "'tis so")
