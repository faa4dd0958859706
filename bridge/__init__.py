"""The contract with every body, and the wire to it. Light: numpy, and for the wire pyzmq and msgpack."""
