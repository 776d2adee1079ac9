"""Which records share a row of the board."""

from __future__ import annotations

from bench.board.board import boards
from bench.board.frame import frame
from tests.helpers import board_record


def made_by(source, seed, label="mine", **values):
    return board_record(label, seed, **values) | {"sources": {label: source} if source else {}}


def names(records):
    return sorted(set(frame(records)["method"]))


def test_only_known_sources_tell_rows_apart():
    """case 3, siblings: a failed seed has no source; unlike sources may begin alike."""
    failed = made_by("", 2, fd_add=None)
    assert names([made_by("a" * 16, 0, fd_add=1.0), failed]) == ["mine"]
    two = [made_by("aaaaaaaa1", 0, fd_add=1.0), made_by("bbbbbbbb1", 1, fd_add=2.0)]
    assert names(two) == ["mine{source=aaaaaaaa}", "mine{source=bbbbbbbb}"]
    assert names([*two, failed]) == [*names(two), "mine{source=unknown}"]
    alike = [made_by("aaaaaaaa1", 0, fd_add=1.0), made_by("aaaaaaaa2", 1, fd_add=2.0)]
    one, other = names(alike)
    assert one.partition("#")[0] == other.partition("#")[0] == "mine{source=aaaaaaaa}"


def test_an_anchor_with_weights_of_another_method_has_the_source_of_that_method():
    oracles = [board_record("oracle-decoder", at, fd_add=float(at)) for at in range(2)]
    for record, source in zip(oracles, ("aaaaaaaa1", "bbbbbbbb1"), strict=True):
        record["sources"] = {"autoencoder": source}
    assert names(oracles) == ["oracle-decoder{source=aaaaaaaa}", "oracle-decoder{source=bbbbbbbb}"]


def test_an_anchor_of_other_images_is_no_second_seed():
    """case 3, sibling."""
    other = board_record("copy-source", fd_add=3.0)
    other["identity"]["fingerprint"] = "other"
    records = [board_record("copy-source", fd_add=1.0), other]
    assert list(frame(records)["n_seeds"]) == [1, 1]
    (board,) = boards(records)
    assert board.order == ["copy-source{fingerprint=None}", "copy-source{fingerprint=other}"]


def test_a_metric_of_other_code_and_the_same_version_stays_one_row():
    """case 3, a decision: the version of a metric is what says that its values are others."""
    records = [made_by("s", at, fd_add=float(at)) for at in range(2)]
    records[1]["sources"]["image_quality"] = "edited"
    assert names(records) == ["mine"]
