"""Real processes: a supervisor and its fake workers."""

import json
import os
import signal
import time
from pathlib import Path

from tests.support.running_hub import RunningHub, lives, wait_until


def test_ready_then_a_clean_drain(tmp_path: Path) -> None:
    with RunningHub(tmp_path, "steady") as hub:
        hub.wait_ready()
        assert hub.get("/livez")[0] == 200
        assert hub.words(0) == ["born", "workers=2"]
        hub.signal(signal.SIGTERM)
        assert hub.wait() == 0
        assert hub.words(0)[-2:] == hub.words(1)[-2:] == ["term1", "ends"]
        assert [n["facts"]["exit_code"] for n in hub.notices("worker_ended")] == [0, 0]
        assert hub.notices("hub_stopped")[0]["text"] == "stopped"
        assert not list(tmp_path.glob("hubex-*")), "the metrics folder is removed"


def test_a_killed_worker_is_restarted_at_once_and_its_signal_is_logged(tmp_path: Path) -> None:
    with RunningHub(tmp_path, "steady") as hub:
        hub.wait_ready()
        os.kill(hub.pids(0)[0], signal.SIGKILL)
        wait_until("the restart", lambda: len(hub.pids(0)) == 2)
        ended = wait_until("the log line", lambda: hub.notices("worker_ended"))[0]
        assert ended["worker"] == 0 and ended["level"] == "error"
        assert ended["facts"]["signal"] == "SIGKILL"
        assert ended["facts"]["restart_in_seconds"] == 0
        hub.wait_ready()
        assert "born after a crash" in hub.words(0)
        assert hub.metric('hubex_worker_restarts_total{cause="signal",worker="0"}') == 1


def test_a_worker_that_crashes_at_boot_is_restarted_with_back_off(tmp_path: Path) -> None:
    with RunningHub(tmp_path, "steady,crashes", first_backoff_seconds=0.4) as hub:
        wait_until("three deaths", lambda: len(hub.notices("worker_ended")) >= 3)
        ended = hub.notices("worker_ended")[:3]
        assert [n["facts"]["exit_code"] for n in ended] == [3, 3, 3]
        assert [n["facts"]["restart_in_seconds"] for n in ended] == [0, 0.4, 0.8]
        answer = hub.ready()
        assert not answer["ready"] and answer["why"][0].startswith("worker 1: ")
        hub.signal(signal.SIGTERM)
        assert hub.wait() == 0, "a worker that waits for its restart does not hold up the stop"


def test_a_hung_loop_is_killed_and_restarted_with_its_stack_on_stderr(tmp_path: Path) -> None:
    with RunningHub(tmp_path, "steady,hangs", heartbeat_timeout_seconds=1.0) as hub:
        wait_until("the restart", lambda: len(hub.pids(1)) >= 2)
        assert len(hub.pids(0)) == 1
        assert hub.notices("worker_hangs")[0]["worker"] == 1
        ended = hub.notices("worker_ended")[0]
        assert ended["text"] == "died (hang)" and ended["facts"]["signal"] == "SIGKILL"
        assert "Current thread" in (tmp_path / "stderr").read_text()


def test_a_worker_that_never_beats_is_killed_after_the_startup_allowance(tmp_path: Path) -> None:
    with RunningHub(tmp_path, "silent", workers=1, startup_seconds=1.5) as hub:
        wait_until("the restart", lambda: len(hub.pids(0)) >= 2)
        assert hub.notices("worker_ended")[0]["facts"]["alive_seconds"] >= 1.5
        assert hub.ready()["why"] == ["worker 0: is starting"]


def test_a_worker_that_ignores_sigterm_is_killed_at_the_deadline(tmp_path: Path) -> None:
    with RunningHub(tmp_path, "stubborn,steady", drain_seconds=0.5) as hub:
        hub.wait_ready()
        began = time.monotonic()
        hub.signal(signal.SIGTERM)
        assert hub.wait() == 1
        assert 0.9 < time.monotonic() - began < 5
        assert hub.notices("worker_killed")[0]["worker"] == 0
        assert not any(map(lives, hub.pids(0) + hub.pids(1)))


def test_a_second_signal_closes_at_once(tmp_path: Path) -> None:
    with RunningHub(tmp_path, "slow", workers=1, drain_seconds=60.0) as hub:
        hub.wait_ready()
        hub.signal(signal.SIGINT)
        wait_until("the first", lambda: "term1" in hub.words(0))
        assert hub.get("/readyz")[0] == 503 and hub.ready()["why"] == ["the hub is stopping"]
        hub.signal(signal.SIGINT)
        assert hub.wait() == 1
        assert hub.words(0)[-2:] == ["term2", "ends"]


def test_a_worker_that_ends_badly_makes_the_stop_unclean(tmp_path: Path) -> None:
    with RunningHub(tmp_path, "bad_end", workers=1) as hub:
        hub.wait_ready()
        hub.signal(signal.SIGTERM)
        assert hub.wait() == 1
        assert hub.notices("worker_ended")[0]["facts"]["exit_code"] == 4


def test_a_stop_during_the_start_is_clean(tmp_path: Path) -> None:
    with RunningHub(tmp_path, "silent") as hub:
        wait_until("both to be born", lambda: hub.pids(0) and hub.pids(1))
        hub.signal(signal.SIGTERM)
        assert hub.wait() == 0


def test_sighup_reaches_workers_once_they_listen(tmp_path: Path) -> None:
    with RunningHub(tmp_path, "steady") as hub:
        wait_until("started", lambda: len(hub.notices("worker_started")) == 2)
        hub.signal(signal.SIGHUP)  # while they still import: it must not end them
        wait_until("both to hear", lambda: "hup" in hub.words(0) and "hup" in hub.words(1))
        assert len(hub.pids(0)) == len(hub.pids(1)) == 1


def test_workers_exit_when_their_supervisor_is_killed(tmp_path: Path) -> None:
    with RunningHub(tmp_path, "steady") as hub:
        hub.wait_ready()
        hub.signal(signal.SIGKILL)
        pids = hub.pids(0) + hub.pids(1)
        wait_until("the orphans' end", lambda: not any(map(lives, pids)))
        assert "orphan" in hub.words(0) and "orphan" in hub.words(1)


def test_a_ctrl_c_in_the_terminal_reaches_the_supervisor_alone(tmp_path: Path) -> None:
    with RunningHub(tmp_path, "steady", workers=1) as hub:
        hub.wait_ready()
        assert os.getpgid(hub.pids(0)[0]) != os.getpgid(hub.process.pid)


def test_not_ready_says_why(tmp_path: Path) -> None:
    with RunningHub(tmp_path, "steady,unready") as hub:
        wait_until("its reason", lambda: hub.ready()["why"] == ["worker 1: vhost v: no connection"])
        code, body = hub.get("/readyz")
        assert code == 503
        assert [w["ready"] for w in json.loads(body)["workers"]] == [True, False]
        assert hub.get("/livez")[0] == 200


def test_metrics_add_up_over_workers(tmp_path: Path) -> None:
    with RunningHub(tmp_path, "steady") as hub:
        hub.wait_ready()
        assert hub.metric('hubex_messages_received_total{vhost="v"}') == 1 + 2
        assert hub.metric('hubex_unsettled_inputs{vhost="v"}') == 10 + 20
        assert hub.metric('hubex_delivery_seconds_count{vhost="v"}') == 2
        assert hub.metric('hubex_delivery_seconds_bucket{le="0.005",vhost="v"}') == 2
        assert hub.metric('hubex_delivery_seconds_bucket{le="0.002",vhost="v"}') == 0
        assert hub.metric("hubex_workers_live") == hub.metric("hubex_workers_ready") == 2
        assert (hub.metric('hubex_resident_bytes{process="worker1"}') or 0) > 1e6
        assert hub.metric('hubex_cpu_seconds_total{process="supervisor"}') is not None


def test_a_dead_worker_leaves_its_counts_but_not_its_gauges(tmp_path: Path) -> None:
    with RunningHub(tmp_path, "steady", first_backoff_seconds=30.0) as hub:
        hub.wait_ready()
        os.kill(hub.pids(1)[0], signal.SIGKILL)
        wait_until("the restart", lambda: len(hub.pids(1)) == 2 and hub.ready()["ready"])
        assert hub.metric('hubex_messages_received_total{vhost="v"}') == 1 + 2 + 2
        assert hub.metric('hubex_unsettled_inputs{vhost="v"}') == 10 + 20
        os.kill(hub.pids(1)[1], signal.SIGKILL)
        wait_until("its death", lambda: hub.metric("hubex_workers_live") == 1)
        assert hub.metric('hubex_messages_received_total{vhost="v"}') == 1 + 2 + 2
        assert hub.metric('hubex_unsettled_inputs{vhost="v"}') == 10
        files = {path.name for path in tmp_path.glob("hubex-metrics-*/*.db")}
        assert len(files) == 5, "a restart leaves no file behind"


def test_a_supervisor_that_stood_still_does_not_blame_its_workers(tmp_path: Path) -> None:
    with RunningHub(tmp_path, "steady", workers=1, heartbeat_timeout_seconds=1.0) as hub:
        hub.wait_ready()
        pid = hub.pids(0)[0]
        os.kill(pid, signal.SIGSTOP)
        hub.signal(signal.SIGSTOP)
        time.sleep(2.5)
        hub.signal(signal.SIGCONT)
        time.sleep(0.3)
        os.kill(pid, signal.SIGCONT)
        time.sleep(1.0)
        assert hub.pids(0) == [pid] and not hub.notices("worker_hangs")
