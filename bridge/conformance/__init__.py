"""The laws of each interface as plain functions, and honest dummies that satisfy them in milliseconds.

Anybody can run them on a body, policy, planner or verifier of their own, without pytest:

    from tandem.bridge.conformance import check_body
    check_body(lambda: MyRobot())        # raises AssertionError saying which law is broken
"""

from tandem.bridge.conformance.body import check_body
from tandem.bridge.conformance.dummies import DummyPlanner, DummyPolicy, DummyVerifier
from tandem.bridge.conformance.dummy_body import DummyBody, dummy_spec
from tandem.bridge.conformance.planner import check_planner
from tandem.bridge.conformance.policy import check_policy
from tandem.bridge.conformance.verifier import check_verifier

__all__ = [
    "DummyBody", "DummyPlanner", "DummyPolicy", "DummyVerifier",
    "check_body", "check_planner", "check_policy", "check_verifier", "dummy_spec",
]
