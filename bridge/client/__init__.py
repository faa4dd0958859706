"""The agent's side of the bridge: a body that is elsewhere. Light: numpy, pyzmq, msgpack."""

from tandem.bridge.client.body import RemoteBody, mapping
from tandem.bridge.client.contact import Contact
from tandem.bridge.client.link import Link
from tandem.bridge.client.lockstep import LockstepBody
from tandem.bridge.client.truth import RemoteTruth
from tandem.bridge.contract.spec import BodySpec

__all__ = ["Contact", "Link", "LockstepBody", "RemoteBody", "RemoteTruth", "body_at", "mapping"]


def body_at(
    contact: Contact | str, *, name: str = "agent", expected: BodySpec | None = None, standby_s: float = 0.0
) -> RemoteBody | LockstepBody:
    """The body behind an endpoint: in real time, or one that waits. Arguments and errors as of `RemoteBody.at`.

    Args:
        contact: whom to reach; "tcp://host:port" for a controller without keys.
    """
    contact = Contact.at(contact) if isinstance(contact, str) else contact
    link = Link(contact, name=name, expected=expected)
    if "lockstep" in link.extensions:
        return LockstepBody(link)
    return RemoteBody(link, standby_s=standby_s)
