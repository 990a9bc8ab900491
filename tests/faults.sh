#!/usr/bin/env bash
# Real faults on real processes over a real S3 server. A coordinator and two workers do a small sweep while one thing goes
# wrong; then every picture and every number must be the one of a run that nobody disturbed, to the last digit.
#
#   .ci/seaweedfs tests/faults.sh                  # all of them, some minutes
#   .ci/seaweedfs tests/faults.sh frozen slow      # some of them
#
# `cut` and `full` need root, for a network of their own and a small disk.
set -euo pipefail
cd "$(dirname "$0")/.."

: "${AWS_ENDPOINT:?run it below .ci/seaweedfs}"
export CARGO_TARGET_DIR="${CARGO_TARGET_DIR:-$HOME/.cache/vico-target}"
cargo build --release --workspace --bins --quiet
bin="$CARGO_TARGET_DIR/release"
export NO_COLOR=1 RAYON_NUM_THREADS=1
server="${AWS_ENDPOINT#http://}"
scratch="$(mktemp -d)"
declare -A pids=()

stop_all() {
    for pid in "${pids[@]}"; do kill -CONT "$pid" 2>/dev/null || true; kill -9 "$pid" 2>/dev/null || true; done
    pids=()
    ip netns del vico-fault 2>/dev/null || true
    umount "$scratch/small" 2>/dev/null || true
}
trap 'stop_all; rm -rf "$scratch"' EXIT

fail() {
    echo "FAILED: $*"
    tail -n 15 "$scratch"/*.log
    exit 1
}

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

manifest="$scratch/disturbed.yaml"
sed "s#FIXTURES#$PWD/workers/engine/tests/fixtures/parity#; s#IMAGES#$PWD/manifests/five-methods/images#" \
    tests/manifests/disturbed.yaml >"$manifest"

# One name and one command line for each process.
start() {
    local name="$1"
    shift
    "$@" >>"$scratch/$name.log" 2>&1 &
    pids[$name]=$!
    # Or the shell tells of everybody's end.
    disown
}
serve() {
    start coordinator "$bin/vico-coord" serve --bucket "$bucket" --listen "$listen" --lease-ttl 3s ${insecure:-}
    for _ in $(seq 100); do
        if (exec 3<>"/dev/tcp/127.0.0.1/${listen##*:}") 2>/dev/null; then return; fi
        sleep 0.1
    done
    fail "the coordinator does not listen"
}
hire() {
    local name="$1"
    shift
    start "$name" "$@" "$bin/vico-worker" --coordinator "http://127.0.0.1:${listen##*:}" --name "$name" \
        --cache "$scratch/$fault-$name"
}
# What a command printed as JSON, as Python sees it in `told`.
told() { python3 -c "import json, sys; told = json.load(sys.stdin); $1"; }
ask() { "$bin/vico-coord" "$@" --coordinator "http://127.0.0.1:${listen##*:}"; }

# Waits until a worker has trained ten steps; prints its name.
trainer() {
    for _ in $(seq 300); do
        found="$(ask describe "$sweep" -o json 2>/dev/null | told '
for job in told["jobs"]:
    if job["state"] == "leased" and job["stage"] == "train" and (job["progress"] or {}).get("done", 0) >= 10:
        print(job["worker"])
        break' || true)"
        if [ -n "$found" ]; then
            echo "$found"
            return
        fi
        sleep 0.2
    done
    fail "nobody trains"
}

# A coordinator, on this machine's own address or on all, and the sweep.
begin() {
    fault="$1"
    bucket="s3://vico/faults/$fault"
    listen="${2:-127.0.0.1}:$(free_port)"
    serve
    sweep="$(ask submit "$manifest" -o json | told 'print(told["sweep"])')"
}

# The sweep ends, and its results are fetched.
finish() {
    ask watch "$sweep" --timeout 300s --no-progress >/dev/null || fail "the sweep did not end well after $fault"
    curl --silent --fail "$VICO_TEST_FILES/faults/$fault/results/$sweep/samples.csv" >"$scratch/$fault.csv" ||
        fail "no results after $fault"
}

# The same with the bytes of the undisturbed sweep, and the fault was there.
end() {
    finish
    cmp "$scratch/calm.csv" "$scratch/$fault.csv" || fail "other results after $fault"
    "$@"
    printf '%-8s the same %s pictures with the same numbers\n' "$fault" "$(($(wc -l <"$scratch/$fault.csv") - 1))"
    stop_all
}

# Whether some attempt ended like this: a fault that nobody felt proves nothing.
felt() {
    local job
    for job in $(ask describe "$sweep" -o json | told '
for job in told["jobs"]: print(job["job"])'); do
        if ask describe "$job" -o json | grep -q "\"class\": *\"$1\""; then return; fi
    done
    fail "$fault was to cause $1, and did not"
}
# Whether the bad weather was there.
blew() {
    [ "$(grep -c "$2" "$scratch/$1.log")" -ge 20 ] || fail "$fault: fewer than 20 answers like '$2'"
}

calm() {
    begin calm
    hire w1
    hire w2
    finish
    stop_all
}

# SIGKILL for a worker that trains, then for the coordinator, which comes back.
killed() {
    begin killed
    hire w1
    hire w2
    victim="$(trainer)"
    kill -9 "${pids[$victim]}"
    sleep 1
    kill -9 "${pids[coordinator]}"
    sleep 1
    serve
    hire w3
    end felt worker_lost
}

# A worker that sleeps for longer than its lease and wakes up when its job is somebody else's.
frozen() {
    begin frozen
    hire w1
    hire w2
    victim="$(trainer)"
    kill -STOP "${pids[$victim]}"
    sleep 8
    kill -CONT "${pids[$victim]}"
    end felt worker_lost
}

# A worker in a network of its own, whose cable is pulled for longer than its lease.
cut() {
    ip netns add vico-fault
    ip link add vico-out type veth peer name vico-in netns vico-fault
    ip addr add 10.77.7.1/24 dev vico-out
    ip link set vico-out up
    ip -n vico-fault addr add 10.77.7.2/24 dev vico-in
    ip -n vico-fault link set vico-in up
    ip -n vico-fault link set lo up
    local port
    port="$(free_port)"
    start bridge python3 tests/weather.py --listen "10.77.7.1:$port" --to "$server"
    insecure=--insecure begin cut 0.0.0.0
    start far env AWS_ENDPOINT="http://10.77.7.1:$port" ip netns exec vico-fault \
        "$bin/vico-worker" --coordinator "http://10.77.7.1:${listen##*:}" --name far --cache "$scratch/cut-far"
    [ "$(trainer)" = far ] || fail "the far worker does not train"
    ip link set vico-out down
    sleep 2
    hire near
    sleep 8
    ip link set vico-out up
    end felt worker_lost
}

# A worker whose cache lies on a disk of half a megabyte, beside one with room.
full() {
    mkdir -p "$scratch/small"
    mount -t tmpfs -o size=512k tmpfs "$scratch/small"
    begin full
    start cramped "$bin/vico-worker" --coordinator "http://$listen" --name cramped --cache "$scratch/small/cache"
    sleep 6
    hire roomy
    end felt storage
}

# Every fifth request to the server is answered with 503, for coordinator and workers.
failing() { weather failing " 503" --fail 0.2; }

# Every request takes half a second longer.
slow() { weather slow " 200" --late 0.5; }

weather() {
    local fault="$1" answer="$2" port
    shift 2
    port="$(free_port)"
    start "$fault-weather" python3 tests/weather.py --listen "127.0.0.1:$port" --to "$server" "$@"
    sleep 1
    local -x AWS_ENDPOINT="http://127.0.0.1:$port"
    begin "$fault"
    hire w1
    hire w2
    end blew "$fault-weather" "$answer"
}

calm
if [ $# -eq 0 ]; then set -- killed frozen cut full failing slow; fi
for fault in "$@"; do
    case "$fault" in
    cut | full) [ "$(id -u)" = 0 ] || fail "$fault needs root" ;;
    esac
    "$fault"
done
