"""How a local cluster is reached: addresses, ports, users, and the configuration of a hub that fits."""

from pathlib import Path
from typing import Any, Final

from deploy.local.layout import Layout
from deploy.local.ports import Ports
from deploy.local.secrets_store import ADMIN, CLIENTS, ROUTER, SecretsStore
from deploy.local.settings_file import settings_toml


class Reach:
    """Clients go by the balancer where there is one, else to the first node. Passwords are there after `up`."""

    admin_user: Final = ADMIN
    router_user: Final = ROUTER

    def __init__(self, layout: Layout, ports: Ports, secrets: SecretsStore) -> None:
        self.layout = layout
        self.ports = ports
        self._secrets = secrets

    @property
    def address(self) -> str:
        return self.layout.balancer or self.layout.nodes[0]

    @property
    def amqp_port(self) -> int:
        return self.ports.amqp

    @property
    def management_port(self) -> int:
        return self.ports.management

    @property
    def management_url(self) -> str:
        return f"http://{self.layout.admin or self.layout.nodes[0]}:{self.ports.management}"

    @property
    def prometheus_port(self) -> int:
        """Each node's own, on its address."""
        return self.ports.prometheus

    @property
    def admin_password(self) -> str:
        return self._secrets.password(ADMIN)

    @property
    def router_password(self) -> str:
        return self._secrets.password(ROUTER)

    @property
    def clients_password(self) -> str:
        """The one password of all client users (`directory.clients_password_file`)."""
        return self._secrets.password(CLIENTS)

    def write_config(self, path: Path, **overrides: Any) -> Path:
        """Writes a hubex.toml that fits this cluster, and returns its path.

        Each override is a section: a table merged over what fits (`workers={"count": 2}`), or a list of
        tables that replaces it (`vhosts=[{"name": "v", "pack": "v3"}]`). Secrets stay in their files.
        """
        fitting: dict[str, Any] = {
            "broker": {
                "host": self.address,
                "port": self.amqp_port,
                "user": ROUTER,
                "password_file": self._secrets.file(ROUTER),
            },
            "management": {
                "url": self.management_url,
                "user": ADMIN,
                "password_file": self._secrets.file(ADMIN),
            },
            "directory": {"clients_password_file": self._secrets.file(CLIENTS)},
            "http": {"port": self.ports.hub_http},
        }
        for section, value in overrides.items():
            fitting[section] = {**fitting.get(section, {}), **value} if isinstance(value, dict) else value
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(settings_toml(fitting), encoding="utf-8")
        return path
