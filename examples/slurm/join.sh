#!/bin/bash
# Joins the shares of a study and draws its pictures, after array.sh and with the same words of the command:
#
#   sbatch --dependency=afterok:JOB examples/slurm/join.sh heatmap --data mnist-folder
#
# A comparison of ways to widen takes this twice: `widen --search-only`, then `widen --rates joined/rates.toml` with other SHARDS and OUT.
# SHARDS: the folder of the shares [shards]. OUT: the folder of the whole, a new one [joined].
#SBATCH --job-name=sparsewidth-join
#SBATCH --cpus-per-task=1
#SBATCH --time=00:30:00
# A job that starts again goes on in the log that it has.
#SBATCH --open-mode=append
set -euo pipefail

# Joined already, where this job was cut off and is submitted again.
if [ ! -s "${OUT:-joined}/journal.jsonl" ]; then
    "${SPARSEWIDTH:-sparsewidth}" merge "${SHARDS:-shards}"/*/ --out "${OUT:-joined}"
fi
exec "${SPARSEWIDTH:-sparsewidth}" "$@" --threads "${SLURM_CPUS_PER_TASK:-1}" --out "${OUT:-joined}"
