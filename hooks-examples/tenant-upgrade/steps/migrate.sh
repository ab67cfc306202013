#!/bin/sh
# migrate.sh APP_DIR DATA_DIR: applies the migrations that the database doesn't know yet, each with its record in one transaction.
set -eu
app=$1
database="$2/pocket.db"
sqlite3 -bail "$database" "CREATE TABLE IF NOT EXISTS schema_migrations (name TEXT PRIMARY KEY)"

count=0
for file in "$app"/migrations/*.sql; do
    [ -e "$file" ] || continue
    name=$(basename "$file")
    case $name in *[!A-Za-z0-9._-]*) echo "odd file name: $name" >&2; exit 1 ;; esac
    [ -z "$(sqlite3 "$database" "SELECT 1 FROM schema_migrations WHERE name = '$name'")" ] || continue
    {
        echo "BEGIN IMMEDIATE;"
        cat "$file"
        echo "INSERT INTO schema_migrations (name) VALUES ('$name');"
        echo "COMMIT;"
    } | sqlite3 -bail "$database"
    count=$((count + 1))
    echo "applied $name"
    [ -z "${WASMHOOK_OUTPUT:-}" ] || echo "migration=migrations/$name" >> "$WASMHOOK_OUTPUT"
done
[ "$count" -gt 0 ] || echo "the database is up to date"
