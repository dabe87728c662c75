#!/bin/sh
# Puts what a backup holds in the place of all that Redis holds; what happened since is forgotten.
#   deploy/compose/restore.sh FILE
# APIs and workers may run on: they wait, and go on. Every session is in doubt afterwards, so workers ask the session-manager
# for each pod, and whoever is wanted awake is woken. Pods that were created since are not known: adopt them (PUT /v1/sessions/…).
# It takes what docker compose takes: COMPOSE_FILE, COMPOSE_PROJECT_NAME and .env, from where it is called.
set -eu
if [ $# -ne 1 ] || [ "$1" = --help ]; then
  sed -n '2,6s/^# \{0,1\}//p' "$0"
  [ "${1:-}" = --help ] || exit 2
  exit 0
fi
[ "$(head -c 5 "$1")" = REDIS ] || { echo "$1 is no backup of a Redis" >&2; exit 1; }

docker compose stop redis
docker compose run --rm -T --no-deps --entrypoint sh redis \
  -c 'rm -rf /data/* && cat > /data/dump.rdb && chown redis:redis /data/dump.rdb' < "$1"
# A server without an AOF reads the backup; then it writes an AOF from it, which is what the usual one reads. Nobody else
# reaches it: it does not bear the name of the service.
reader=$(docker compose run --detach --no-deps redis redis-server --appendonly no --save '')
trap 'docker rm --force "$reader" > /dev/null' EXIT
ask() { docker exec -i "$reader" redis-cli --raw "$@"; }
until [ "$(ask PING 2> /dev/null)" = PONG ]; do sleep 0.2; done
now=$(ask TIME | head -n 1)000
ask --scan --pattern '*:ingest' | while read -r shard; do ask HSET "$shard" rewound "$now" < /dev/null > /dev/null; done
ask CONFIG SET appendonly yes > /dev/null
until ask INFO persistence | tr -d '\r' | grep -qx 'aof_rewrite_in_progress:0'; do sleep 0.2; done
ask INFO persistence | tr -d '\r' | grep -qx 'aof_last_bgrewrite_status:ok'
ask SHUTDOWN || true
docker compose up --detach --no-deps --no-recreate --wait redis
