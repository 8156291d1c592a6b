#!/usr/bin/env bash
# Bring the pipeline up to date in CI: only stages that changed run, their inputs come from the DVC
# remote, their results go there. `dvc repro --pull` then takes them from there on any machine.
#
#   scripts/ci_pipeline.sh [REVISION]
#
# REVISION is what the metrics are compared with (default: HEAD), for a pull request its base.
# The comparison is appended to $GITHUB_STEP_SUMMARY, or printed where that is not set.
set -euo pipefail

base="${1:-HEAD}"
summary="${GITHUB_STEP_SUMMARY:-/dev/stdout}"

if dvc remote default > /dev/null; then
  # what has not changed is neither run nor pulled, unless a stage that runs needs it
  dvc repro --pull --allow-missing
  dvc push --run-cache
  python "$(dirname "$0")/push_metrics.py"
else
  echo "no DVC remote to pull from (dvc remote add -d NAME URL): running everything here"
  dvc repro
fi

table="$(dvc metrics diff --md "$base")"
printf '## Metrics, compared with %s\n\n%s\n' "$base" "$table" >> "$summary"
