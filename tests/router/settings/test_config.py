"""The configuration: strict, overridable, and never leaking."""

import json
import tomllib
from pathlib import Path

import pytest

from router.settings.config import Config, ConfigError, config_reference, find_config, load_config

SECRET = "pa55-Word"


def load(tmp_path: Path, text: str, **environ: str) -> Config:
    file = tmp_path / "hubex.toml"
    file.write_text(text, encoding="utf-8")
    return load_config(file, environ)


def refused(tmp_path: Path, text: str = "", **environ: str) -> ConfigError:
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text, **environ)
    assert "\n" not in str(caught.value)
    return caught.value


def test_no_file_gives_the_defaults() -> None:
    config = load_config(None, {})
    assert (config.broker.port, config.topology.shards, config.delivery.max_message_bytes) == (5672, 8, 1 << 20)
    assert [(vhost.name, vhost.pack) for vhost in config.vhosts] == [("15-nexsis_v1.9", "v3")]
    assert config.directory.file == Path.cwd() / "clients.toml"


@pytest.mark.parametrize(
    "text, path, allowed",
    [
        ("[broker]\nprot = 1", "broker.prot", "host, port, user, password, password_file, heartbeat_seconds"),
        ("[brocker]\nport = 1", "brocker", "broker, management, vhosts"),
        ('[broker]\nport = "5672"', "broker.port", "a whole number from 1 to 65535"),
        ("[broker]\nport = 70000", "broker.port", "a whole number from 1 to 65535"),
        ("[broker]\nport = true", "broker.port", "a whole number from 1 to 65535"),
        ("[broker]\nport = 1.0e3", "broker.port", "a whole number from 1 to 65535"),
        ("[broker]\nhost = ''", "broker.host", "text that is not empty"),
        ("[topology]\nshards = 101", "topology.shards", "a whole number from 1 to 100"),
        ("[workers]\nprefetch = 0", "workers.prefetch", "a whole number from 1 to 2000"),
        ("[workers]\ndrain_seconds = nan", "workers.drain_seconds", "a number from 0 to 3600"),
        ("[delivery]\ninbox_ttl_seconds = 86401", "delivery.inbox_ttl_seconds", "from 1 to 86400"),
        ("[management]\nurl = 'http://u:p@h'", "management.url", "text like ^https?://"),
        ("broker = 1", "broker", "a table with the keys host, port"),
        ("vhosts = 1", "vhosts", "a list of tables with the keys name, pack"),
        ("vhosts = []", "vhosts", "at least one table"),
        ("[[vhosts]]\nname = 'a'", "vhosts[0].pack", "text like"),
        ("[[vhosts]]\nname = 'a'\npack = '../x'", "vhosts[0].pack", "text like"),
        ("[[vhosts]]\nname='a'\npack='v3'\n[[vhosts]]\nname='a'\npack='v2'", "vhosts[1].name", "a name of its own"),
        ("[directory]\nextra_ids = [1]", "directory.extra_ids", "a list of: text"),
        ("[directory]\nfile = ''", "directory.file", "the path of a file"),
        ("[broker]\nuser = 'hubex-admin'", "management.user", "an administrator apart"),
        ("[broker]\npassword = 'a'\npassword_file = 'b'", "broker.password", "one of the two"),
        (
            "[workers]\nundecided_max_bytes=1048576\n[delivery]\nmax_message_bytes=2000000",
            "workers.undecided_max_bytes",
            "at least 2000000",
        ),
    ],
)
def test_a_wrong_key_or_value_is_refused_with_its_path_and_what_is_allowed(
    tmp_path: Path, text: str, path: str, allowed: str
) -> None:
    error = refused(tmp_path, text)
    assert error.path == path and allowed in error.allowed and path in str(error)


def test_every_fault_is_listed_at_once(tmp_path: Path) -> None:
    error = refused(tmp_path, "[broker]\nprot = 1\nport = 0\n[http]\nport = 'x'", HUBEX_LOG__TRAGET="-")
    assert [str(fault).partition(":")[0] for fault in error.faults] == [
        "HUBEX_LOG__TRAGET",
        "broker.prot",
        "broker.port",
        "http.port",
    ]


def test_files_that_are_none(tmp_path: Path) -> None:
    assert "is not TOML" in str(refused(tmp_path, "[broker"))
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(tmp_path / "absent.toml", {})
    (tmp_path / "latin.toml").write_bytes(b"[broker]\nuser = '\xe9'")
    with pytest.raises(ConfigError, match="is not UTF-8"):
        load_config(tmp_path / "latin.toml", {})


def test_a_byte_order_mark_is_let_pass(tmp_path: Path) -> None:
    assert load(tmp_path, "\ufeff[broker]\nport = 1").broker.port == 1


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        "[broker]\nport = 1\nuser = 'u'\n[workers]\ncount = 1",
        HUBEX_BROKER__PORT="5700",
        HUBEX_BROKER__PASSWORD="0123",
        HUBEX_DELIVERY__CONFIRM_TIMEOUT_SECONDS="0.5",
        HUBEX_VHOSTS='[{"name": "v", "pack": "v2"}]',
        HUBEX_DIRECTORY__EXTRA_IDS='["A_b"]',
        HUBEX_WORKERS="7",
        HUBEX_CONFIG="x",
        HUBEX_SUPERVISOR_FD="3",
        HUBEX_RABBITMQ="y",
        HUBEX_PORT="tcp://10.0.0.1:80",
        OTHER__THING="z",
    )
    assert (config.broker.port, config.broker.user, config.broker.secret()) == (5700, "u", "0123")
    assert config.delivery.confirm_timeout_seconds == 0.5
    assert [(vhost.name, vhost.pack) for vhost in config.vhosts] == [("v", "v2")]
    assert config.directory.extra_ids == ("A_b",) and config.workers.count == 1


def test_a_whole_section_may_be_json_and_its_keys_win_over_it(tmp_path: Path) -> None:
    config = load(
        tmp_path,
        "[http]\nhost = '::1'",
        HUBEX_HTTP='{"port": 1}',
        HUBEX_BROKER='{"port": 1, "user": "u"}',
        HUBEX_BROKER__PORT="2",
    )
    assert (config.http.host, config.http.port) == ("::1", 1)
    assert (config.broker.port, config.broker.user) == (2, "u")


@pytest.mark.parametrize(
    "variable, value, allowed",
    [
        ("HUBEX_BROKER__PROT", "1", "HUBEX_BROKER__HOST, HUBEX_BROKER__PORT"),
        ("HUBEX_BROCKER__PORT", "1", "HUBEX_VHOSTS, HUBEX_BROKER__<KEY>"),
        ("HUBEX_BROCKER__PORT", "1", "HUBEX_WORKERS__<KEY>"),
        ("HUBEX_broker__port", "1", "HUBEX_BROKER__<KEY>"),
        ("HUBEX_BROKER__PORT", "many", "a whole number from 1 to 65535"),
        ("HUBEX_BROKER__PORT", "", "a whole number from 1 to 65535"),
        ("HUBEX_DIRECTORY__EXTRA_IDS", "a,b", "a list of: text (lists and tables as JSON)"),
        ("HUBEX_VHOSTS", "[", "JSON"),
    ],
)
def test_a_wrong_variable_is_refused_with_what_is_allowed(
    tmp_path: Path, variable: str, value: str, allowed: str
) -> None:
    error = refused(tmp_path, **{variable: value})
    assert error.path == variable and allowed in error.allowed and len(error.faults) == 1


def test_a_readable_variable_out_of_range_is_refused_with_the_keys_path(tmp_path: Path) -> None:
    assert refused(tmp_path, HUBEX_HTTP__PORT="0").path == "http.port"


@pytest.mark.parametrize("text", [f"[broker]\npassword = ['{SECRET}']", f"[management]\nurl = 'http://u:{SECRET}@h'"])
def test_a_refusal_never_repeats_a_text(tmp_path: Path, text: str) -> None:
    assert SECRET not in str(refused(tmp_path, text))


def test_a_refusal_never_repeats_a_secret_number(tmp_path: Path) -> None:
    error = refused(tmp_path, "[broker]\npassword = 123456")
    assert "123456" not in str(error) and "is a number" in str(error)


def test_no_repr_shows_a_secret(tmp_path: Path) -> None:
    config = load(tmp_path, f"[broker]\npassword='{SECRET}'\n[management]\npassword='{SECRET}'")
    for shown in (repr(config), str(config), f"{config.broker}", repr(config.management)):
        assert SECRET not in shown
    assert config.broker.secret() == config.management.secret() == SECRET


def test_secrets_come_from_files_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{SECRET}\n")
    config = load(
        tmp_path,
        "[broker]\npassword_file='secret'\n[management]\npassword_file='./secret'\n"
        "[directory]\nclients_password_file='secret'",
    )
    assert config.broker.secret() == config.management.secret() == config.directory.clients_password() == SECRET


@pytest.mark.parametrize("content", [None, b"", b"\n", b"\xff"])
def test_a_secrets_file_that_holds_none_is_the_operators_fault(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "secret").write_bytes(content)
    config = load(tmp_path, "[broker]\npassword_file='secret'")
    with pytest.raises(ConfigError, match=r"^broker\.password_file: "):
        config.broker.secret()


def test_relative_paths_are_taken_from_the_files_folder(tmp_path: Path) -> None:
    config = load(tmp_path, "[directory]\nfile='a/clients.toml'\n[log]\ntarget='x.log'", HUBEX_TOPOLOGY__FILE="t.json")
    assert config.directory.file == tmp_path / "a/clients.toml"
    assert config.topology.file == tmp_path / "t.json"
    assert config.log.target == str(tmp_path / "x.log")
    assert config.broker.password_file == "" and load(tmp_path, "").log.target == "-"
    assert load(tmp_path, "[directory]\nfile='/etc/c.toml'").directory.file == Path("/etc/c.toml")


def test_which_file_a_command_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_config(None, {}) is None
    (tmp_path / "hubex.toml").touch()
    assert find_config(None, {}) == Path("hubex.toml")
    assert find_config(None, {"HUBEX_CONFIG": "/x"}) == Path("/x")
    assert find_config(Path("y"), {"HUBEX_CONFIG": "/x"}) == Path("y")


def test_the_reference_names_every_key_with_a_meaning_and_its_true_default() -> None:
    rows = config_reference()
    assert len(rows) == len({key for key, _, _ in rows}) > 30
    assert all(meaning.endswith(".") for _, _, meaning in rows)
    lines: dict[str, list[str]] = {}
    for key, default, _ in rows:
        section, _, name = key.rpartition(".")
        lines.setdefault(f"[[{section[:-2]}]]" if section.endswith("[]") else f"[{section}]", []).append(
            f"{name} = {default}"
        )
    text = "\n".join(line for section, keys in lines.items() for line in (section, *keys))
    assert tomllib.loads(text)["broker"]["port"] == 5672
    assert json.loads(next(default for key, default, _ in rows if key == "directory.file")) == "clients.toml"
