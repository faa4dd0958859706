"""Executors: wrappers around any policy that keep an arm smooth while a slow model thinks."""

from tandem.policies.executors.asynchronous import Asynchronous
from tandem.policies.executors.ensemble import Ensemble
from tandem.policies.executors.executor import Executor, Options
from tandem.policies.executors.flow import Drawing, FlowPolicy, Sampler
from tandem.policies.executors.metrics import Metrics, Summary
from tandem.policies.executors.named import EXECUTORS, Choice, executor_named
from tandem.policies.executors.open_loop import OpenLoop
from tandem.policies.executors.real_time import RealTimeChunking
from tandem.policies.executors.timestamped import Timestamped

__all__ = [
    "EXECUTORS",
    "Asynchronous",
    "Choice",
    "Drawing",
    "Ensemble",
    "Executor",
    "FlowPolicy",
    "Metrics",
    "OpenLoop",
    "Options",
    "RealTimeChunking",
    "Sampler",
    "Summary",
    "Timestamped",
    "executor_named",
]
