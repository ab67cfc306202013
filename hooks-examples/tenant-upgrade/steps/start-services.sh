#!/bin/sh
# start-services.sh APP_DIR DATA_DIR RUN_DIR: starts the tenant's service and waits until its port is open.
set -eu
run=$(cd "$3" && pwd -P)
pid_file="$run/service.pid"
if [ -f "$pid_file" ]; then
    case $(ps -o args= -p "$(cat "$pid_file")" 2>/dev/null || true) in
        *service.py*"$run"*)
            echo "service $(cat "$pid_file") is running already"
            exit 0
            ;;
    esac
fi
rm -f "$pid_file"

# A session and streams of its own: it outlives this step and holds none of its pipes.
setsid python3 -B "$1/service.py" "$1" "$2" "$run" < /dev/null >> "$run/service.log" 2>&1 &

tries=0
while [ ! -f "$pid_file" ]; do
    tries=$((tries + 1))
    if [ "$tries" -eq 100 ]; then
        echo "the service didn't start within 10 s; its log ends:" >&2
        tail -n 5 "$run/service.log" >&2
        exit 1
    fi
    sleep 0.1
done
echo "started service $(cat "$pid_file")"
