#!/bin/sh
# stop-services.sh RUN_DIR: stops the tenant's service; a service that isn't running is stopped already.
set -eu
run=$(cd "$1" && pwd -P)
pid_file="$run/service.pid"

if [ ! -f "$pid_file" ]; then
    echo "no service is running"
    exit 0
fi
pid=$(cat "$pid_file")
# A stale file may name somebody else's process by now: only ours is ended.
case $(ps -o args= -p "$pid" 2>/dev/null || true) in
    *service.py*"$run"*) ;;
    *)
        rm -f "$pid_file"
        echo "the service had ended by itself"
        exit 0
        ;;
esac

kill -TERM "$pid"
tries=0
while kill -0 "$pid" 2>/dev/null && [ "$(ps -o stat= -p "$pid" | cut -c1)" != Z ]; do
    tries=$((tries + 1))
    if [ "$tries" -eq 100 ]; then
        echo "service $pid ignores TERM for 10 s: killing it" >&2
        kill -KILL "$pid"
        break
    fi
    sleep 0.1
done
rm -f "$pid_file"
echo "stopped service $pid"
