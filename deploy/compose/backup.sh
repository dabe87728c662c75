#!/bin/sh
# Writes all that Redis holds to a file, while everything runs.
#   deploy/compose/backup.sh FILE
# It takes what docker compose takes: COMPOSE_FILE, COMPOSE_PROJECT_NAME and .env, from where it is called.
set -eu
if [ $# -ne 1 ] || [ "$1" = --help ]; then
  sed -n '2,4s/^# \{0,1\}//p' "$0"
  [ "${1:-}" = --help ] || exit 2
  exit 0
fi
# A file of its own until it is whole: a backup that broke off must not stand in the place of the last good one.
trap 'rm -f "$1.part"' EXIT
docker compose exec -T redis redis-cli --rdb - > "$1.part"
mv "$1.part" "$1"
echo "$1: $(wc -c < "$1") bytes"
