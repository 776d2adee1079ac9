"""Made-up input: whatever a file or an option holds, the answer is a result or one clear line."""

from __future__ import annotations

import copy
import io
import json
import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.console import Console

from bench.board.board import boards
from bench.board.frame import frame
from bench.board.output.latex import latex_table
from bench.board.output.markdown import csv, markdown
from bench.board.output.page import page_of, print_pages
from bench.board.output.view import View
from bench.check import baseline as baselines
from bench.check.check import LAYERS
from bench.check.compare import compare_records
from bench.check.findings import exit_code
from bench.check.golden.compare import compare_golden
from bench.check.reports import as_json, as_junit, as_markdown, github_lines
from bench.cli.options import names_in
from bench.contracts.labels import brackets, split_names
from bench.plan.configure import configure
from bench.plan.profiles import Setting, choose_profile
from bench.plan.shard import Shard
from bench.plan.tuned import Origin
from bench.records.read import Damaged, cell_of, read_record
from bench.records.store import Store
from bench.utils.errors import Exit, UserError
from bench.utils.hashing import safe
from bench.utils.seeds import MOST, parse_seeds
from tests.check.made_records import check_record, check_records
from tests.helpers import REGISTRY

FEW = settings(max_examples=100, derandomize=True, deadline=None, database=None)
MANY = settings(max_examples=500, derandomize=True, deadline=None, database=None)

# --- files that were changed ---------------------------------------------------------------------

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.sampled_from([10**400, -1, 0, 1e308, -1e308, 5e-324, 1e60, 0.5]),
    st.floats(allow_nan=True, allow_infinity=True),
    st.text(max_size=8),
    st.sampled_from(
        ["", "ok", "failed", "copy-source", "a|b", "\x1b[2J", "\ud800", "=1", "{", "["]
    ),
    st.just([]),
    st.just({}),
    st.just([None]),
    st.just({"": 1}),
)
"""What somebody, or a disk, puts in the place of a value."""


def places(value, path=()):
    """Return the path of everything in a JSON value but itself."""
    inside = value.items() if isinstance(value, dict) else enumerate(value)
    for key, item in inside if isinstance(value, dict | list) else ():
        yield (*path, key)
        yield from places(item, (*path, key)) if isinstance(item, dict | list) else ()


@st.composite
def harmed(draw, whole_one, most=3):
    """Draw a JSON value of which a few things were dropped, replaced or doubled."""
    made = copy.deepcopy(whole_one)
    for _ in range(draw(st.integers(1, most))):
        known = list(places(made))
        if not known:
            break
        path = draw(st.sampled_from(known))
        place = made
        for key in path[:-1]:
            place = place[key]
        what = draw(st.sampled_from(("drop", "replace", "replace", "double")))
        if what == "drop":
            del place[path[-1]]
        elif what == "replace":
            place[path[-1]] = copy.deepcopy(draw(ODD))
        elif isinstance(place, list):
            place.append(copy.deepcopy(place[path[-1]]))
        else:
            place[draw(st.text(max_size=3))] = copy.deepcopy(place[path[-1]])
    return made


SOUND = check_records(range(3))
for one in SOUND[:3]:
    details = {"chance": [0.4, 0.6], "beard": {"value": 0.5}, "floor": 2.0}
    one["metrics"]["z1_domain_acc"]["detail"] = details
    one["metrics"]["fd_add"]["detail"] = details
    one["metrics"]["leak_z1_specific"] = one["metrics"]["fd_add"] | {"better": "near 1"}
    one["facts"]["scoring"] = {"some": {"cpu_seconds": 1.0, "numbers": list(one["metrics"])}}
    one["environment"]["options"] = {"a": "/x", "skip_bad": True}
SOUND = json.loads(json.dumps(SOUND))
BASE = baselines.make(SOUND, "smoke", "first", None, "now")
GOLDEN = {
    "pixels": "p",
    "metrics": {
        "fd_add": {"value": 1.0, "lo": None, "hi": 2.0, "n": 5, "version": 1, "status": "ok",
                   "tolerance": {"value": 0.1, "lo": 0.0, "hi": 0.1, "n": 0.0}},
    },
    "training": {"mine": {"add mean": {"value": 3.0, "tolerance": 0.5}}},
    "rows": {"mine": {"method": "mine", "config": {"width": 4}, "side": 32}},
}  # fmt: skip
NOW = {"pixels": "p", "metrics": GOLDEN["metrics"], "training": {"mine": {"add mean": 3.0}},
       "raised": {}, "refused": {}}  # fmt: skip


def or_refused(function, *arguments):
    """Return what a function gives, or None where it refuses in one line."""
    try:
        return function(*arguments)
    except UserError as error:
        said = str(error)
    assert said
    return None


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


def look_at_everything(records):
    """Compute all that is computed from records."""
    table = frame(records)
    made = boards(records, table)
    markdown(made).encode()
    csv(table).encode()
    for one in records:
        assert cell_of(one).name.isascii()
        assert cell_of(one).sizes.size > 0
    tell(compare_records(BASE, records, LAYERS))
    baselines.changes(BASE, BASE | {"rows": baselines.rows_of(records)})


def tell(findings):
    code = exit_code(findings, lenient=False)
    assert code in Exit
    as_json(findings, code, "b")
    (
        as_junit(findings) + as_markdown(findings, code, "b") + "".join(github_lines(findings))
    ).encode()


def check_records(changed, place):
    folder = place / "records"
    folder.mkdir(exist_ok=True)
    for at, one in enumerate(changed):
        (folder / f"{at}.json").write_text(json.dumps(one))
    for at in range(len(changed), 9):
        (folder / f"{at}.json").unlink(missing_ok=True)
    good, damaged = Store(place).records()
    assert len(good) + len(damaged) == len(changed)
    look_at_everything(good)
    try:
        made = baselines.make(good, "smoke", "why", None, "now")
    except UserError:
        return
    path = place / "made.json"
    baselines.write(path, made, None)
    assert baselines.read(path)["rows"] == json.loads(json.dumps(made["rows"]))


def check_baseline(changed, place):
    path = place / "b.json"
    path.write_text(json.dumps(changed))
    found = or_refused(baselines.read, path)
    if found is None:
        return
    tell(compare_records(found, SOUND, LAYERS))
    baselines.changes(found, BASE)
    baselines.changes(BASE, found)
    if found["golden"] is not None:
        tell(compare_golden(found["golden"], NOW, 1e-4))


@FEW
@given(harmed(SOUND[:1]), st.integers(1, 3))
def test_records_that_were_changed(place, changed, beside):
    check_records([*changed, *SOUND[beside:]], place)


@FEW
@given(harmed(BASE | {"golden": GOLDEN}))
def test_baselines_that_were_changed(place, changed):
    check_baseline(changed, place)


@pytest.mark.slow
@MANY
@given(harmed(SOUND[:3], most=6))
def test_many_records_that_were_changed(place, changed):
    check_records([*changed, *SOUND[3:]][:9], place)


@pytest.mark.slow
@MANY
@given(harmed(BASE | {"golden": GOLDEN}, most=6))
def test_many_baselines_that_were_changed(place, changed):
    check_baseline(changed, place)


@FEW
@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
@example(b"[" * 50_000)
@example(b'{"schema": ' + b"9" * 5000 + b"}")
@example(b"\xef\xbb\xbf{}")
@example(b'{"schema": 1e999}')
def test_files_that_hold_anything(place, content):
    path = place / "anything.json"
    path.write_bytes(content)
    assert isinstance(read_record(path), Damaged)
    with pytest.raises(UserError):
        baselines.read(path)


# --- options -------------------------------------------------------------------------------------

ANY = st.text(max_size=30) | st.text(st.sampled_from("0123456789,-/²٣ \n"), max_size=30)


@FEW
@given(ANY)
@example("99999999999999999999999")
@example("9" * 5000)
@example("0-9999,10000-19999")
@example("0-" + "9" * 18)
@example("²")
@example("٣")
@example("1-²")
def test_seeds(text):
    seeds = or_refused(parse_seeds, text)
    if seeds is not None:
        assert 0 < len(seeds) <= MOST
        assert len(set(seeds)) == len(seeds)
        assert parse_seeds(",".join(map(str, seeds))) == seeds
        assert not set(text) & set("²٣")


@FEW
@given(st.integers(0, 10**18 - 1), st.integers(0, 50))
def test_a_range_of_seeds(first, more):
    last = min(first + more, 10**18 - 1)
    assert parse_seeds(f"{first}-{last}") == tuple(range(first, last + 1))
    assert parse_seeds(f" {first} , {first} ") == (first,)


@FEW
@given(ANY)
@example("\u0661/\u0662")  # digits, but not ours
@example("2/1")
@example("0/0")
@example("1/" + "9" * 5000)
def test_shards(text):
    shard = or_refused(Shard.parse, text)
    if shard is not None:
        assert 1 <= shard.index <= shard.count
        assert Shard.parse(str(shard)) == shard


@FEW
@given(ANY)
def test_any_setting_is_read_or_refused(text):
    setting = or_refused(Setting.parse, text)
    if setting is not None:
        owner, field, value = setting.owner, setting.field, setting.text
        assert Setting.parse(f"{owner}.{field}={value}") == setting
        plugin = REGISTRY.find("method", "press2019")
        or_refused(configure, plugin, Origin(), [setting])
        or_refused(choose_profile, "smoke", [setting])


PRESS = ("sep", "learning_rate", "confusion", "reconstruction", "width", "clip_norm", "batch_size")


@FEW
@given(st.sampled_from(PRESS), st.text(max_size=20) | st.floats().map(str) | st.integers().map(str))
@example("sep", "٣")
@example("sep", "²")
@example("sep", "9" * 5000)
@example("learning_rate", "1e999")
@example("learning_rate", "0.00123456789")
def test_a_setting_of_a_method_gives_a_configuration_that_json_holds(field, value):
    plugin = REGISTRY.find("method", "press2019")
    setting = or_refused(Setting.parse, f"press2019.{field}={value}")
    found = or_refused(configure, plugin, Origin(), [setting]) if setting else None
    if found is not None:
        label, config = found
        assert json.loads(json.dumps(config, allow_nan=False)) == config
        assert split_names(label) == [label]


@FEW
@given(
    st.sampled_from(["size", "train_images", "budget_tflops", "probes", "name"]),
    ANY | st.floats().map(str),
)
def test_a_setting_of_a_profile(field, value):
    setting = or_refused(Setting.parse, f"profile.{field}={value}")
    profile = or_refused(choose_profile, "smoke", [setting]) if setting else None
    if profile is not None:
        assert split_names(profile.name) == [profile.name]
        assert json.dumps(profile.numbers(), allow_nan=False)


VALUE = st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=12)
CHANGES = st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), VALUE, max_size=4)


@FEW
@given(CHANGES, CHANGES)
def test_labels_are_one_name_each_and_unlike_for_unlike_changes(one, other):
    labels = [f"m{brackets(changes)}" for changes in (one, other)]
    assert split_names(" ".join(labels)) == labels
    assert names_in([f"x,{labels[0]}", f"{labels[1]} y"]) == ("x", *labels, "y")
    kinds = [{key: type(value) for key, value in changes.items()} for changes in (one, other)]
    if kinds[0] == kinds[1]:
        assert (labels[0] == labels[1]) == (one == other)


@FEW
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_in_a_label_is_the_number(value):
    text = brackets({"x": value})[3:-1]
    assert float(text) == value
    short = f"{value:g}"
    assert (text == short) or not math.isclose(float(short), value, rel_tol=0, abs_tol=0)


@FEW
@given(st.lists(st.text(max_size=12), max_size=4))
def test_names_of_an_option(texts):
    try:
        names = names_in(texts)
    except UserError:  # where there is none in all that was given
        assert texts
        assert not any(split_names(text) for text in texts)
        return
    assert all(names)
    whole = [name for name in names if split_names(name) == [name]]
    assert names_in(whole) == tuple(whole)


@FEW
@given(st.text(max_size=200))
@example("\ud800")
@example("../../etc/passwd")
@example("٣²ß漢")
def test_a_name_as_a_part_of_a_files_name(name):
    made = safe(name)
    assert made.isascii()
    assert len(made) <= 100
    assert not set(made) & set('/\\:*?"<>| \0')
    assert safe(made) == made


@FEW
@given(st.text(max_size=20), st.text(max_size=20))
@example("a|b", "\x1b[2J")
@example("=1+1", "\ud800")
def test_any_name_on_a_board_and_on_the_console(name, reason):
    odd = check_record(name or "m")
    odd["identity"]["task"] = odd["metrics"]["fd_add"]["meaning"] = name
    odd["metrics"]["params"] |= {"value": None, "status": "failed", "reason": reason}
    (board,) = boards([odd])
    heads = {line.count("|") - line.count("\\|") for line in markdown([board]).splitlines()
             if line.startswith("|")}  # fmt: skip
    assert heads
    for view in (View(), View(wide=True)):
        print_pages(Console(file=io.StringIO(), width=80), [page_of(board)], view)
    assert latex_table(board).count(r"\\") == 2
