#!/bin/sh
# Replaces the containers of services one after the other, each by one of the image that is there now, and waits until it is
# healthy before the next: an upgrade, or a restart, without a gap where there are two.
#   deploy/compose/roll.sh worker api dashboard
# It takes what docker compose takes: COMPOSE_FILE, COMPOSE_PROFILES, COMPOSE_PROJECT_NAME and .env, from where it is called.
set -eu
if [ $# -eq 0 ] || [ "$1" = --help ]; then
  sed -n '2,5s/^# \{0,1\}//p' "$0"
  [ $# -gt 0 ] || exit 2
  exit 0
fi
for service in "$@"; do
  containers=$(docker compose ps --quiet "$service")
  count=$(echo "$containers" | wc -w)
  for container in $containers; do
    echo "$service: replacing $(docker inspect --format '{{.Name}}' "$container" | tr -d /)"
    docker stop "$container" > /dev/null
    docker rm "$container" > /dev/null
    docker compose up --detach --no-deps --no-recreate --no-build --scale "$service=$count" --wait "$service"
  done
done
