"""The tenant's service: answers /health with its version and what its database holds. Loopback only."""

import http.server
import json
import os
import pathlib
import sqlite3
import sys

APP, DATA, RUN = (pathlib.Path(argument) for argument in sys.argv[1:4])
# Read once: a service that wasn't restarted still says its old version.
VERSION = (APP / "VERSION").read_text().strip()


def health():
    with sqlite3.connect(f"file:{DATA / 'pocket.db'}?mode=ro", uri=True) as database:
        count = lambda table: database.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        return {"status": "ok", "version": VERSION, "tenants": count("tenants"), "migrations": count("schema_migrations")}


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            status, answer = (200, health()) if self.path == "/health" else (404, {"status": "not found"})
        except sqlite3.Error as error:
            status, answer = 503, {"status": str(error)}
        body = json.dumps(answer).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


server = http.server.ThreadingHTTPServer(("127.0.0.1", int((RUN / "port").read_text())), Handler)
# Only now, so that whoever finds the process id finds an open port.
pid = RUN / "service.pid.new"
pid.write_text(f"{os.getpid()}\n")
pid.rename(RUN / "service.pid")
server.serve_forever()
