#!/bin/sh
# The application: serves what the jobs made.
exec sleep infinity
