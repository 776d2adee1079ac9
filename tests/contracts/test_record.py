"""The types of a record agree with what the suite writes."""

from __future__ import annotations

from dataclasses import replace

from bench.contracts.protocol import PROTOCOL, protocol_of
from bench.contracts.record import IDENTITY_KEYS, SCHEMA, Facts, Record
from bench.plan.plan import Request, make_plan
from bench.records.read import read_record

from ..records.test_migrate import DATA

RATE = 0.1234567890123


def planned(*settings):
    request = Request(("autoencoder", "copy-source"), seeds="0", device="cpu", precision="fp32",
                      profile="smoke", settings=settings)  # fmt: skip
    return make_plan(request).cells


def test_the_keys_of_an_identity_are_those_of_a_cell():
    for cell in planned():
        assert cell.identity.keys() == IDENTITY_KEYS
        assert cell.settings == {}


def test_an_identity_names_its_protocol_unless_it_is_the_first():
    """Records of the first protocol do not name it, and keep their ids."""
    cell = planned()[0]
    assert cell.identity["protocol"] == protocol_of(cell.identity) == PROTOCOL > 1
    first = replace(cell, protocol=1)
    assert first.identity == {k: v for k, v in cell.identity.items() if k != "protocol"}
    assert protocol_of(first.identity) == 1
    assert len({cell.id, first.id, replace(cell, protocol=PROTOCOL + 1).id}) == 3


def test_settings_hold_what_set_changed_to_the_last_digit():
    trained, anchor = planned(
        f"autoencoder.learning_rate={RATE}", "autoencoder.width=24", "profile.test_images=32"
    )
    (plain, _) = planned()
    assert trained.settings["autoencoder.learning_rate"] == RATE
    assert trained.settings["profile.test_images"] == 32
    unchanged = plain.config["width"] == 24
    assert ("autoencoder.width" in trained.settings) != unchanged
    assert anchor.settings == {"profile.test_images": 32}


def test_settings_and_label_are_no_part_of_the_id():
    cell = planned("autoencoder.width=8")[0]
    other = replace(cell, settings={}, label="other", plugins=("x.py",))
    assert other.id == cell.id
    assert other.identity == cell.identity


def test_a_record_on_disk_has_only_keys_of_the_contract():
    """A key that is written and not in the contract is one that nobody can look up."""
    record = read_record(DATA / f"schema{SCHEMA}" / "autoencoder-set.json")
    assert record.keys() == Record.__annotations__.keys()
    assert record["facts"].keys() <= Facts.__annotations__.keys()
