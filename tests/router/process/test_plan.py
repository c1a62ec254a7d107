from pathlib import Path

from router.process.plan import Backoff, Plan, hang_deadline, plan_for
from router.settings.config import Config, WorkersConfig

PLAN = Plan(workers=1)


def test_the_first_restart_is_immediate_then_the_pause_doubles_up_to_thirty_seconds() -> None:
    backoff = Backoff(PLAN)
    assert [backoff.after(1.0) for _ in range(9)] == [0, 0.5, 1, 2, 4, 8, 16, 30, 30]


def test_a_worker_that_lived_for_a_minute_begins_anew() -> None:
    backoff = Backoff(PLAN)
    assert [backoff.after(s) for s in (1, 1, 1, 60, 59)] == [0, 0.5, 1, 0, 0.5]


def test_ten_thousand_failures_do_not_overflow() -> None:
    backoff = Backoff(PLAN)
    assert {backoff.after(0.0) for _ in range(10_000)} == {0, 0.5, 1, 2, 4, 8, 16, 30}


def test_a_worker_has_longer_until_its_first_beat() -> None:
    assert hang_deadline(PLAN, 100.0, None) == 160.0
    assert hang_deadline(PLAN, 100.0, 130.0) == 140.0


def test_the_plan_of_a_configuration() -> None:
    config = Config(workers=WorkersConfig(count=3, heartbeat_timeout_seconds=7, drain_seconds=11))
    plan = plan_for(config, Path("hubex.toml"))
    assert (plan.workers, plan.heartbeat_timeout_seconds, plan.drain_seconds) == (3, 7, 11)
    assert plan.config_path == Path.cwd() / "hubex.toml"
    assert plan_for(Config(), None).workers >= 1
