#!/bin/bash
# Post-pull, native: writes what a release page shows about the files that came with the checkout.
set -e
echo "=== Release hook: $DEPLOY_TAG ==="
mkdir -p "$DATA_DIR/public"
{
    echo "release $DEPLOY_TAG of $DEPLOY_ENV"
    for file in "$APP_DIR"/src/app/static/data/*.json; do
        echo "$(basename "$file") $(wc -c < "$file" | tr -d ' ')"
    done
} > "$DATA_DIR/public/release.txt.new"
mv "$DATA_DIR/public/release.txt.new" "$DATA_DIR/public/release.txt"
echo "Wrote release.txt"
echo "=== Release hook complete ==="
