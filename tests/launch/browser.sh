#!/bin/sh
# Installs the browser that opens the report in a test, from Debian or Ubuntu, and only when there is none.
set -eu

for name in chromium chromium-browser google-chrome; do
    command -v "$name" >/dev/null && exit 0
done

command="apt-get install --yes --no-install-recommends chromium"
if [ "$(id -u)" -eq 0 ]; then
    root=""
elif sudo -n true 2>/dev/null; then
    root="sudo"
else
    echo "missing: chromium. Run: sudo $command" >&2
    exit 1
fi
$root apt-get update --quiet
$root $command
