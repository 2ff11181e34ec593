"""Ctrl-C waits for the end of a step, once, and only where it would have raised KeyboardInterrupt."""

from __future__ import annotations

import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from hammingway.deep.interruption import Interruption


def press_ctrl_c():
    signal.raise_signal(signal.SIGINT)


def handler():
    return signal.getsignal(signal.SIGINT)


def test_first_ctrl_c_waits_until_the_context_is_left():
    went_on = False
    with pytest.raises(KeyboardInterrupt), Interruption() as interruption:
        assert not interruption.waits
        press_ctrl_c()
        went_on = interruption.waits
    assert went_on
    assert handler() is signal.default_int_handler


def test_second_ctrl_c_interrupts_at_once():
    with pytest.raises(KeyboardInterrupt), Interruption():
        press_ctrl_c()
        press_ctrl_c()
        pytest.fail("the work went on")
    assert handler() is signal.default_int_handler


def test_error_after_ctrl_c_does_not_hide_that_it_was_pressed():
    with pytest.raises(KeyboardInterrupt) as caught, Interruption():
        press_ctrl_c()
        raise ValueError
    assert isinstance(caught.value.__context__, ValueError)


def test_interruption_with_a_message_keeps_it():
    with pytest.raises(KeyboardInterrupt, match="keeps step 3"), Interruption():
        press_ctrl_c()
        raise KeyboardInterrupt("keeps step 3")


def test_nothing_is_raised_where_nothing_was_pressed():
    with Interruption() as interruption:
        assert handler() is not signal.default_int_handler
    assert not interruption.waits
    assert handler() is signal.default_int_handler


@pytest.mark.parametrize("own", [signal.SIG_IGN, lambda number, frame: None])
def test_program_that_handles_or_ignores_ctrl_c_goes_on_doing_so(own):
    before = signal.signal(signal.SIGINT, own)
    try:
        with Interruption() as interruption:
            press_ctrl_c()
            assert handler() is own
        assert not interruption.waits
        assert handler() is own
    finally:
        signal.signal(signal.SIGINT, before)


def test_where_it_is_not_wanted_ctrl_c_interrupts_at_once():
    with pytest.raises(KeyboardInterrupt), Interruption(wanted=False):
        press_ctrl_c()
        pytest.fail("the work went on")


def test_other_threads_leave_the_handler_alone():
    def inside():
        with Interruption():
            return handler()

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(inside).result() is signal.default_int_handler
