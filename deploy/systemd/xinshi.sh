#!/bin/sh
# Runs a command of Xinshi as the services do: as their user, with their configuration and secrets.
# install -m 0755 deploy/systemd/xinshi.sh /usr/local/bin/xinshi
# Call it as root (`sudo xinshi doctor`). A file of yours goes in by standard input (`--recipients -`).
set -eu
mode=--pipe
if [ -t 0 ] && [ -t 1 ] && [ -t 2 ]; then mode=--pty; fi
exec systemd-run --quiet --collect --wait "$mode" \
  --uid=xinshi --gid=xinshi --working-directory=/var/lib/xinshi \
  --property=EnvironmentFile=-/etc/xinshi/environment --property=UMask=0077 \
  --setenv=XINSHI_CONFIG=/var/lib/xinshi/xinshi.toml --setenv=PYTHONSAFEPATH=1 \
  /opt/xinshi/bin/xinshi "$@"
