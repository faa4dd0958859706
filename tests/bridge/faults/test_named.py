"""Faults from words and back; what has no meaning is refused."""

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.bridge.contract import InvalidOption, UnknownName
from tandem.bridge.faults import (
    FAULTS,
    Cut,
    Delay,
    Drop,
    Duplicate,
    FaultProxy,
    Freeze,
    HalfOpen,
    Reorder,
    faults_named,
    faults_text,
)
from tandem.bridge.faults.fault import PORTS
from tandem.bridge.wire import Port

POSITIVE = st.floats(0, 1e9)
WHERE = {"only": st.sampled_from(("", *PORTS)), "towards": st.sampled_from(("", "client", "controller"))}
ANY_FAULT = st.one_of(
    st.builds(Delay, POSITIVE, POSITIVE, **WHERE), st.builds(Drop, st.floats(0, 1), **WHERE),
    st.builds(Duplicate, st.floats(0, 1), **WHERE), st.builds(Reorder, st.floats(0, 1), POSITIVE, **WHERE),
    st.builds(Freeze, POSITIVE, POSITIVE.filter(bool), **WHERE), st.builds(HalfOpen, POSITIVE, **WHERE),
    st.builds(Cut, POSITIVE, POSITIVE.filter(bool), only=WHERE["only"]),
)


def test_words_of_a_command_line():
    assert faults_named("delay:ms=20,jitter_ms=5;drop:p=0.01,only=command") == (
        Delay(20.0, 5.0), Drop(0.01, only="command"))
    assert faults_named(" delay : ms = 20 ; ") == (Delay(20.0),)
    assert faults_named("half_open:at_s=3") == (HalfOpen(3.0, towards="controller"),)
    assert faults_named("") == ()


def test_text_says_what_is_not_the_default():
    assert faults_text((Delay(20), Drop(0.1, only="command"))) == "delay:ms=20;drop:p=0.1,only=command"
    assert faults_text((HalfOpen(1), Reorder(0.5))) == "half_open:at_s=1;reorder:p=0.5"


@given(st.lists(ANY_FAULT, max_size=5))
def test_text_is_read_back_as_the_same_faults(faults):
    assert faults_named(faults_text(faults)) == tuple(faults)


@pytest.mark.parametrize("words, error, told", [
    ("dely:ms=3", UnknownName, "delay"),
    ("drop", InvalidOption, "p"),
    ("drop:q=1", InvalidOption, "p, only, towards|only, towards, p"),
    ("drop:p", InvalidOption, "key=value"),
    ("drop:p=much", InvalidOption, "a number"),
    ("drop:p=1.5", InvalidOption, "0 to 1"),
    ("drop:p=0.1,p=0.2", InvalidOption, "twice"),
    ("delay:ms=-1", InvalidOption, "at least 0"),
    ("delay:ms=nan", InvalidOption, "at least 0"),
    ("freeze:at_s=1,seconds=0", InvalidOption, "above 0"),
    ("freeze:at_s=1", InvalidOption, "seconds"),
    ("drop:p=0.1,only=commands", UnknownName, "command"),
    ("drop:p=0.1,towards=arm", UnknownName, "controller"),
    ("cut:at_s=1,seconds=1,towards=client", InvalidOption, "half_open"),
])
def test_what_has_no_meaning_is_refused(words, error, told):
    with pytest.raises(error, match=told):
        faults_named(words)


def test_ports_are_those_of_a_controller():
    assert set(PORTS) == set(Port)
    assert list(FAULTS) == ["delay", "drop", "duplicate", "reorder", "freeze", "half_open", "cut"]


def test_a_fault_on_a_port_that_is_not_there_is_refused():
    with pytest.raises(UnknownName, match="command"):
        FaultProxy("127.0.0.1", {"command": 1}, faults_named("drop:p=1,only=media"))


@pytest.mark.parametrize("options", [{"seed": -1}, {"max_waiting": 0}])
def test_options_of_the_proxy_are_checked(options):
    with pytest.raises(InvalidOption):
        FaultProxy("127.0.0.1", {"command": 1}, (), **options)


def test_hosts_that_do_not_exist_are_refused():
    with pytest.raises(InvalidOption, match=r"no\.such\.host\.invalid"):
        FaultProxy("no.such.host.invalid", {"command": 1}, ())
    with pytest.raises(InvalidOption, match=r"192\.0\.2\.1"):
        FaultProxy("127.0.0.1", {"command": 1}, (), host="192.0.2.1").start()


def test_import_needs_neither_pyzmq_nor_msgpack():
    program = "import sys, tandem.bridge.faults; print(*({'zmq', 'msgpack', 'mujoco', 'torch'} & set(sys.modules)))"
    fresh = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert not fresh.stdout.split()
