"""The proxy between real sockets: what is struck is known beforehand, connections stay or end as they should."""

import socket
import threading
import time
from itertools import pairwise

import pytest
import zmq

from tandem.bridge.contract import InvalidOption
from tandem.bridge.faults import Direction, FaultProxy, ProxyFailed

UP, DOWN = Direction.TO_CONTROLLER, Direction.TO_CLIENT
PAYLOADS = [(b"x",), (b"", b""), (b"topic", b"y" * 300), (b"a", b"", b"z" * 700_000, b"last")]
CURVE = pytest.mark.parametrize("curve", [False, True], ids=["plain", "curve"])


def arrivals(decisions):
    """Numbers of the messages as they arrive, if nothing is held back."""
    return [k for k, each in enumerate(decisions) if not each.dropped for _ in range(each.copies + 1)]


def numbers(messages):
    return [int(frames[-1]) for frames in messages]


@CURVE
def test_frames_of_any_size_and_number_pass_between_dealer_and_router(wire, curve):
    pair = wire("command", curve=curve)
    for payload in PAYLOADS:
        pair.up(*payload)
    assert pair.at_server(len(PAYLOADS)) == [list(payload) for payload in PAYLOADS]
    for payload in PAYLOADS:
        pair.down(*payload)
    assert pair.at_client(len(PAYLOADS)) == [list(payload) for payload in PAYLOADS]
    frames = sum(map(len, PAYLOADS)) if curve else len(PAYLOADS)  # CURVE hides which frames belong together
    assert (pair.counts(UP).passed, pair.counts(DOWN).passed) == (frames, frames)


@CURVE
def test_frames_of_any_size_and_number_pass_from_pub_to_sub(wire, curve):
    pair = wire("state", curve=curve)
    pair.join()
    for payload in PAYLOADS:
        pair.down(*payload)
    assert pair.at_client(len(PAYLOADS)) == [list(payload) for payload in PAYLOADS]


@pytest.mark.parametrize("words", ["drop:p=0.3", "duplicate:p=0.3", "drop:p=0.2;duplicate:p=0.2"])
@pytest.mark.parametrize("pause_s", [0.0, 0.001], ids=["at once", "one by one"])
def test_the_seed_says_which_messages_of_a_dealer_are_struck(wire, words, pause_s):
    pair = wire("command", words, seed=5)
    for k in range(150):
        pair.up(b"part", b"%d" % k)
        time.sleep(pause_s)
    expected = arrivals(pair.decisions(UP, 150))
    assert numbers(pair.at_server(len(expected))) == expected
    assert not pair.at_server(1, 0.1)


def test_the_seed_says_which_messages_of_a_pub_are_struck(wire):
    pair = wire("state", "drop:p=0.3,towards=client;duplicate:p=0.2,towards=client", seed=5)
    before = pair.join()
    for k in range(150):
        pair.down(b"topic", b"%d" % k)
    heard = numbers(pair.at_client(1000, 0.5))
    total = pair.counts(DOWN).passed + pair.counts(DOWN).dropped
    skipped = total - 150  # those that the SUB was joined by and that the proxy has seen
    assert 0 < skipped <= before
    assert heard == [k - skipped for k in arrivals(pair.decisions(DOWN, total)) if k >= skipped]


@CURVE
def test_a_delay_delays_and_keeps_the_order(wire, curve):
    pair = wire("command", "delay:ms=60,jitter_ms=30,towards=controller", curve=curve)
    pair.up(b"wake")
    pair.at_server(1)
    begun = time.monotonic()
    for k in range(50):
        pair.up(b"%d" % k)
    assert not pair.at_server(1, 0.03)
    assert numbers(pair.at_server(50)) == list(range(50))
    assert time.monotonic() - begun >= 0.06
    begun = time.monotonic()
    pair.down(b"back")
    assert pair.at_client(1) == [[b"back"]]
    assert pair.counts(UP).delayed == 51
    assert pair.counts(DOWN).delayed == 0, "the other direction is not struck"


def test_reordered_states_all_come(wire):
    pair = wire("state", "reorder:p=0.3,by_ms=40")
    pair.join()
    for k in range(100):
        pair.down(b"topic", b"%d" % k)
    heard = numbers(pair.at_client(100))
    assert sorted(heard) == list(range(100))
    assert heard != sorted(heard)


@CURVE
def test_a_freeze_stops_both_directions_and_the_connection_stays(wire, curve):
    pair = wire("command", curve=curve)
    pair.up(b"before")
    pair.at_server(1)
    route = pair.route
    pair.proxy.freeze()
    pair.up(b"up")
    pair.down(b"down")
    assert not pair.at_server(1, 0.2)
    assert not pair.at_client(1, 0.1)
    pair.proxy.thaw()
    assert pair.at_server(1) == [[b"up"]]
    assert pair.at_client(1) == [[b"down"]]
    assert pair.route == route, "another connection would have another routing id"


def test_a_freeze_with_a_time_loses_nothing(wire):
    pair = wire("state", "freeze:at_s=1.0,seconds=0.6")
    pair.join()
    begun, times, heard, sent = time.monotonic(), [], [], 0
    while time.monotonic() < begun + 1.8:
        pair.down(b"%d" % sent)
        sent += 1
        if pair.client.poll(5):
            heard.append(int(pair.client.recv()))
            times.append(time.monotonic())
    while pair.client.poll(100):
        heard.append(int(pair.client.recv()))
    assert heard == list(range(sent))
    assert max(after - before for before, after in pairwise(times)) > 0.4


@CURVE
def test_half_open_loses_one_direction_and_the_connection_stays(wire, curve):
    pair = wire("command", curve=curve)
    pair.up(b"before")
    pair.at_server(1)
    route = pair.route
    pair.proxy.half_open()
    for _ in range(3):
        pair.up(b"lost")
    pair.down(b"still heard")
    assert pair.at_client(1) == [[b"still heard"]]
    assert not pair.at_server(1, 0.2)
    assert pair.counts(UP).discarded == 3
    pair.proxy.mend()
    pair.up(b"after")
    assert pair.at_server(1) == [[b"after"]]
    assert pair.route == route


def test_who_comes_while_half_open_gets_through_once_it_is_mended(wire):
    pair = wire("command")
    pair.proxy.half_open()
    late = pair.context.socket(zmq.DEALER)
    late.linger, late.reconnect_ivl = 0, 20
    late.connect(pair.endpoint)
    late.send(b"hello")
    assert not pair.at_server(1, 0.3)
    pair.proxy.mend()
    assert [b"hello"] in pair.at_server(1)
    late.close()


@CURVE
def test_a_cut_refuses_until_mended_at_the_same_port(wire, curve):
    pair = wire("command", curve=curve)
    pair.up(b"before")
    pair.at_server(1)
    route, port = pair.route, pair.proxy.ports["command"]
    plain = socket.create_connection(("127.0.0.1", port))
    pair.proxy.cut()
    with pytest.raises(ConnectionResetError):
        plain.recv(100) and plain.recv(100)
    plain.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
    pair.proxy.mend()
    assert pair.proxy.ports["command"] == port
    end = time.monotonic() + 8
    while not (found := pair.at_server(1, 0.05)) and time.monotonic() < end:
        pair.up(b"after")
    assert found[0] == [b"after"]
    assert pair.route != route


def test_curve_receives_nothing_twice_and_connects_anew(wire):
    """What the package's docstring says of libzmq; without a monitor on the receiving socket."""
    pair = wire("command", "duplicate:p=0.1,towards=controller", curve=True)
    heard, routes, end = [], set(), time.monotonic() + 6
    for k in range(10_000):
        pair.up(b"%d" % k)
        heard += numbers(pair.at_server(1, 0.003))
        routes.add(pair.route)
        if len(routes - {None}) > 2 or time.monotonic() > end:
            break
    assert len(routes - {None}) > 2, "the connection ends each time"
    assert len(heard) == len(set(heard))
    assert pair.counts(UP).duplicated >= 2


def test_curve_takes_the_loss_of_messages_of_one_frame(wire):
    pair = wire("command", "drop:p=0.3", curve=True)
    for k in range(100):
        pair.up(b"%d" % k)
    expected = arrivals(pair.decisions(UP, 100))
    assert numbers(pair.at_server(len(expected))) == expected


def test_a_sender_is_not_read_any_more_when_too_much_waits(wire):
    bound = 2**20
    pair = wire("command", "delay:ms=1000000", max_waiting=bound)
    flood = pair.context.socket(zmq.DEALER)
    flood.linger, flood.sndhwm, flood.sndbuf = 0, 1, 2**17
    flood.connect(pair.endpoint)
    sent = 0
    while sent < 200 and flood.poll(400, zmq.POLLOUT):
        flood.send(bytes(2**18))
        sent += 1
    waiting = pair.proxy.waiting["command", UP]
    assert sent < 200, "it went on for 50 MiB"
    assert bound * 0.6 < waiting <= bound
    flood.close()


def test_what_is_no_zmtp_is_reset_and_told_and_the_others_go_on(wire, caplog):
    pair = wire("command")
    stranger = socket.create_connection(("127.0.0.1", pair.proxy.ports["command"]))
    stranger.settimeout(5)
    stranger.sendall(b"GET / HTTP/1.1\r\n\r\n")
    with pytest.raises(ConnectionResetError):
        while stranger.recv(100):
            pass
    stranger.close()
    assert "octet 0" in caplog.text
    pair.up(b"still here")
    assert pair.at_server(1) == [[b"still here"]]


def test_a_controller_may_come_later_and_leave(wire, until):
    pair = wire("command")
    pair.up(b"one")
    pair.at_server(1)
    pair.server.close()
    pair.server = pair.context.socket(zmq.ROUTER)
    pair.server.linger = 0
    time.sleep(0.1)  # meanwhile the client is turned away
    assert until(lambda: bound(pair.server, pair.upstream))
    pair.up(b"two")
    assert [b"two"] in pair.at_server(1)


def bound(server, port):
    try:
        server.bind(f"tcp://127.0.0.1:{port}")
    except zmq.ZMQError:
        return False
    return True


def test_what_a_client_said_last_arrives_though_it_has_left(wire):
    pair = wire("command", "delay:ms=100")
    last = pair.context.socket(zmq.DEALER)
    last.linger = 2000
    last.connect(pair.endpoint)
    last.send(b"last words")
    time.sleep(0.05)
    last.close()
    assert pair.at_server(1) == [[b"last words"]]


def test_the_switches_work_while_traffic_flows_from_other_threads(wire):
    pair = wire("command")
    over = threading.Event()

    def throw():
        while not over.is_set():
            for switch in (pair.proxy.freeze, pair.proxy.thaw, pair.proxy.half_open, pair.proxy.mend):
                switch()

    thread = threading.Thread(target=throw)
    thread.start()
    for k in range(150):
        pair.up(b"%d" % k)
        time.sleep(0.0005)
    over.set()
    thread.join()
    pair.up(b"999")
    heard = numbers(pair.at_server(151 - pair.counts(UP).discarded, 2.0))
    assert heard == sorted(heard)
    assert heard[-1] == 999


def test_a_proxy_starts_once_and_stops_twice():
    proxy = FaultProxy("127.0.0.1", {"command": 9})
    with pytest.raises(ProxyFailed, match="start"):
        proxy.freeze()
    proxy.stop()
    with proxy:
        with pytest.raises(InvalidOption, match="once"):
            proxy.start()
        port = proxy.ports["command"]
    proxy.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
    with pytest.raises(ProxyFailed):
        proxy.thaw()


def test_a_mistake_in_the_thread_is_told_at_the_end():
    proxy = FaultProxy("127.0.0.1", {"command": 9})
    proxy.start()

    def mistake():
        raise ZeroDivisionError

    with pytest.raises(ProxyFailed, match="ZeroDivisionError"):
        proxy._do(mistake)
    with pytest.raises(ProxyFailed, match="ZeroDivisionError"):
        proxy.stop()
