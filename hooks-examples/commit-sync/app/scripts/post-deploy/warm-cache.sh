#!/usr/bin/env bash
set -euo pipefail

echo "[POST-DEPLOY] Warming application cache..."

# Wait for app to be fully ready
sleep 5

# Pre-fetch common endpoints
endpoints=(
    "/api/products"
    "/api/categories"
    "/api/featured"
)

for endpoint in "${endpoints[@]}"; do
    if curl -sf "http://localhost:8080$endpoint" > /dev/null; then
        echo "[POST-DEPLOY]   ✓ Cached $endpoint"
    else
        echo "[POST-DEPLOY]   ⚠ Failed to cache $endpoint (non-critical)"
    fi
done

echo "[POST-DEPLOY] ✓ Cache warming completed"
