#!/bin/bash
# Joins the shares of a study and draws its pictures, after array.sh and with the same words of the command:
#
#   sbatch --dependency=afterok:JOB examples/slurm/join.sh heatmap --data mnist-folder
#
# SHARDS: the folder of the shares [shards]. OUT: the folder of the whole, a new one [joined].
#SBATCH --job-name=sparsewidth-join
#SBATCH --cpus-per-task=1
#SBATCH --time=00:30:00
set -euo pipefail

"${SPARSEWIDTH:-sparsewidth}" merge "${SHARDS:-shards}"/*/ --out "${OUT:-joined}"
exec "${SPARSEWIDTH:-sparsewidth}" "$@" --threads "${SLURM_CPUS_PER_TASK:-1}" --out "${OUT:-joined}"
