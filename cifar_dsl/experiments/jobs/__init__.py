"""Trainings as plain data, which can be sent to other processes, and those that run them."""

from cifar_dsl.experiments.jobs.executor import Executor
from cifar_dsl.experiments.jobs.inline import InlineExecutor
from cifar_dsl.experiments.jobs.job import (
    Began,
    EpochEnded,
    Event,
    Failed,
    Finished,
    Job,
    Noted,
    Stepped,
    Stopped,
    run_job,
)
from cifar_dsl.experiments.jobs.local import LocalExecutor

__all__ = [
    "Began",
    "EpochEnded",
    "Event",
    "Executor",
    "Failed",
    "Finished",
    "InlineExecutor",
    "Job",
    "LocalExecutor",
    "Noted",
    "Stepped",
    "Stopped",
    "run_job",
]
