#!/bin/bash
# Reads every asset once, so that the first request finds it in memory.
set -e
cat js/* > /dev/null
echo "Primed $(ls js | wc -l) files"
