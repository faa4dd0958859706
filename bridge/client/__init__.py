"""The agent's side of the bridge: a body that is elsewhere. Light: numpy, pyzmq, msgpack."""

from tandem.bridge.client.body import RemoteBody
from tandem.bridge.client.contact import Contact
from tandem.bridge.client.link import Link
from tandem.bridge.client.truth import RemoteTruth

__all__ = ["Contact", "Link", "RemoteBody", "RemoteTruth"]
