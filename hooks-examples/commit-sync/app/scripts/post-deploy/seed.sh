#!/usr/bin/env bash
set -euo pipefail

echo "[POST-DEPLOY] =========================================="
echo "[POST-DEPLOY] Seeding Database"
echo "[POST-DEPLOY] =========================================="

# Check if data exists (idempotency)
USER_COUNT=$(psql "$DATABASE_URL" -tAc "SELECT COUNT(*) FROM users")

if [ "$USER_COUNT" -gt 0 ]; then
    echo "[POST-DEPLOY] Data already exists ($USER_COUNT users). Skipping seed."
    exit 0
fi

echo "[POST-DEPLOY] Database empty. Seeding..."

# Seed data
npx prisma db seed

echo "[POST-DEPLOY] ✓ Seeding completed"
echo "[POST-DEPLOY]   - Created 10 sample users"
echo "[POST-DEPLOY]   - Created 25 sample products"
