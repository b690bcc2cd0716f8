#!/usr/bin/env bash
# examples/slurm against a real Slurm of one node (this machine): a small heat map in three shares, joined, is that of the whole.
# Needs root, for apt and the daemons of Debian's Slurm.   scripts/slurm_test.sh [PROGRAM]
set -euo pipefail
cd "$(dirname "$0")/.."

program=$(realpath "${1:-target/release/sparsewidth}")
if ! (command -v slurmctld && command -v slurmd && command -v munged && command -v sbatch) >/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends slurmctld slurmd slurm-client munge >/dev/null
fi
work=$(mktemp -d)
chmod 755 "$work"
stop() {
    for daemon in slurmd slurmctld munged; do
        [ -f "$work/$daemon.pid" ] || continue
        pid=$(cat "$work/$daemon.pid")
        kill "$pid" 2>/dev/null || continue
        while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
    done
    rm -rf "$work"
}
trap stop EXIT

# Everything in a folder of its own, beside whatever Slurm the machine may have.
(umask 077 && head -c 1024 /dev/urandom >"$work/munge.key")
munged --force --key-file="$work/munge.key" --socket="$work/munge.socket" --pid-file="$work/munged.pid" \
    --log-file="$work/munge.log" --seed-file="$work/munge.seed"
node=$(hostname -s)
mkdir "$work/state" "$work/spool"
cat >"$work/slurm.conf" <<CONF
ClusterName=test
SlurmctldHost=$node(127.0.0.1)
SlurmctldPort=16817
SlurmdPort=16818
AuthType=auth/munge
AuthInfo=socket=$work/munge.socket
CredType=cred/munge
SlurmUser=root
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
SlurmctldLogFile=$work/slurmctld.log
SlurmdLogFile=$work/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
ReturnToService=2
MpiDefault=none
NodeName=$node NodeAddr=127.0.0.1 CPUs=$(nproc) State=UNKNOWN
PartitionName=all Nodes=$node Default=YES State=UP
CONF
export SLURM_CONF=$work/slurm.conf
slurmctld
slurmd
for _ in $(seq 60); do
    sinfo -h -o %t 2>/dev/null | grep -q idle && break
    sleep 1
done
sinfo -h -o %t | grep -q idle || { cat "$work"/*.log >&2; exit 1; }

study=(heatmap --widths 5,40,160 --last 1,0.5 --epochs 2 --samples 500)
export SPARSEWIDTH=$program SHARDS=$work/shards OUT=$work/joined
logs=(--output="$work/job-%j.log")
job=$(sbatch --parsable "${logs[@]}" --cpus-per-task=1 --array=1-3 examples/slurm/array.sh "${study[@]}")
# A part of the shares without their count is refused.
wrong=$(SHARDS=$work/wrong sbatch --parsable "${logs[@]}" --cpus-per-task=1 --array=2-3 examples/slurm/array.sh "${study[@]}")
sbatch --wait "${logs[@]}" --dependency="afterok:$job" examples/slurm/join.sh "${study[@]}" || { cat "$work"/*.log >&2; exit 1; }
"$program" "${study[@]}" --out "$work/whole" >/dev/null 2>&1
for file in records.jsonl training.csv curves.csv heatmap-relu.svg heatmap-linear.png; do
    cmp "$work/joined/$file" "$work/whole/$file"
done
while squeue -h -j "$wrong" 2>/dev/null | grep -q .; do sleep 1; done
if [ -e "$work/wrong" ]; then
    echo "a part of the shares was done without their count" >&2
    exit 1
fi
grep -q "say with COUNT" "$work"/job-*.log
# Submitted again, it finds the shares joined.
sbatch --wait "${logs[@]}" examples/slurm/join.sh "${study[@]}"
cmp "$work/joined/records.jsonl" "$work/whole/records.jsonl"
echo "Slurm $(sinfo --version | cut -d' ' -f2): three shares of an array, joined, are the whole study."
