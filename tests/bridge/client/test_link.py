"""What a client asks of a welcome before it believes the controller behind it."""

import threading

import pytest
import zmq

from tandem.bridge.client.contact import Contact
from tandem.bridge.client.link import Link
from tandem.bridge.conformance import dummy_spec
from tandem.bridge.controller.options import Limits
from tandem.bridge.wire import Message, Port, Refused, decode, encode

LIMITS, PORTS = Limits().to_wire(), {str(port): 9 for port in Port}


@pytest.fixture
def somebody():
    """Makes a contact that answers each hello with a welcome of these limits and ports."""
    context, started = zmq.Context(), []

    def answer(router, limits, ports):
        route, frame = router.recv_multipart()
        spec = dummy_spec()
        fields = {
            "id": decode(frame)["id"], "version": 1, "role": "commander", "name": "c", "mode": "READY",
            "spec": spec.to_dict(), "digest": spec.digest(), "limits": limits, "ports": ports, "security": "plain",
            "extensions": [], "about": {},
        }
        router.send_multipart([route, encode(Message("welcome", fields, "s"))])

    def start(limits, ports):
        router = context.socket(zmq.ROUTER)
        port = router.bind_to_random_port("tcp://127.0.0.1")
        thread = threading.Thread(target=answer, args=(router, limits, ports))
        thread.start()
        started.append((thread, router))
        return Contact("127.0.0.1", port)

    yield start
    for thread, router in started:
        thread.join()
        router.close()
    context.term()


@pytest.mark.parametrize(("limits", "ports", "culprit"), [
    ({name: value for name, value in LIMITS.items() if name != "lease_s"}, PORTS, "limits.lease_s is None"),
    (LIMITS | {"silence_s": "long"}, PORTS, "limits.silence_s is 'long'"),
    (LIMITS | {"tick_hz": 0}, PORTS, "limits.tick_hz is 0"),
    (LIMITS, PORTS | {"stop": 70000}, "ports.stop is 70000"),
    (LIMITS, {name: port for name, port in PORTS.items() if name != "state"}, "ports.state is None"),
])
def test_a_welcome_that_lacks_what_a_client_stands_on_is_refused_by_name(somebody, limits, ports, culprit):
    with pytest.raises(Refused, match=rf"welcome\.{culprit}"):
        Link(somebody(limits, ports))
