"""The controller in C++: built, compared with the Python codec byte for byte, driven, provoked and stopped."""

from __future__ import annotations

import importlib.util
import re
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import msgpack
import numpy as np
import pytest
import zmq

from tandem.agent.loop import Agent
from tandem.bridge import keys
from tandem.bridge.client import Contact, RemoteBody
from tandem.bridge.client.link import Grant, Link
from tandem.bridge.client.sockets import dealer, subscriber
from tandem.bridge.conformance import DummyPlanner, DummyPolicy, DummyVerifier, check_body, dummy_spec
from tandem.bridge.contract import BodyUnresponsive, Subgoal
from tandem.bridge.roles import Role
from tandem.bridge.wire import KINDS, Message, Refusal, Refused, decode, encode
from tandem.bridge.wire.codec import MAX_REPLY
from tandem.bridge.wire.kinds import Port

CPP = Path(__file__).parents[3] / "bridge" / "cpp"
GOLDEN = Path(__file__).parents[1] / "wire" / "golden"
SPEC = dummy_spec()
TASK = (Subgoal("pick", {"object": "red cube"}), Subgoal("place", {"target": "blue bin"}))
HEADERS = "#define MSGPACK_NO_BOOST\n#include <zmq.hpp>\n#include <zmq_addon.hpp>\n#include <msgpack.hpp>\n"
VALUES: dict[str, Any] = {
    "uint": 2**63 - 1, "bool": False, "str": "naïve – 机器人", "array of str": ["a", "ü" * 40],
    "array of uint": [0, 127, 128, 255, 256, 65535, 65536, 2**32 - 1, 2**32], "bin of float64": np.linspace(-1, 1, 50),
    "map": {"": {}, "x": [None, True, -1, -33, -129, -(2**40), 2**63, 2.0, 0.1, -0.0, "y" * 300, b"z" * 300]},
    "any": [{"kind": "moved", "list": list(range(20))}, 1.5, None],
}


# --- the build ---


def lacking() -> str:
    """What a build needs and is not here, "" for nothing."""
    absent = [tool for tool in ("cmake", "g++") if shutil.which(tool) is None]
    if absent:
        return ", ".join(absent)
    found = subprocess.run(["g++", "-std=c++17", "-E", "-x", "c++", "-"], input=HEADERS, capture_output=True, text=True)
    return found.stderr.strip().splitlines()[0] if found.returncode else ""


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with both programs, built without a warning."""
    if reason := lacking():
        pytest.skip(f"the controller in C++ cannot be built here (run bridge/cpp/setup.sh): {reason}")
    folder = tmp_path_factory.mktemp("cpp")
    told = ""
    for step in (["-S", str(CPP), "-B", str(folder)], ["--build", str(folder), "-j2"]):
        made = subprocess.run(["cmake", *step], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        told += made.stdout
        assert made.returncode == 0, told[-4000:]
    assert "warning:" not in told, told[-4000:]
    return folder


@contextmanager
def running(build: Path, *options: object) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A controller process and its endpoint; it ends cleanly afterwards."""
    process = subprocess.Popen([build / "tandem-controller", *map(str, options)], stdout=subprocess.PIPE, text=True)
    try:
        ready = process.stdout.readline()
        found = re.fullmatch(r"ready gantry at (tcp://\S+:\d+), session ([0-9a-f]{16})\n", ready)
        assert found, f"it said {ready!r}"
        yield process, found[1]
    finally:
        process.terminate()
        status = process.wait(5)
    assert status == 0


@pytest.fixture(scope="module")
def endpoint(build: Path) -> Iterator[str]:
    """Of a controller that every test leaves without a lease and without a fault."""
    with running(build) as (_, endpoint):
        yield endpoint


@pytest.fixture
def link(endpoint: str) -> Iterator[Link]:
    with closing(Link(Contact.at(endpoint))) as link:
        yield link


def mode(link: Link, *modes: str) -> Message:
    """The first state in one of these modes."""
    return link.watcher.wait(lambda state: state["mode"] in modes, 5.0, f"mode {' or '.join(modes)}")


def lease(link: Link) -> Grant:
    """The lease, once the arm stands."""
    mode(link, "READY")
    grant = link.acquire()
    mode(link, "LEASED")
    return grant


def verdict(link: Link, grant: Grant, rows: np.ndarray, **changes: Any) -> Message:
    """What is said to a chunk."""
    fields = {"t0": link.now(), "dt_s": 0.05, "ttl_s": 1.0} | changes
    number = link.send_chunk(grant, rows, **fields)
    end = time.monotonic() + 2
    while time.monotonic() < end:
        for said in link.verdicts():
            if said.fields.get("id", said.fields.get("chunk")) == number:
                return said
        time.sleep(0.002)
    raise AssertionError("nothing was said to a chunk")


def refused(link: Link, grant: Grant, rows: np.ndarray, code: Refusal) -> None:
    """That a chunk is refused, and moves nothing."""
    before = link.watcher.newest()["setpoint"]
    said = verdict(link, grant, rows)
    assert (said.kind, said.fields.get("code")) == ("refused", code)
    time.sleep(0.02)
    assert np.array_equal(link.watcher.newest()["setpoint"], before)


# --- bytes ---


@pytest.fixture(scope="session")
def again(build: Path) -> Callable[[Sequence[bytes]], list[str]]:
    """Decodes frames and encodes them again, in C++: hexadecimal, or "CODE: detail"."""

    def run(frames: Sequence[bytes]) -> list[str]:
        told = subprocess.run(
            [build / "tandem-golden"], input="\n".join(frame.hex() for frame in frames) + "\n", text=True,
            capture_output=True, check=True,
        )
        return told.stdout.split("\n")[:-1]  # a refusal quotes what it refuses

    return run


def sample(kind: str) -> bytes:
    """A message of that kind with a value of each type that strains it."""
    fields = {name: VALUES[field.name] for name, field in KINDS[kind].items()}
    return encode(Message(kind, fields, "0123456789abcdef", epoch=5, lease=2**32, seq=70_000, t=2**62))


def test_every_kind_is_encoded_to_the_same_bytes(again: Callable[[Sequence[bytes]], list[str]]) -> None:
    frames = {f"{kind} of this test": sample(kind) for kind in KINDS}
    frames |= {f"{path.name}": path.read_bytes() for path in sorted(GOLDEN.glob("*.bin"))}
    said = dict(zip(frames, again([*frames.values()]), strict=True))
    assert not [name for name, frame in frames.items() if said[name] != frame.hex()]


def spoilt(frame: bytes, dice: np.random.Generator) -> bytes:
    """The frame with a few bytes changed, left out or doubled."""
    data = bytearray(frame)
    for _ in range(dice.integers(1, 4)):
        where = int(dice.integers(len(data)))
        match dice.integers(5):
            case 0:
                data[where] = int(dice.integers(256))
            case 1:
                data[where] ^= 1 << int(dice.integers(8))
            case 2:
                del data[where]
            case 3:
                data[where:where] = data[where:where + 4]
            case _:
                data = data[:max(where, 1)]
    return bytes(data)


def code_of(frame: bytes) -> str:
    """What Python says to a frame: a code, "" when it is accepted."""
    try:
        decode(frame, limit=MAX_REPLY)
    except Refused as reason:
        return str(reason.code)
    return ""


def test_spoilt_messages_are_refused_as_python_refuses_them(again: Callable[[Sequence[bytes]], list[str]]) -> None:
    dice = np.random.default_rng(8)
    originals = [sample(kind) for kind in KINDS]
    frames = [spoilt(originals[int(dice.integers(len(originals)))], dice) for _ in range(4000)]
    wrong = [
        (frame.hex(), said[:80]) for frame, said in zip(frames, again(frames), strict=True)
        if (said.split(":")[0] if ":" in said else "") != code_of(frame)
    ]
    assert not wrong


ODD: list[Any] = [
    None, True, 0, 1, -1, 1.0, 2**63 - 1, 2**63, 2**64 - 1, float("nan"), float("-inf"), "", "ü" * 4096, "ü" * 4097,
    "\n", b"", bytes(8), bytes(7), np.array([1, np.nan]).tobytes(), [], ["a"] * 64, ["a"] * 65, [1] * 64, [1] * 65,
    [True], [1.0], [-1], [b"a"], [float("nan")], {}, {"a": float("inf")}, {"a": {"b": [float("nan")]}},
    {"a": [0] * 256},
    {"a": [0] * 257}, {"a": [0] * 4096}, {str(k): k for k in range(256)}, {str(k): k for k in range(257)},
    {"a": [msgpack.ExtType(5, b"x")]}, {"a": b"y"},
]


def test_every_field_takes_and_refuses_what_python_takes_and_refuses(again: Callable[[Sequence[bytes]], list[str]]
                                                                     ) -> None:
    messages = [msgpack.unpackb(sample(kind)) for kind in KINDS]
    frames = [msgpack.packb({**message, name: odd}) for message in messages for name in message for odd in ODD]
    wrong = [
        (frame.hex()[:400], told[:80]) for frame, told in zip(frames, again(frames), strict=True)
        if (told.split(":")[0] if ":" in told else "") != code_of(frame)
    ]
    assert not wrong


MALFORMED = {
    "nothing": b"", "a map that says it is huge": b"\xdf\xff\xff\xff\xff",
    "arrays that say they are": b"\xdd\0\xff\0\0" * 99, "deep": b"\x91" * 60_000,
    "bytes after it": encode(Message("ping", {"id": 1})) + b"\xc0",
    "an extension": b"\x81\xa1x\xc7\x00\x05", "a key twice": b"\x82\xa1v\x01\xa1v\x01", "a list": b"\x90",
    "a key twice within": encode(Message("reset", {"id": 1, "options": {"a": 1, "b": 2}})).replace(b"\xa1b", b"\xa1a"),
    "no UTF-8": b"\x81\xa1v\xa2\xc3\x28", "an overlong text": b"\x81\xa1v\xa2\xc0\xaf",
    "a surrogate": b"\x81\xa1v\xa3\xed\xa0\x80",
}


def test_what_is_no_message_is_malformed(again: Callable[[Sequence[bytes]], list[str]]) -> None:
    said = dict(zip(MALFORMED, again([*MALFORMED.values()]), strict=True))
    assert {name: text.split(":")[0] for name, text in said.items()} == dict.fromkeys(MALFORMED, "MALFORMED")


def make_spec() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_spec", CPP / "make_spec.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_arm_of_the_sources_is_the_dummy_gantry() -> None:
    made = make_spec().header(SPEC, "tandem.bridge.conformance:dummy_spec")
    told = "run: python bridge/cpp/make_spec.py tandem.bridge.conformance:dummy_spec > bridge/cpp/src/arm_spec.hpp"
    assert made == (CPP / "src" / "arm_spec.hpp").read_text(), told


# --- a body ---


def test_it_is_the_dummy_gantry(link: Link) -> None:
    assert SPEC.differences(link.spec) == []
    assert link.welcome["digest"] == SPEC.digest()


def test_it_keeps_the_laws_of_a_body(endpoint: str) -> None:
    bodies: list[RemoteBody] = []

    def make() -> RemoteBody:
        bodies.append(RemoteBody.at(Contact.at(endpoint), expected=SPEC))
        return bodies[-1]

    check_body(make, deterministic=False)
    for body in bodies:
        body.close()


def test_a_whole_episode_ends_at_home(endpoint: str) -> None:
    with closing(RemoteBody.at(Contact.at(endpoint), expected=SPEC)) as body:
        body.reset()
        for k in range(10):  # away from home, for the policy to have a way to go
            body.step(np.append(SPEC.home + np.array([0.01, -0.005, 0.01]) * (k + 1), 0.5))
        agent = Agent(body, DummyPlanner(TASK), DummyPolicy(SPEC), DummyVerifier())
        result = agent.run("put the red cube in the blue bin", seed=3)
        assert result.claimed
        assert result.failure is None
        state = mode(body.link, "HOLDING")
        assert np.abs(state["position"] - SPEC.home).max() < 1e-6
        assert np.allclose(state["tool"], [*state["position"], 0, 1, 0, 0])
        assert (body.link.watcher.gaps, body.link.watcher.malformed) == (0, 0)


def test_setpoints_keep_every_limit_whatever_is_asked_for(link: Link) -> None:
    """Velocity, acceleration and jerk of the setpoints themselves, and the range, under chunks that leap about."""
    grant, dice = lease(link), np.random.default_rng(1)
    low, high = SPEC.action.low, SPEC.action.high
    with subscriber(link.context, link.contact, link.ports[Port.STATE], 5000, (b"",)) as stream:
        for _ in range(40):
            rows = dice.uniform(low - 0.2, high + 0.2, (8, 4))
            rows[0] = link.watcher.newest()["setpoint"] + dice.uniform(-0.01, 0.01, 4)
            soon = link.now() + 5_000_000  # so that the first is the first
            said = verdict(link, grant, rows, t0=soon, dt_s=float(dice.choice([0.002, 0.02, 0.1])))
            assert said.kind == "accepted", said.fields
            time.sleep(float(dice.uniform(0, 0.12)))
        last = mode(link, "HOLDING").seq
        link.release(grant)
        messages = [decode(stream.recv_multipart()[1], limit=MAX_REPLY)]
        while messages[-1].seq < last:
            messages.append(decode(stream.recv_multipart()[1], limit=MAX_REPLY))
    assert np.all(np.diff([message.seq for message in messages]) == 1), "a message is missing"
    states = [message for message in messages if message.kind == "state"]
    position = np.array([state["setpoint"][:3] for state in states])
    within = {"velocity": SPEC.velocity_limit, "acceleration": SPEC.acceleration_limit, "jerk": SPEC.jerk_limit}
    for order, (name, limit) in enumerate(within.items(), 1):
        share = (np.abs(np.diff(position, order, axis=0)) * link.limits["tick_hz"] ** order / limit).max()
        assert 0.9 < share <= 1.0, f"{name} to {share:.4f} of its limit"
    assert np.all((position >= SPEC.position_low) & (position <= SPEC.position_high))
    assert np.ptp(position, axis=0).min() > 0.2


# --- what is refused ---


def test_not_a_number_is_refused(link: Link) -> None:
    grant = lease(link)
    rows = np.repeat(link.watcher.newest()["setpoint"][None], 3, axis=0)
    rows[2, 1] = np.nan
    refused(link, grant, rows, Refusal.NOT_FINITE)
    link.release(grant)


def test_a_stale_lease_commands_nothing(link: Link) -> None:
    old = lease(link)
    link.release(old)
    grant = lease(link)
    rows = link.watcher.newest()["setpoint"][None]
    refused(link, Grant(old.token, grant.epoch), rows, Refusal.STALE_LEASE)
    refused(link, Grant(grant.token, old.epoch), rows, Refusal.STALE_EPOCH)
    refused(link, Grant(0, grant.epoch), rows, Refusal.NO_LEASE)
    assert verdict(link, grant, rows).kind == "accepted"
    mode(link, "HOLDING")
    link.release(grant)


def test_lockstep_and_questions_are_not_offered(link: Link) -> None:
    grant = lease(link)
    row = link.watcher.newest()["setpoint"]
    with pytest.raises(Refused, match="NOT_OFFERED"):
        link.command("step", 2.0, grant, names=SPEC.action.names, q=row)
    for kind, fields in {"look": {"key": "image.front"}, "ask": {"question": "why", "arguments": {}}}.items():
        with pytest.raises(Refused, match="NOT_OFFERED"):
            link.request(kind, **fields)
    link.release(grant)


def test_a_long_name_makes_no_message_that_others_cannot_read(link: Link) -> None:
    mode(link, "READY")
    granted = link.request("acquire", name="机" * 4096, standby=False, force=False)
    link.request("release", epoch=granted.epoch, lease=granted.lease)
    link.request("status")
    time.sleep(0.05)
    assert link.watcher.malformed == 0


def frames_of_a_flood(count: int) -> list[bytes]:
    """Random bytes, messages in part, and messages with something wrong, from a seed; none that asks for a stop."""
    dice = np.random.default_rng(5)
    originals = [sample(kind) for kind in KINDS if kind not in ("hello", "ping", "stop")]
    noise = [dice.bytes(int(dice.integers(0, 300))) for _ in range(count // 4)]
    return noise + [spoilt(originals[int(dice.integers(len(originals)))], dice) for _ in range(count - len(noise))]


def test_two_thousand_malformed_frames_are_all_refused_and_nothing_else_happens(link: Link) -> None:
    epoch, answers, frames = mode(link, "READY").epoch, list[Message](), frames_of_a_flood(2000)
    context = zmq.Context()
    sockets = [  # enough names that none of them sends too often
        dealer(context, link.contact, link.ports[port], f"flood{k}/{port}")
        for k in range(2) for port in (Port.CONTROL, Port.COMMAND, Port.STOP)
    ]
    for k, frame in enumerate(frames):
        socket = sockets[k % len(sockets)]
        assert socket.poll(1000, zmq.POLLOUT)
        socket.send(frame)
        if k % len(sockets) == len(sockets) - 1 or k == len(frames) - 1:
            for waiting in sockets[: k % len(sockets) + 1]:
                assert waiting.poll(2000), "no answer"
                answers.append(decode(waiting.recv(), limit=MAX_REPLY))
    context.destroy(linger=0)
    assert len(answers) == 2000
    assert {answer.kind for answer in answers} == {"refused"}
    assert {answer["code"] for answer in answers} >= {"MALFORMED", "UNKNOWN_KIND", "UNSUPPORTED_VERSION"}
    assert "BUSY" not in {answer["code"] for answer in answers}
    state = link.watcher.newest()
    assert (state["mode"], state["fault"], state.epoch, link.watcher.malformed) == ("READY", 0, epoch, 0)


def test_a_stop_latches_until_a_supervisor_clears_it(link: Link) -> None:
    grant = lease(link)
    here = link.watcher.newest()["setpoint"]
    there = here + np.array([-0.1 if here[0] > 0.5 else 0.1, 0, 0, 0])
    rows = here + (there - here) * np.linspace(0.05, 1, 20)[:, None]
    assert verdict(link, grant, rows).kind == "accepted"
    time.sleep(0.3)
    number = link.stop("the test says so")
    state = mode(link, "FAULT")
    assert state["fault"] == number
    assert abs(state["setpoint"][0] - here[0]) < 0.09, "it went on"
    refused(link, Grant(grant.token, state.epoch), here[None], Refusal.FAULTED)
    with pytest.raises(Refused, match="FAULTED"):
        link.acquire()
    with pytest.raises(Refused, match="NO_SUCH_FAULT"):
        link.clear(number + 1)
    assert link.stop("again") == number
    link.clear(number)
    assert mode(link, "READY")["fault"] == 0
    link.watcher.let_go()
    with pytest.raises(Refused, match="STALE_LEASE"):
        link.request("renew", epoch=state.epoch, lease=grant.token, calls=0, idle=0)


# --- the process ---


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_moving_arm_and_ends_it_cleanly(build: Path, number: signal.Signals) -> None:
    with running(build) as (process, endpoint), closing(Link(Contact.at(endpoint))) as link:
        grant = lease(link)
        rows = link.watcher.newest()["setpoint"] + np.array([0.2, 0, 0, 0]) * np.linspace(0.05, 1, 20)[:, None]
        assert verdict(link, grant, rows).kind == "accepted"
        time.sleep(0.3)
        seen: list[Message] = []
        link.watcher.on_message = seen.append
        process.send_signal(number)
        assert process.wait(5) == 0
        time.sleep(0.05)
        assert [m["data"]["code"] for m in seen if m.kind == "event" and m["what"] == "fault"] == ["SHUT_DOWN"]
        link.watcher.let_go()


@pytest.mark.parametrize("options", [
    ["--bind", "0.0.0.0"], ["--port", "x"], ["--port", "70000"], ["--port"], ["--nonsense", "1"],
    ["--keys", "/nonexistent"],
], ids=" ".join)
def test_it_does_not_start_unguarded_or_misunderstood(build: Path, options: list[str]) -> None:
    done = subprocess.run([build / "tandem-controller", *options], capture_output=True, text=True, timeout=5)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("tandem-controller: ")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    keys.make_pair(folder, keys.CONTROLLER)
    for role in Role:
        keys.allow(folder, str(role), role, keys.make_pair(folder, str(role)).public)
    keys.make_pair(folder, "stranger")
    return folder


def test_with_keys_each_has_its_role_and_a_stranger_has_none(build: Path, folder: Path) -> None:
    with running(build, "--keys", folder) as (_, endpoint):
        contacts = {role: Contact.at(endpoint, keys=folder, key=str(role)) for role in Role}
        with closing(RemoteBody.at(contacts[Role.COMMANDER])) as body:
            body.reset()
            body.step(np.append(SPEC.home, 1.0))
            assert body.link.welcome["security"] == "curve"
            with pytest.raises(Refused, match="FORBIDDEN"):
                body.link.clear(1)
        with closing(Link(contacts[Role.OBSERVER])) as observer:
            with pytest.raises(Refused, match="FORBIDDEN"):
                observer.acquire()
            number = observer.stop("anybody may")
            with closing(Link(contacts[Role.SUPERVISOR])) as supervisor:
                mode(supervisor, "FAULT")
                supervisor.clear(number)
        with pytest.raises(BodyUnresponsive, match="does not let this key in"):
            Link(Contact.at(endpoint, keys=folder, key="stranger"))
        with pytest.raises(BodyUnresponsive, match="is guarded"):
            Link(Contact.at(endpoint), patience_s=1)


def test_keys_that_others_can_read_are_not_used(build: Path, folder: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(folder, tmp_path / "keys"))
    (copy / keys.ALLOWED).chmod(0o644)
    done = subprocess.run([build / "tandem-controller", "--keys", copy], capture_output=True, text=True, timeout=5)
    assert done.returncode == 2
    assert "chmod 600" in done.stderr


def test_keys_that_cannot_be_right_are_refused_before_anything_is_bound(build: Path, folder: Path, tmp_path: Path
                                                                        ) -> None:
    def said(copy: Path) -> str:
        done = subprocess.run([build / "tandem-controller", "--keys", copy], capture_output=True, text=True, timeout=5)
        assert (done.returncode, done.stdout) == (2, "")
        return done.stderr

    observer, pair = keys.load_pair(folder, "observer"), keys.load_pair(folder, keys.CONTROLLER)
    for secret in ("~" * 40, observer.secret):
        copy = Path(shutil.copytree(folder, tmp_path / secret[:1].encode().hex()))
        path = copy / "controller.key_secret"
        path.write_text(path.read_text().replace(pair.secret, secret))
        assert "holds no pair" in said(copy)
    copy = Path(shutil.copytree(folder, tmp_path / "twice"))
    with (copy / keys.ALLOWED).open("a") as file:
        file.write(f'"eve" = {{ role = "supervisor", key = "{observer.public}" }}\n')
    assert "observer and eve have the same key" in said(copy)


def test_it_binds_the_loopback_of_ipv6(build: Path) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("no IPv6 here")
    with running(build, "--bind", "::1") as (_, endpoint), closing(Link(Contact.at(endpoint))) as link:
        assert link.welcome["digest"] == SPEC.digest()


def test_an_independent_checker_finds_every_law_kept(endpoint: str) -> None:
    controller = pytest.importorskip("tandem.bridge.conformance.controller")
    findings = list(controller.check_controller(Contact.at(endpoint)))
    assert not [finding for finding in findings if finding.outcome == "fail"]
    assert sum(finding.outcome == "pass" for finding in findings) >= 30
