"""The file of claims is read strictly, and every shipped claim can be run."""

from __future__ import annotations

import tomllib

import pytest

from bench.plan.plan import Request
from bench.study.claim_cells import plan_claims, records_of
from bench.study.claims import CLAIMS, read_claims
from bench.utils.errors import UserError
from tests.helpers import REGISTRY

SHIPPED = read_claims(REGISTRY)
ONE = """
[it]
statement = "It is so."
source = "a paper"
left = { method = "press2019", set = { sep = 24 } }
right = { method = "paste" }
task = "avatars-glasses"
profile = "small"
metric = "add_score"
direction = "higher"
margin = 0.01
seeds = "0-4"
"""


@pytest.fixture
def read(tmp_path):
    """Read the claim above with a text replaced by another one."""

    def call(old="", new="", **more):
        assert old in ONE
        path = tmp_path / "mine.toml"
        path.write_text(ONE.replace(old, new))
        return read_claims(REGISTRY, path, **more)

    return call


def test_a_claim_is_read(read):
    (claim,) = read()
    assert (claim.id, claim.metric, claim.margin) == ("it", "add_score", 0.01)
    assert str(claim.left) == "press2019[sep=24]"
    assert claim.left.row.settings == ("press2019.sep=24",)
    assert claim.sides == (claim.left, claim.right)
    (other,) = read('"higher"', '"lower"', seeds="3", profile="smoke")
    assert other.sides == (other.right, other.left)
    assert (other.left.row.seeds, other.left.row.profile) == ("3", "smoke")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("margin = 0.01", 'margin = 0.01\nnote = "x"', "unknown key 'note'"),
        ("sep = 24 }", "sep = 24 }, detial = 'x'", "unknown key 'left.detial'; did you mean"),
        ('"paste"', '"past"', "unknown method 'past'; did you mean 'paste'"),
        ("sep = 24", "sepp = 24", "unknown field of press2019 'sepp'; did you mean 'sep'"),
        ("sep = 24", "sep = 2.5", "press2019.sep=2.5: expected int"),
        ('"paste"', '"paste", set = { sep = 1 }', "paste has no configuration"),
        ('"add_score"', '"add_skore"', "unknown metric 'add_skore'; did you mean 'add_score'"),
        ('"avatars-glasses"', '"avatars"', "unknown task 'avatars'"),
        ('"small"', '"tiny"', "unknown profile 'tiny'"),
        ('"higher"', '"up"', 'direction: expected "higher" or "lower", got "up"'),
        ("0.01", '"small"', 'margin: expected a number, got "small"'),
        ('source = "a paper"', "", "it is without source"),
        ('"0-4"', '"4-0"', "--seeds '4-0'"),
        ('"press2019", set = { sep = 24 }', '"paste"', "left and right are both paste"),
        ("[it]", "[it", "expected a TOML file of claims"),
    ],
)
def test_a_wrong_claim_is_one_line_that_names_it(read, old, new, said):
    with pytest.raises(UserError) as caught:
        read(old, new)
    line = str(caught.value)
    assert said in line
    assert "\n" not in line
    assert "mine.toml" in line
    assert new == "[it" or "claim it" in line


def test_claims_are_chosen_by_id():
    names = [claim.id for claim in SHIPPED]
    chosen = read_claims(REGISTRY, only=[names[3], names[1]])
    assert [claim.id for claim in chosen] == [names[1], names[3]]
    with pytest.raises(UserError, match="unknown claim 'nothing'"):
        read_claims(REGISTRY, only=["nothing"])


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(UserError, match="cannot read the claims in"):
        read_claims(REGISTRY, tmp_path / "none.toml")


def test_the_shipped_claims_are_complete():
    tables = tomllib.loads(CLAIMS.read_text("utf-8"))
    assert len(SHIPPED) == len(tables) >= 15
    assert {claim.left.row.seeds for claim in SHIPPED} == {"0-4"}
    weights = [c for c in SHIPPED if c.left.row.settings == ("press2019.confusion_weight=0",)]
    assert [c.right.row.settings[0].rpartition("=")[2] for c in weights] == ["0.001", "0.05", "0.5"]
    assert any("press2019.zero_separate=False" in c.right.row.settings for c in SHIPPED)
    for claim in SHIPPED:
        assert claim.statement.endswith("."), claim.id
        assert claim.source, claim.id


@pytest.mark.parametrize("profile", ["smoke", "small"])
def test_every_shipped_claim_can_be_planned(profile):
    claims = read_claims(REGISTRY, profile=profile)
    planned = plan_claims(claims, Request(precision="fp32", device="cpu", dry_run=True))
    ids = [cell.id for cell in planned.plan.cells]
    assert len(ids) == len(set(ids))
    for claim in claims:
        left, right = (planned.cells[side.row] for side in (claim.left, claim.right))
        for cells, side in ((left, claim.left), (right, claim.right)):
            assert len(cells) == (5 if side.row.has_seeds else 1), claim.id
            assert {(cell.task, cell.profile) for cell in cells} == {(side.row.task, profile)}
            assert {cell.id for cell in cells} <= set(ids)
        assert claim.metric in planned.plan.versions
        if claim.left.row != claim.right.row:
            assert not {cell.id for cell in left} & {cell.id for cell in right}, claim.id


def test_rows_are_shared_and_anchors_bring_the_weights_that_they_use():
    names = ("confusion-0.001-leak", "confusion-0.05-leak", "smile-keeps-person-as-decoder")
    claims = read_claims(REGISTRY, only=names, seeds="0,1", profile="paper")
    planned = plan_claims(claims, Request(dry_run=True, metrics=("params",)))
    labels = [cell.label for cell in planned.plan.cells if cell.task == "avatars-glasses"]
    # the weight .001 is the published one, so that row is the method itself
    assert sorted(set(labels)) == [
        "press2019",
        "press2019[confusion_weight=0.05]",
        "press2019[confusion_weight=0]",
    ]
    assert len(labels) == 6
    smiles = {cell.method for cell in planned.plan.cells if cell.task == "avatars-smile"}
    assert smiles == {"press2019", "oracle-decoder", "autoencoder"}
    assert planned.plan.versions.keys() == {"params", "z1_domain_acc", "tr_common_acc"}


def test_a_claim_that_cannot_be_run_is_named(read):
    with pytest.raises(UserError, match=r"claim it: .*styles3 has 3"):
        plan_claims(read('"avatars-glasses"', '"avatars-styles3"'), Request(dry_run=True))


def test_cells_without_a_record_are_not_run(read, tmp_path):
    from bench.records.store import Store

    planned = plan_claims(read(), Request(dry_run=True))
    (missing, *_) = (records_of(cells, Store(tmp_path)) for cells in planned.cells.values())
    assert not missing.ran
    assert missing.reason == "press2019[sep=24] seed 0 has no record"
