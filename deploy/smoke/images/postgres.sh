#!/bin/sh
# PostgreSQL with the manners of the official image: PGDATA, POSTGRES_USER, POSTGRES_DB, POSTGRES_INITDB_ARGS, POSTGRES_PASSWORD
# or POSTGRES_PASSWORD_FILE, and arguments of the server after the word postgres.
set -eu
: "${PGDATA:=/var/lib/postgresql/data}" "${POSTGRES_USER:=postgres}"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    umask 077
    word=$(mktemp)
    if [ -n "${POSTGRES_PASSWORD_FILE:-}" ]; then cat "$POSTGRES_PASSWORD_FILE"; else printf %s "${POSTGRES_PASSWORD:?}"; fi >"$word"
    # shellcheck disable=SC2086 # arguments, not one
    initdb -D "$PGDATA" -U "$POSTGRES_USER" --auth=scram-sha-256 --pwfile="$word" --no-instructions ${POSTGRES_INITDB_ARGS:-}
    rm "$word"
    echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
    if [ "${POSTGRES_DB:-postgres}" != postgres ]; then
        echo "CREATE DATABASE \"$POSTGRES_DB\"" | postgres --single -D "$PGDATA" -j postgres
    fi
fi
[ "${1:-}" != postgres ] || shift
exec postgres -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories=/var/run/postgresql "$@"
