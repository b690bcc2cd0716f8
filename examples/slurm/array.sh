#!/bin/bash
# A share of a study, one array task each. From 1 on, and as many as the study is divided into:
#
#   sbatch --array=1-8 examples/slurm/array.sh heatmap --data mnist-folder
#
# SHARDS: the folder that the shares go to [shards]. COUNT: into how many the study is divided, needed only where some of them are run
# again (COUNT=8 sbatch --array=3,5 ...): a share goes on where it was.
#SBATCH --job-name=sparsewidth
#SBATCH --cpus-per-task=2
#SBATCH --time=04:00:00
#SBATCH --requeue
# A job that starts again goes on in the log that it has.
#SBATCH --open-mode=append
set -euo pipefail

: "${SLURM_ARRAY_TASK_ID:?submit it as an array, with sbatch --array=1-N}"
if [ -z "${COUNT:-}" ] && [ "$SLURM_ARRAY_TASK_MIN/$SLURM_ARRAY_TASK_COUNT" != "1/$SLURM_ARRAY_TASK_MAX" ]; then
    echo "These are not shares 1 to N: say with COUNT into how many the study is divided." >&2
    exit 2
fi
exec "${SPARSEWIDTH:-sparsewidth}" "$@" \
    --shard "$SLURM_ARRAY_TASK_ID/${COUNT:-$SLURM_ARRAY_TASK_MAX}" \
    --threads "${SLURM_CPUS_PER_TASK:-1}" \
    --out "${SHARDS:-shards}/$SLURM_ARRAY_TASK_ID"
