"""launch/evaluate.py as people run it: real processes, killed and resumed, and every episode counted once."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

import evaluate
import pytest
from composition import Rig, System
from evaluate import Options, main
from evaluating import evaluation as evaluating
from evaluating.changes import ARMS, changed
from evaluating.crew import WorkerDied
from evaluating.folder import Folder
from evaluating.local_crew import LocalCrew
from evaluating.worker import Order, Worker

from tandem.agent.evaluation import results
from tandem.agent.evaluation.manifests import differences
from tandem.agent.evaluation.results import EPISODE, INFRASTRUCTURE, Address, Record
from tandem.bridge.client import Contact, Link
from tandem.bridge.contract import InvalidOption, MissingDependency, UnknownName
from tandem.bridge.log import LogReader

SYSTEM = ("--planner", "scripted", "--policy", "demonstrator", "--verifier", "predicate")
WITHIN_S = 120


def start(out, *options):
    command = [sys.executable, evaluate.__file__, *SYSTEM, "--out", out, *options]
    return subprocess.Popen([*map(str, command)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            start_new_session=True)


def end(process, code=0):
    """What it prints, after it has ended with this code."""
    try:
        told, _ = process.communicate(timeout=WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert process.returncode == code, told
    return told


def run(out, *options):
    return end(start(out, *options))


def lines(out):
    path = out / results.RESULTS_FILE
    return path.read_bytes().count(b"\n") if path.exists() else 0


def until(condition, within_s=60.0):
    end_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < end_s, "it did not happen in time"
        time.sleep(0.02)


def workers_of(process):
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            if b"local_worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def said(out):
    """The finished records by address, without what is the machine's and the clock's."""
    mine = ("wall_s", "plan_latency_s", "host", "log")
    found = {}
    for address, record in results.load(out).episodes.items():
        plain = {name: value for name, value in asdict(record).items() if name not in mine}
        found[address] = plain | {"latencies": len(record.plan_latency_s)}
    return found


def complete(out):
    """Whether every planned episode is there, and none twice."""
    evaluation = results.load(out)
    counted = Counter(record.address for record in evaluation.tries if record.kind == EPISODE)
    return set(counted) == set(evaluation.planned) and set(counted.values()) == {1}


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Six episodes by one worker, and what it printed."""
    out = tmp_path_factory.mktemp("alone") / "alone"
    told = run(out, "--tasks", "pick_place", "stack", "--episodes", 3, "--json", out.parent / "alone.json")
    return out, told


def test_results_do_not_depend_on_workers_or_batches(alone, tmp_path):
    one, _ = alone
    run(tmp_path / "two", "--tasks", "pick_place", "stack", "--episodes", 3, "--workers", 2, "--record", "none")
    assert complete(one)
    assert said(one) == said(tmp_path / "two")
    run(tmp_path / "late", "--tasks", "stack", "--episodes", 1, "--first-seed", 2, "--record", "none")
    assert said(one)[Address("stack", 2, 2)] == said(tmp_path / "late")[Address("stack", 0, 2)] | {"index": 2}
    digests = {record["state_digest"] for record in said(one).values()}
    assert len(digests) == 6
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in digests)


def test_the_summary_is_printed_and_written(alone):
    out, told = alone
    assert "ground truth was used in 6 episodes" in told
    plain = json.loads((out.parent / "alone.json").read_text())
    assert (plain["episodes"], plain["success"], plain["false_success"], plain["infrastructure_errors"]) == (6, 1, 0, 0)
    assert plain["wilson_low"] == pytest.approx(0.61, abs=0.01)
    assert set(plain["tasks"]) == {"pick_place", "stack"}
    plan = results.load(out).plan
    assert plan["system"]["planner"] == "scripted"
    assert "task" not in plan["system"]
    assert plan["versions"]["mujoco"]
    assert not [*(out / "logs").iterdir()], "of successes no log is kept"


def test_killed_with_its_workers_at_work_and_resumed_nothing_is_counted_twice(tmp_path):
    out, options = tmp_path / "out", ("--tasks", "pick_place", "--episodes", 8, "--workers", 2, "--record", "all")
    process = start(out, *options)
    until(lambda: lines(out) >= 2)
    workers = workers_of(process)
    process.kill()
    process.wait()
    assert len(workers) == 2
    until(lambda: not any(map(alive, workers)), within_s=5)
    before = lines(out)
    with (out / results.RESULTS_FILE).open("ab") as stream:
        stream.write(b'{"task": "pick_place", "ind')  # the kill may strike within a line, too
    process = start(out, *options, "--resume")
    until(lambda: lines(out) >= before + 3)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    told = end(process, 130)
    assert "go on with --resume" in told
    assert re.search(r"pick_place\W+[3-7]/8", told)
    run(out, *options, "--resume")
    assert complete(out)
    logs = {path.name for path in (out / "logs").iterdir()}
    assert logs == {record.log for record in results.load(out).episodes.values()}
    assert len(logs) == 8
    assert LogReader(out / "logs" / "pick_place-7-seed7.mcap").result["success"]


def test_a_worker_that_waits_for_work_ends_when_nobody_is_left_to_give_it(tmp_path):
    crew = LocalCrew(Order(System(planner="scripted")), tmp_path, threads=1)
    hand = crew.hire()
    hand.ask({"describe": ["stack"]})
    assert crew.wait([hand], WITHIN_S) == [hand]
    assert set(hand.answer()) == {"about"}
    hand._process.stdin.close()  # as the kernel does it for a parent that is gone
    assert hand._process.wait(10) == 0
    hand.dismiss()


def test_a_worker_that_is_killed_is_counted_apart_and_its_episode_tried_again(tmp_path):
    out = tmp_path / "out"
    process = start(out, "--tasks", "stack", "--episodes", 6, "--workers", 2, "--record", "none")
    until(lambda: lines(out) >= 1)
    os.kill(workers_of(process)[0], signal.SIGKILL)
    told = end(process)
    [broken] = results.load(out).infrastructure
    assert (broken.failure, broken.success) == ("WORKER_DIED", None)
    assert "signal 9" in broken.reason
    assert complete(out)
    assert "1 tries broke for reasons that are not the agent's" in told


def test_a_body_that_will_not_begin_costs_no_episode_and_once_it_does_the_rest_is_run(tmp_path, controller):
    out, options = tmp_path / "out", ("--tasks", "pick_place", "--episodes", 1, "--policy", "motion")
    with controller("--lockstep", driver="sim") as endpoint:
        link = Link(Contact.at(endpoint), name="person")
        fault = link.stop("a hand in the cell")
        told = end(start(out, *options, "--body", endpoint, "--verifier", "observation"), 3)
        assert "1 episodes broke every time" in told
        tries = results.load(out).tries
        assert {(record.kind, record.failure) for record in tries} == {(INFRASTRUCTURE, "BODY_STOPPED")}
        assert "a hand in the cell" in tries[0].reason
        link.clear(fault)
        link.close()
        run(out, *options, "--body", endpoint, "--verifier", "observation", "--resume")
    assert [record.kind for record in results.load(out).episodes.values()] == [EPISODE]


def test_another_system_or_other_tasks_are_not_resumed(alone):
    out, _ = alone
    before = lines(out)
    for option, told in (
        (("--difficulty", 0.9), "another system.difficulty: it was 0.5, now 0.9"),
        (("--first-seed", 7), "another first_seed: it was 0, now 7"),
        (("--tasks", "sort"), "another tasks"),
        ((), "--resume it, or choose another --out"),
    ):
        tasks = () if "--tasks" in option else ("--tasks", "pick_place", "stack")
        process = start(out, *tasks, "--episodes", 3, *option, *(("--resume",) if option else ()))
        assert told in " ".join(end(process, 2).split())
    assert lines(out) == before


def test_two_do_not_write_to_one_folder(tmp_path):
    folder = Folder(tmp_path, resume=False)
    with pytest.raises(InvalidOption, match="another process"):
        Folder(tmp_path, resume=True)
    folder.close()
    Folder(tmp_path, resume=True).close()


def test_what_was_otherwise_when_it_was_resumed_is_kept_and_compared(tmp_path):
    def begin(commit):
        folder = Folder(tmp_path, resume=True)
        try:
            folder.begin({"system": {}, "tasks": ["sort"], "episodes": 1, "first_seed": 0, "git": {"commit": commit}})
        finally:
            folder.close()

    begin("a")
    other = results.load(tmp_path).plan
    for commit in ("a", "b", "b", "a", "c"):
        begin(commit)
    assert results.load(tmp_path).plan["resumed"] == {"git.commit": ["b", "c"]}
    (found,) = differences(results.load(tmp_path).plan, other)
    assert (found.path, found.first, found.explains) == ("resumed.git.commit", ["b", "c"], True)
    results.append(tmp_path, Record("sort", 0, 0, success=True))
    begin("d")  # nothing is left to run
    assert results.load(tmp_path).plan["resumed"] == {"git.commit": ["b", "c"]}


def test_logs_of_failures_are_kept_and_no_others(tmp_path):
    out = tmp_path / "out"
    run(out, "--tasks", "pick_place", "--episodes", 4, "--horizon-s", 5.5, "--record", "failures")
    episodes = results.load(out).episodes.values()
    assert {record.success for record in episodes} == {True, False}
    for record in episodes:
        assert (record.log is None) == record.success
        assert record.success or LogReader(out / "logs" / record.log).result["failure"] == record.failure


class Fake:
    """A crew in this process whose workers do what they are told by task: work, raise, die or hang."""

    def __init__(self, *_):
        self.hired = 0

    def hire(self):
        self.hired += 1
        return FakeHand()

    def wait(self, hands, timeout_s):
        return [hand for hand in hands if hand.does != "hang"]

    def close(self):
        """Nothing is held."""


class FakeHand:
    does = "work"

    def ask(self, request):
        self.address = Address(*request.get("run", ("", 0, 0)))
        self.does = {"kit": "raise", "drawer": "die", "insert": "hang"}.get(self.address.task, "work")

    def answer(self):
        if not self.address.task:
            return {"about": {}}
        if self.does == "die":
            raise WorkerDied("it ended by signal 11")
        kind = INFRASTRUCTURE if self.does == "raise" else EPISODE
        failure = "ValueError" if self.does == "raise" else None
        return {"record": asdict(Record(*self.address, kind=kind, success=not failure, failure=failure)), "log": None}

    def dismiss(self):
        """It is gone."""


def test_who_breaks_every_time_is_tried_three_times_and_listed(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(evaluating, "LocalCrew", Fake)
    options = {"tasks": ("sort", "kit", "drawer", "insert"), "out": tmp_path / "out", "planner": "scripted"}
    assert main(Options(**options, episodes=1, first_seed=3, workers=2, patience_s=0.2)) == 3
    evaluation = results.load(tmp_path / "out")
    assert [record.task for record in evaluation.episodes.values()] == ["sort"]
    assert Counter((record.task, record.failure) for record in evaluation.infrastructure) == {
        ("kit", "ValueError"): 3, ("drawer", "WORKER_DIED"): 3, ("insert", "NOT_BACK"): 3}
    told = capsys.readouterr().out
    assert "3 episodes broke every time" in told
    assert "drawer 0 (seed 3)" in told
    monkeypatch.setattr(FakeHand, "ask", lambda self, request: setattr(self, "address", Address(
        *request.get("run", ("", 0, 0)))))
    assert main(Options(**options, episodes=1, first_seed=3, resume=True)) == 0
    assert complete(tmp_path / "out")


def test_when_no_episode_of_an_arm_ended_the_baseline_is_written_all_the_same(tmp_path, monkeypatch, capsys):
    class Crew(Fake):
        def __init__(self, order, *_):
            super().__init__()
            self.late = order.system.clock != "lockstep"

        def hire(self):
            hand = super().hire()
            ask = hand.ask

            def ask_late(request):
                ask(request)
                hand.does = "die" if self.late and "run" in request else "work"

            hand.ask = ask_late
            return hand

    monkeypatch.setattr(evaluating, "LocalCrew", Crew)
    told = tmp_path / "out.json"
    options = {"tasks": ("sort",), "out": tmp_path / "out", "planner": "scripted", "episodes": 2, "arms": ("latency",)}
    assert main(Options(**options, json=told)) == 3
    assert "the arms cannot be compared: no episode was finished by all" in capsys.readouterr().out
    assert (json.loads(told.read_text())["success"], json.loads(told.read_text())["arms"]) == (1.0, [])


def test_a_mistake_in_a_program_is_no_result_of_the_agent(tmp_path, monkeypatch):
    worker = Worker(Order(System(task="stack", planner="scripted"), "all"), tmp_path)

    def run(self, seed, subscribers):
        raise ZeroDivisionError(f"seed {seed}")

    monkeypatch.setattr(Rig, "run", run)
    told = worker.answer({"run": ["stack", 4, 9]})
    record = Record.from_dict(told["record"])
    assert (record.kind, record.failure, record.reason) == (INFRASTRUCTURE, "ZeroDivisionError", "seed 9")
    assert (record.address, told["log"]) == (Address("stack", 4, 9), None)
    assert not [*tmp_path.iterdir()]


def test_words_that_are_drawn_depend_on_the_seed_of_the_episode_alone():
    rig = Rig(System(planner="babble", policy="demonstrator", verifier="predicate", temperature=1.0, horizon_s=0.5))
    for seed in (3, 8):
        rig.run(seed)
        assert rig.describe()["planner"]["model"]["seed"] == seed
    rig.close()


@pytest.mark.parametrize("options, words", [
    (("--robot", "pando"), "unknown robot 'pando'. Did you mean 'panda'?"),
    (("--disturb", "camera_shift:camera=back"), "unknown camera 'back'"),
])
def test_what_cannot_be_composed_is_told_before_anything_is_written(tmp_path, options, words):
    assert words in end(start(tmp_path / "out", "--tasks", "sort", *options), 2)
    assert not (tmp_path / "out" / results.PLAN_FILE).exists()


@pytest.mark.parametrize("options, error, told", [
    ({"tasks": ("sortt",)}, UnknownName, "Did you mean 'sort'"),
    ({"tasks": ("sort", "sort")}, InvalidOption, "each once"),
    ({"episodes": 0}, InvalidOption, "at least 1"),
    ({"workers": -1}, InvalidOption, "negative"),
    ({"patience_s": float("nan")}, InvalidOption, "patience"),
    ({"arm": ("wordin=own",)}, UnknownName, "Did you mean 'wording'"),
    ({"arm": ("difficulty=hard",)}, InvalidOption, "takes a float"),
    ({"arms": ("lightning",)}, UnknownName, "Did you mean 'lighting'"),
    ({"arms": ("difficulty=0.5",)}, InvalidOption, "changes nothing"),
    ({"arms": ("latency", "latency")}, InvalidOption, "once"),
    ({"arm": ("wording",), "arms": ("latency",)}, InvalidOption, "give one"),
    ({"body": "tcp://127.0.0.1:7000", "workers": 2}, InvalidOption, "one commander"),
])
def test_options_that_mean_nothing_are_refused(tmp_path, options, error, told):
    with pytest.raises(error, match=told):
        main(Options(**{"tasks": ("sort",), "out": tmp_path / "out", "planner": "scripted"} | options))
    assert not (tmp_path / "out").exists()


def test_an_arm_changes_one_option():
    base = System(planner="scripted", disturb=("noise",))
    for name in ARMS:
        system, arm = changed(base, [name])
        [option] = arm
        assert [key for key, value in asdict(system).items() if value != asdict(base)[key]] == [option]
    system, arm = changed(base, ["disturb=camera_shift:turn_rad=0.1,shift_m=0"])
    assert system.disturb == ("noise", "camera_shift:turn_rad=0.1,shift_m=0")
    assert arm == {"disturb": ["camera_shift:turn_rad=0.1,shift_m=0"]}
    assert changed(base, ["second_look=false"])[0].second_look is False
    assert changed(base, ["horizon_s=9"])[1] == {"horizon_s": 9.0}


def test_arms_run_beside_the_baseline_from_the_same_states(tmp_path):
    out = tmp_path / "out"
    told = run(out, "--tasks", "pick_place", "--episodes", 2, "--workers", 2, "--record", "none",
               "--arms", "wording", "clock=charged:100", "--json", tmp_path / "out.json")
    assert "effect against the baseline" in told
    names = ("out", "out-wording", "out-clock-charged-100")
    base, words, slow = (results.load(tmp_path / name) for name in names)
    for arm in (words, slow):
        assert [a.state_digest for a in arm.episodes.values()] == [b.state_digest for b in base.episodes.values()]
    assert not {a.instruction for a in words.episodes.values()} & {b.instruction for b in base.episodes.values()}
    assert min(record.held_steps for record in slow.episodes.values()) > 0
    plain = json.loads((tmp_path / "out.json").read_text())
    assert [arm["arm"] for arm in plain["arms"]] == ["wording paraphrased", "clock charged:100"]
    assert [arm["also"] for arm in plain["arms"]] == [[], []] or plain["arms"][0]["also"] == ["git.dirty"]


def test_without_ray_the_remedy_is_told(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingDependency, match=r"pip install \"tandem\[ray\]\""):
        main(Options(tasks=("sort",), out=tmp_path / "out", planner="scripted", ray="auto"))


@contextmanager
def two_nodes():
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    cluster.add_node(num_cpus=1)
    try:
        yield cluster.address
    finally:
        cluster.shutdown()


def test_two_nodes_of_a_cluster_give_what_one_process_gives(alone, tmp_path, monkeypatch):
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_worker_niceness", "0")  # else its workers wait for everybody else on a busy machine
    out = tmp_path / "out"
    with two_nodes() as address:
        run(out, "--tasks", "pick_place", "stack", "--episodes", 3, "--workers", 0, "--record", "all", "--ray", address)
    assert complete(out)
    assert said(out) == said(alone[0])
    for record in results.load(out).episodes.values():
        assert LogReader(out / "logs" / record.log).result["success"]
