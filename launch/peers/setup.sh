#!/usr/bin/env bash
# Install the projects that the benchmarks compare with, one virtual environment each, because their pins exclude one another.
#
#   launch/peers/setup.sh                      the two simulators: robosuite and fetch
#   launch/peers/setup.sh lerobot openpi       any of the table below, by name
#   launch/peers/setup.sh --list               what is installed
#
# Environments land in ${TANDEM_PEERS:-~/.cache/tandem-peers}/NAME; a peer whose pins have not changed is left as it is.
set -euo pipefail

home=${TANDEM_PEERS:-$HOME/.cache/tandem-peers}
python=${PYTHON:-python3}

declare -A requirements=(
  [robosuite]="robosuite==1.5.2 mujoco==3.8.1"
  [fetch]="gymnasium-robotics==1.4.2 mujoco==3.10.0"
  [lerobot]="lerobot==0.4.4"
  [openpi]="openpi-client==0.1.2 typing_extensions"
)
known=(robosuite fetch lerobot openpi)

installed() { [[ -f $home/$1/installed && $(<"$home/$1/installed") == "${requirements[$1]}" ]]; }

list() {
  local name
  for name in "${known[@]}"; do
    if installed "$name"; then echo "$name  $home/$name/bin/python"; else echo "$name  not installed"; fi
  done
}

install() {
  local name=$1
  if ! installed "$name"; then
    echo "$name: installing ${requirements[$name]}" >&2
    rm -rf "${home:?}/$name"
    mkdir -p "$home"
    "$python" -m venv "$home/$name"
    # shellcheck disable=SC2086  # the table holds several requirements per peer
    "$home/$name/bin/pip" install --quiet --disable-pip-version-check ${requirements[$name]}
    echo "${requirements[$name]}" >"$home/$name/installed"
  fi
  echo "$home/$name/bin/python"
}

[[ ${1:-} == --list ]] && { list; exit; }
for name in "${@:-robosuite fetch}"; do
  for one in $name; do
    [[ -n ${requirements[$one]:-} ]] || { echo "unknown peer '$one'; known: ${known[*]}" >&2; exit 2; }
    install "$one"
  done
done
