#!/bin/sh
# backup-database.sh DATA_DIR: copies the database to pocket.db.backup_YYYYMMDD (a second one of the day gets -2), and dumps its tables.
set -eu
data=$1
fresh=$(mktemp "$data/.backup.XXXXXX")
trap 'rm -f "$fresh"' EXIT

sqlite3 -bail "$data/pocket.db" ".backup '$fresh'"
[ "$(sqlite3 "$fresh" 'PRAGMA integrity_check')" = ok ] || { echo "the backup is damaged" >&2; exit 1; }

# A link fails where its name exists, so no backup is ever overwritten.
base="$data/pocket.db.backup_$(date -u +%Y%m%d)"
backup=$base
number=1
while ! ln "$fresh" "$backup" 2>/dev/null; do
    [ -e "$backup" ] || { echo "can't write $backup" >&2; exit 1; }
    number=$((number + 1))
    backup="$base-$number"
done

mkdir -p "$data/dumps"
for table in $(sqlite3 "$fresh" "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"); do
    sqlite3 -bail -csv -header "$fresh" "SELECT * FROM \"$table\" ORDER BY 1" > "$data/dumps/$table.csv"
done

echo "backed up to $backup"
[ -z "${WASMHOOK_OUTPUT:-}" ] || echo "backup_path=$backup" >> "$WASMHOOK_OUTPUT"
