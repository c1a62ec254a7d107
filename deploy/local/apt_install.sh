#!/bin/sh
# Installs Debian packages when that is allowed without asking (root, or sudo without a password); exit 1 when not.
# Nothing that it installs is started: the system's own services are not ours.
set -eu

command -v apt-get >/dev/null || exit 1
if [ "$(id -u)" != 0 ]; then
    sudo -n true 2>/dev/null || exit 1
    exec sudo -n sh "$0" "$@"
fi

echo "hubex: installing $* by apt-get (once)" >&2
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 1' HUP INT TERM
    # Denies starts only while this script lives, should it be killed before it can remove the file.
    printf '#!/bin/sh\nkill -0 %s 2>/dev/null && exit 101\nexit 0\n' "$$" >"$policy"
    chmod 755 "$policy"
fi

# What apt says is of interest only when it fails.
quietly() { said=$("$@" 2>&1) || { echo "$said" >&2; return 1; }; }
install() { DEBIAN_FRONTEND=noninteractive quietly apt-get install -y -qq --no-install-recommends "$@"; }

apt-cache show "$@" >/dev/null 2>&1 || quietly apt-get update -qq || true
# The lists may be older than what the mirror still has.
install "$@" || { quietly apt-get update -qq && install "$@"; } || exit 1

# Nor at the next boot.
for service; do
    case $service in
    haproxy | rabbitmq-server | prometheus | prometheus-alertmanager) systemctl disable "$service" >/dev/null 2>&1 || true ;;
    esac
done
