"""The proxy between real ZeroMQ sockets: what passes, what is struck, and that a seed decides it."""

import threading
import time
from collections import Counter
from contextlib import contextmanager

import pytest
import zmq

from tandem.bridge.contract import InvalidOption, UnknownName
from tandem.bridge.faults import FAULTS, Decisions, FaultProxy, NotZmtp, faults_named
from tandem.bridge.faults.framing import Framing


@contextmanager
def echo(*, curve=False):
    """A ROUTER that sends back what it gets; its port, and the client's options."""
    context, over = zmq.Context(), threading.Event()
    router = context.socket(zmq.ROUTER)
    options = {}
    if curve:
        public, secret = zmq.curve_keypair()
        router.curve_server, router.curve_publickey, router.curve_secretkey = True, public, secret
        mine = zmq.curve_keypair()
        options = {"curve_serverkey": public, "curve_publickey": mine[0], "curve_secretkey": mine[1]}
    port = router.bind_to_random_port("tcp://127.0.0.1")

    def serve():
        while not over.is_set():
            if router.poll(20):
                router.send_multipart(router.recv_multipart())

    thread = threading.Thread(target=serve)
    thread.start()
    yield port, options
    over.set()
    thread.join()
    context.destroy(linger=0)


@contextmanager
def dealer(port, options):
    context = zmq.Context()
    socket = context.socket(zmq.DEALER)
    socket.linger = 0
    for name, value in options.items():
        setattr(socket, name, value)
    socket.connect(f"tcp://127.0.0.1:{port}")
    yield socket
    context.destroy(linger=0)


def exchange(faults, n=40, *, seed=1, curve=False, size=50):
    """What comes back of n numbered messages, and the proxy's counts."""
    with echo(curve=curve) as (port, options), FaultProxy(
        "127.0.0.1", {"command": port}, faults_named(faults), seed
    ) as proxy:
        with dealer(proxy.ports["command"], options) as socket:
            for k in range(n):
                socket.send_multipart([b"%d" % k, bytes(size)] if size else [b"%d" % k])
            back = []
            while socket.poll(400):
                back.append(int(socket.recv_multipart()[0]))
        return back, proxy.counts


@pytest.mark.parametrize("curve", [False, True], ids=["plain", "curve"])
@pytest.mark.parametrize("size", [10, 300, 300_000])
def test_without_faults_everything_passes_in_order(curve, size):
    back, counts = exchange("", 20, curve=curve, size=size)
    assert back == list(range(20))
    assert counts["command", "controller"].passed >= 20


@pytest.mark.parametrize("curve", [False, True], ids=["plain", "curve"])
def test_jitter_keeps_the_order(curve):
    back, _ = exchange("delay:ms=2,jitter_ms=20", curve=curve)
    assert back == list(range(40))


@pytest.mark.parametrize("curve", [False, True], ids=["plain", "curve"])
def test_dropped_messages_never_come_and_the_others_do(curve):
    back, counts = exchange("drop:p=0.3,towards=controller", curve=curve, size=0)
    dropped = counts["command", "controller"].dropped
    assert 3 < dropped < 25
    assert len(back) == 40 - dropped
    assert back == sorted(back)


def test_duplicates_come_twice():
    back, counts = exchange("duplicate:p=0.5,towards=client")
    assert Counter(Counter(back).values())[2] == counts["command", "client"].duplicated > 5
    assert set(back) == set(range(40))


def test_a_reordered_message_is_overtaken():
    back, counts = exchange("reorder:p=0.5,by_ms=30,towards=client")
    assert counts["command", "client"].reordered > 3
    assert back != sorted(back)
    assert sorted(back) == list(range(40))


def test_under_curve_a_message_that_comes_twice_ends_the_connection():
    back, _ = exchange("duplicate:p=0.2,towards=controller", curve=True)
    assert len(back) < 40


def test_the_same_seed_decides_the_same_whatever_the_time():
    faults = faults_named("drop:p=0.3;delay:ms=1,jitter_ms=9;duplicate:p=0.2;reorder:p=0.1")

    def fates(seed, connection=0, towards="client"):
        decisions = Decisions(faults, seed, "state", connection, towards)
        return [decisions.decide() for _ in range(50)]

    assert fates(3) == fates(3)
    assert fates(3) != fates(4)
    assert fates(3) != fates(3, connection=1)
    assert fates(3) != fates(3, towards="controller")
    first, second = exchange("drop:p=0.4", seed=9)[0], exchange("drop:p=0.4", seed=9)[0]
    assert first == second


def test_frozen_nothing_passes_and_then_all_does():
    with echo() as (port, options), FaultProxy("127.0.0.1", {"command": port}) as proxy:
        with dealer(proxy.ports["command"], options) as socket:
            socket.send(b"0")
            assert socket.poll(2000)
            socket.recv()
            proxy.freeze()
            time.sleep(0.1)
            for k in range(5):
                socket.send(b"%d" % k)
            assert not socket.poll(300)
            proxy.thaw()
            assert [socket.recv() for _ in range(5) if socket.poll(2000)] == [b"%d" % k for k in range(5)]


def test_a_half_open_connection_loses_what_the_client_sends():
    with echo() as (port, options), FaultProxy("127.0.0.1", {"command": port}) as proxy:
        with dealer(proxy.ports["command"], options) as socket:
            socket.send(b"0")
            assert socket.poll(2000)
            socket.recv()
            proxy.half_open()
            socket.send(b"1")
            assert not socket.poll(300)
            assert proxy.counts["command", "controller"].discarded == 1


def test_a_cut_connection_is_made_anew_when_it_can_be():
    with echo() as (port, options), FaultProxy("127.0.0.1", {"command": port}) as proxy:
        with dealer(proxy.ports["command"], {**options, "immediate": True, "reconnect_ivl": 20}) as socket:
            socket.send(b"0")
            assert socket.poll(2000)
            socket.recv()
            proxy.cut()
            time.sleep(0.3)
            assert not socket.poll(0, zmq.POLLOUT), "with IMMEDIATE nothing is kept for later"
            proxy.mend()
            assert socket.poll(3000, zmq.POLLOUT)
            socket.send(b"1")
            assert socket.poll(2000)
            assert socket.recv() == b"1"


def test_words_become_faults_and_words_again():
    text = "delay:ms=20.0,jitter_ms=5.0;drop:only=command,p=0.01;freeze:at_s=1.0,seconds=2.0"
    faults = faults_named(text)
    assert faults_named(";".join(map(str, faults))) == faults
    assert set(FAULTS) == {"delay", "drop", "duplicate", "reorder", "freeze", "half_open", "cut"}
    for wrong, kind in (("dalay:ms=1", UnknownName), ("drop:q=1", InvalidOption), ("drop:p=2", InvalidOption),
                        ("drop:p=x", InvalidOption), ("delay:ms=-1", InvalidOption),
                        ("drop:p=0.1,only=disk", UnknownName), ("drop:p=0.1,towards=mars", UnknownName)):
        with pytest.raises(kind):
            faults_named(wrong)


def test_what_is_no_zmtp_is_not_let_through():
    with pytest.raises(NotZmtp):
        Framing(2**20).cut(b"GET / HTTP/1.1\r\n")
