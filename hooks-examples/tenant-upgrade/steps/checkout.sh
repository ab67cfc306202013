#!/bin/sh
# checkout.sh APP_DIR COMMIT: checks out exactly the commit that was planned. What a person changed in the tree is kept: git then refuses.
set -eu
export GIT_TERMINAL_PROMPT=0
unset GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE
git -C "$1" -c core.hooksPath=/dev/null -c advice.detachedHead=false checkout --quiet --detach "$2"
echo "checked out $(git -C "$1" describe --tags --always)"
