"""`hubex run` whose workers are the module of this folder that is named first."""

import sys
from pathlib import Path

import msgspec

from router.cli import run
from router.process.plan import Plan, plan_for
from router.settings.config import Config, load_config


def main() -> None:
    name, config_file = sys.argv[1:]
    module = f"tests.support.sabotage.{name}"

    def sabotaged(config: Config, path: Path | None) -> Plan:
        return msgspec.structs.replace(plan_for(config, path), worker_module=module)

    run.plan_for = sabotaged
    path = Path(config_file)
    sys.exit(run.serve(load_config(path, {}), path))


main()
