import os
import select
import signal

from router.process.signals import SignalQueue


def test_signals_wait_in_order_and_the_former_handlers_come_back() -> None:
    former = signal.getsignal(signal.SIGHUP)
    with SignalQueue((signal.SIGHUP, signal.SIGUSR2)) as queue:
        assert queue.take() == []
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGUSR2)
        os.kill(os.getpid(), signal.SIGHUP)
        assert select.select([queue.reader], [], [], 1.0)[0]
        assert queue.take() == [signal.SIGHUP, signal.SIGUSR2, signal.SIGHUP]
        assert queue.take() == []
    assert signal.getsignal(signal.SIGHUP) == former
