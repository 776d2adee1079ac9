"""Starts Ray on this machine, or connects to the cluster that RAY_ADDRESS names."""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import ray

from bench.utils.errors import UserError

if TYPE_CHECKING:
    from bench.cell.job import Job

CONNECT_SECONDS = 10.0
"""How long to wait for an answer at RAY_ADDRESS."""


@contextmanager
def connected(jobs: Sequence[Job], workers: int) -> Iterator[bool]:
    """Use Ray in a block; yield whether it is a cluster, which may have other machines.

    Raises:
        UserError: there is no cluster at RAY_ADDRESS, or Ray does not start here.
    """
    address = os.environ.get("RAY_ADDRESS", "")
    is_cluster = address not in ("", "local")
    options = {"address": address} if is_cluster else _local_options(jobs, workers)
    try:
        _check_address(address)
        ray.init(log_to_driver=False, logging_level=logging.ERROR, **options)
    except (OSError, ValueError, RuntimeError) as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        if is_cluster:
            message = (
                f"no Ray cluster at RAY_ADDRESS={address} ({reason}): "
                "correct the address, or unset it to run on this machine"
            )
        elif "AF_UNIX" in str(error):
            message = (
                f"Ray does not start here ({reason}): "
                "set RAY_TMPDIR to a folder with a shorter path"
            )
        else:
            message = f"Ray does not start here ({reason}): repair it, or use --engine process"
        raise UserError(message) from error
    try:
        yield is_cluster
    finally:
        ray.shutdown()


def _local_options(jobs: Sequence[Job], workers: int) -> dict[str, Any]:
    """Return the arguments of `ray.init` that start Ray on this machine."""
    gpus = 0
    if any(needs_gpu(job) for job in jobs):
        import torch

        gpus = torch.cuda.device_count()
    return {
        "address": "local",
        "num_cpus": workers * max(job.cell.threads for job in jobs),
        "num_gpus": gpus,
        "include_dashboard": False,
    }


def _check_address(address: str) -> None:
    """Raise OSError if nothing answers at an address; Ray itself would retry for minutes."""
    host, colon, port = address.rpartition("/")[2].rpartition(":")
    if colon and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=CONNECT_SECONDS).close()


def num_slots(jobs: Sequence[Job]) -> int:
    """Return how many cells the cluster can run at a time.

    Every cell is assumed to need as much as the cell that needs most.
    """
    resources = ray.cluster_resources()
    slots = resources.get("CPU", 0) / max(job.cell.threads for job in jobs)
    if any(needs_gpu(job) for job in jobs):
        slots = min(slots, resources.get("GPU", 0) * jobs[0].cells_per_gpu)
    return int(slots)


def needs_gpu(job: Job) -> bool:
    """Return whether a job needs a GPU; scoring alone runs on the CPU."""
    return job.cell.device == "cuda" and job.may_train
