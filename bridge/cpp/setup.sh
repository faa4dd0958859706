#!/bin/sh
# Installs what the build needs from Debian or Ubuntu, and only what is missing.
set -eu

present() { [ "$(dpkg-query -W -f='${Status}' "$1" 2>/dev/null)" = "install ok installed" ]; }
offered() { [ -n "$(apt-cache policy "$1" 2>/dev/null)" ]; }

# The C++ headers of msgpack have a package of their own from Debian 12 and Ubuntu 22.10 on.
msgpack=libmsgpack-cxx-dev
present "$msgpack" || offered "$msgpack" || msgpack=libmsgpack-dev

missing=""
for package in cmake g++ make cppzmq-dev libzmq3-dev "$msgpack"; do
    present "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

command="apt-get install --yes --no-install-recommends$missing"
if [ "$(id -u)" -ne 0 ]; then
    echo "missing:$missing. Run: sudo $command" >&2
    exit 1
fi
apt-get update --quiet
$command
