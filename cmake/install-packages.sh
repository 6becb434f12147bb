#!/usr/bin/env bash
# Debian 12 packages that are missing, by what they are needed for: build, test, demo, lint, sanitize, bench. Nothing is
# removed, no service is started, and apt is not touched where nothing is missing.
#   source install-packages.sh; install_packages GROUP...     (sets Boost_ROOT where Boost has to live under build/)
#   install-packages.sh GROUP...
set -euo pipefail

# PACKAGE=PROGRAM: not needed where the program is there, whoever installed it.
declare -A packages=(
  [build]="g++ cmake ninja-build python3 libboost1.81-dev libssl-dev prometheus-cpp-dev libyaml-cpp-dev libcli11-dev
           libspdlog-dev nlohmann-json3-dev zlib1g-dev libjs-chart.js"
  [test]="libgtest-dev libgmock-dev binutils chromium clang-format-14 courier-imap curl cyrus-imapd dovecot-imapd
          fail2ban=fail2ban-regex haproxy iproute2 isync kubernetes-client=kubectl libfaketime nftables nodejs=node
          npm=npm openssl
          prometheus shellcheck systemd util-linux
          libcourier-unicode4 libgdbm6 libidn12 libltdl7
          libical3 libjansson4 libpcre3 libpq5 libsasl2-modules libsasl2-modules-db libsqlite3-0 libwrap0 libxapian30"
  [demo]="dovecot-imapd openssl prometheus"
  [lint]="clang-tidy-14"
  [sanitize]="clang-14 libclang-rt-14-dev"
  [bench]="haproxy nginx libnginx-mod-stream libnginx-mod-mail stunnel4 hitch valgrind
           gnuplot-nox=gnuplot"
)
# Only unpacked, below build/, with what belongs to them: Boost's headers of 1.74 and 1.81 cannot be installed together,
# and those of 1.74 do not compile here; fail2ban would watch over the machine from its next start on; the mail servers
# exclude each other.
declare -A unpacked=([libboost1.81-dev]=boost-1.81 [fail2ban]=fail2ban [cyrus-imapd]=cyrus [courier-imap]=courier)
declare -A belongs=(
  [cyrus-imapd]="cyrus-common sasl2-bin"
  [courier-imap]="courier-base courier-authlib courier-authlib-userdb libgamin0"
)
packages_script=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/install-packages.sh
packages_build=$(dirname "$(dirname "$packages_script")")/build

install_packages() {
  local group package
  local -a wanted=() missing=()
  for group in "$@"; do
    read -rd '' -a wanted <<<"${wanted[*]} ${packages[$group]}" || true  # read ends with 1 at the end of its input
  done
  for package in "${wanted[@]}"; do
    if package_installed "${package%=*}" || [[ $package == *=* && -n $(command -v "${package#*=}") ]]; then continue; fi
    if [[ $package == libboost1.81-dev ]] && package_installed libboost1.74-dev; then
      unpack libboost1.81-dev
      export Boost_ROOT=$packages_build/boost-1.81/usr
    elif [[ $package != libboost* && -n ${unpacked[${package%=*}]:-} ]]; then
      unpack "${package%=*}"
    elif [[ " ${missing[*]} " != *" ${package%=*} "* ]]; then
      missing+=("${package%=*}")
    fi
  done
  if ((${#missing[@]} == 0)); then return; fi
  echo "Installing ${missing[*]}" >&2
  as_root "$packages_script" --apt "${missing[@]}"
}

package_installed() { [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

as_root() {
  if ((EUID == 0)); then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    echo "Neither root nor sudo: have an administrator run $*" >&2
    return 1
  fi
}

# unpack PACKAGE: it and what belongs to it to where `unpacked` says, unless they are there.
unpack() {
  local to=$packages_build/${unpacked[$1]} scratch archive
  local -a names
  if [[ -d $to/usr ]]; then return; fi
  read -ra names <<<"$1 ${belongs[$1]:-}"
  mkdir -p "$to"
  scratch=$(mktemp -d "$to/unpack.XXXXXX")
  (cd "$scratch" && { apt-get download "${names[@]}" || { as_root apt-get update && apt-get download "${names[@]}"; }; })
  for archive in "$scratch"/*.deb; do dpkg-deb -x "$archive" "$scratch/root"; done
  mv "$scratch/root/usr" "$to/usr"
  rm -r "$scratch"
}

# The rest runs as root, in a process of its own.

# While packages are installed, a policy says that no service may start: the mail server is for tests and the demo. A
# policy that was there is put back, also one that a killed run has left aside.
readonly policy=/usr/sbin/policy-rc.d
readonly policy_aside=$policy.imapmeter-aside
readonly policy_mark='imapmeter installs packages without starting them'

restore_policy() {
  if grep -qs "$policy_mark" "$policy"; then rm "$policy"; fi
  if [[ -e $policy_aside || -L $policy_aside ]]; then mv "$policy_aside" "$policy"; fi
}

deny_services() {
  restore_policy
  trap restore_policy EXIT
  trap 'exit 130' INT TERM HUP
  if [[ -e $policy || -L $policy ]]; then mv "$policy" "$policy_aside"; fi
  printf '#!/bin/sh\n# %s\nexit 101\n' "$policy_mark" >"$policy"
  chmod 755 "$policy"
}

apt_install() {
  exec 9>/run/imapmeter-packages.lock
  flock 9
  deny_services
  export DEBIAN_FRONTEND=noninteractive
  apt-get -o Acquire::Retries=3 update
  apt-get -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 install --yes --no-remove --no-install-recommends "$@"
}

if [[ ${BASH_SOURCE[0]} == "$0" ]]; then
  if [[ ${1:-} == --apt ]]; then
    apt_install "${@:2}"
  else
    install_packages "$@"
  fi
fi
