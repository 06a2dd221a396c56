#!/usr/bin/env bash
# The steps of the check, in a clean clone: `ci.sh quick` needs npm only, `ci.sh` also the programs that the end-to-end
# tests and the fault suite talk to.
set -euo pipefail
cd "$(dirname "$0")/.."
export CI=true PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1

step() { printf '\n== %s\n' "$*"; "$@"; }

step npm ci
step npm run lint
step npm run typecheck
step npm run build
step npm run observability -- --check
if [ "${1:-}" != quick ]; then
  step npm run test:faults -- --short
  step npm run test:e2e
  step npm run test:examples
fi
step npm test
