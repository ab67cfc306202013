#!/usr/bin/env bash
set -euo pipefail

echo "[PRE-DEPLOY] Running migrations..."
npx prisma migrate deploy
echo "[PRE-DEPLOY] ✓ Migrations complete"
