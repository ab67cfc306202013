#!/usr/bin/env bash
set -euo pipefail

echo "[PRE-DEPLOY] Validating environment..."

# Required environment variables
required_vars=(
    "DATABASE_URL"
    "REDIS_URL"
    "API_KEY"
)

for var in "${required_vars[@]}"; do
    if [ -z "${!var:-}" ]; then
        echo "[PRE-DEPLOY] ERROR: Required variable $var not set"
        exit 1
    fi
    echo "[PRE-DEPLOY]   ✓ $var configured"
done

echo "[PRE-DEPLOY] ✓ Environment validation passed"
