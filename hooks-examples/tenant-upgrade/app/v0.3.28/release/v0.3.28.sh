#!/bin/bash
# Release hook for v0.4.0
set -e # Exit on error
echo "=== Release hook: $DEPLOY_TAG ==="
# Idempotency check - skip if already done
MARKER="$APP_DIR/.release-${DEPLOY_TAG}-done"
if [ -f "$MARKER" ]; then
echo "Already applied, skipping"
exit 0
fi
# Your release tasks here
echo "Running release tasks for $DEPLOY_ENV..."
# Example: Sync static files
cp "$APP_DIR/src/app/static/data/new-file.json" \
"/other/deployment/static/data/" 2>/dev/null || true
# Example: Clear cache
rm -rf "$APP_DIR/cache/*" 2>/dev/null || true
# Mark as complete
touch "$MARKER"
echo "=== Release hook complete ==="
