#!/usr/bin/env bash
set -euo pipefail

echo "[PRE-DEPLOY] =========================================="
echo "[PRE-DEPLOY] Running Database Migrations"
echo "[PRE-DEPLOY] =========================================="

# Check database connectivity
if ! pg_isready -d "$DATABASE_URL"; then
    echo "[PRE-DEPLOY] ERROR: Cannot connect to database"
    exit 1
fi

# Run migrations
echo "[PRE-DEPLOY] Applying migrations..."
if npx prisma migrate deploy; then
    echo "[PRE-DEPLOY] ✓ Migrations completed successfully"
else
    echo "[PRE-DEPLOY] ERROR: Migration failed"
    exit 1
fi

# Verify schema
echo "[PRE-DEPLOY] Verifying schema..."
npx prisma validate

echo "[PRE-DEPLOY] =========================================="
echo "[PRE-DEPLOY] ✓ Pre-Deploy Completed"
echo "[PRE-DEPLOY] =========================================="
