"""What kind of machine a run was on: speed is compared between machines of one kind only."""

from __future__ import annotations

import pytest

from bench.records import environment

X86 = """processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: 25
model\t\t: {model}
model name\t: AMD EPYC
stepping\t: 1

processor\t: 1
model\t\t: 99
"""
ARM = "processor\t: 0\nCPU implementer\t: 0x41\nCPU part\t: 0xd40\n"
PROCESSORS = {
    X86.format(model=1): "AMD EPYC (family 25, model 1, stepping 1)",
    X86.format(model=17): "AMD EPYC (family 25, model 17, stepping 1)",
    ARM: "aarch64 (implementer 0x41, part 0xd40)",
    None: "aarch64",
}


@pytest.mark.parametrize("said", PROCESSORS)
def test_generations_of_processors_with_one_name_are_told_apart(said, tmp_path, monkeypatch):
    place = tmp_path / "cpuinfo"
    if said is not None:
        place.write_text(said, "utf-8")
    monkeypatch.setattr(environment, "_CPUINFO", place)
    monkeypatch.setattr("platform.processor", lambda: "")
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    assert environment._processor() == PROCESSORS[said]


@pytest.mark.parametrize("part", ["cpu", "cpu_capability", "onednn_max_cpu_isa", "torch"])
def test_another_processor_or_torch_is_another_kind_of_machine_and_another_commit_is_not(part):
    here = environment.describe("cpu")
    assert environment.machine_of(here | {"commit": "other"}) == environment.machine_of(here)
    assert environment.machine_of(here | {part: "other"}) != environment.machine_of(here)


def test_only_libraries_that_are_imported_are_asked_for_their_version(monkeypatch):
    import sys
    from types import SimpleNamespace

    monkeypatch.setitem(sys.modules, "pandas", SimpleNamespace(__version__="9.9"))
    monkeypatch.delitem(sys.modules, "torch_fidelity", raising=False)
    found = environment.describe("cpu")["versions"]
    assert found["pandas"] == "9.9"
    assert "torch_fidelity" not in found
