"""A supervisor as a process of its own: `run_supervisor PLAN_JSON LOG METRICS_PARENT`.

Prints its HTTP port on the first line of standard output.
"""

import sys
from pathlib import Path

import msgspec

from router.observe.logs import EventLog
from router.process.http import HealthServer
from router.process.metrics_folder import MetricsFolder
from router.process.plan import Plan
from router.process.supervisor import Supervisor
from router.process.vitals import Vitals, registry_of


def main() -> int:
    plan = msgspec.json.decode(sys.argv[1], type=Plan)
    health = HealthServer("127.0.0.1", 0)
    folder = MetricsFolder(Path(sys.argv[3]))
    log = EventLog(sys.argv[2])
    supervisor = Supervisor(plan, log, folder.path)
    vitals = Vitals(lambda: supervisor.status, lambda: log.lost_lines, "0.0")
    health.start(registry_of(vitals, folder.path), lambda: supervisor.status)
    print(health.port, flush=True)
    try:
        return supervisor.run()
    finally:
        health.stop()
        log.close()
        folder.close()


if __name__ == "__main__":
    sys.exit(main())
