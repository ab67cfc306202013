#!/bin/sh
# health-check.sh RUN_DIR TAG: asks the service until it is well and says that it is TAG, for at most 20 s.
set -eu
python3 - "$(cat "$1/port")" "$2" <<'PYTHON'
import json, sys, time, urllib.request

port, tag = sys.argv[1:]
deadline = time.monotonic() + 20
# Whatever proxy the environment names, loopback is asked directly.
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
while True:
    try:
        with opener.open(f"http://127.0.0.1:{port}/health", timeout=2) as response:
            answer = json.load(response)
        problem = None if answer.get("version") == tag else f"it runs {answer.get('version')}, not {tag}"
    except (OSError, ValueError) as error:
        problem = str(error)
    if problem is None:
        print("healthy:", json.dumps(answer))
        break
    if time.monotonic() > deadline:
        sys.exit(f"not healthy within 20 s: {problem}")
    time.sleep(0.2)
PYTHON
