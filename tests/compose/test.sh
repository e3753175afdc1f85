#!/usr/bin/env bash
# Brings deploy/compose.yaml up for real: images, three etcd, two coordinators, two workers, an S3 server. Submits a mosaic
# of real scenes, kills the leading coordinator and a worker on the way, and compares what is published with what `run`
# makes in one container, byte for byte. Whatever happens, everything is torn down. usage: test.sh BINARY SCENES DIRECTORY
#
# Needs root and Debian's packages, which `make test-compose` installs. An engine that runs is used as it is; where none
# does, one is started, and stopped in the end. Images that cannot be pulled are made: Debian by debootstrap, etcd of
# Debian's package, the S3 server of PyPI's.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
[[ -f $2/items.json ]] || { echo "SKIPPED: the scenes are not there: $2" >&2; exit 0; }
binary=$(realpath "$1")
archive=$(realpath "$2")
mkdir -p "$3"
work=$(realpath "$3")
# How long anything may take to happen, in seconds.
patience=300

export ARCHIVE=$archive REQUESTS=$here SECRETS=$work/secrets SLOTS=1 MEMORY=1GiB S3_PORT=${S3_PORT:-18333}
export CLEARMOSAIC_IMAGE=clearmosaic:test ETCD_IMAGE=clearmosaic-test-etcd S3_IMAGE=clearmosaic-test-s3
export COMPOSE_PROJECT_NAME=clearmosaic-test COMPOSE_HTTP_TIMEOUT=$patience

say() { echo "compose: $*" >&2; }
fail() { say "FAILED: $*"; exit 1; }
compose() { docker-compose --file "$root/deploy/compose.yaml" --file "$here/compose.yaml" "$@"; }

torn_down() {
    local code=$?
    trap - EXIT
    if ((code)); then
        compose logs --no-color --tail 200 >"$work/logs" 2>&1 || true
        say "the processes' last words: $work/logs"
    fi
    say "tearing down"
    compose --profile client down --volumes --remove-orphans --timeout 5 >"$work/down.log" 2>&1 || true
    if [[ -n ${engine:-} ]]; then
        kill "$engine"
        wait "$engine" || true
    fi
    exit "$code"
}
trap torn_down EXIT

# waits_for WHAT COMMAND...
waits_for() {
    local what=$1 since=$SECONDS
    shift
    until "$@"; do
        ((SECONDS - since < patience)) || fail "no $what in $patience s"
        sleep 0.2
    done
}

an_engine() {
    docker info >/dev/null 2>&1 && return
    ((EUID == 0)) || fail "no Docker engine runs, and only root can start one"
    for options in "" "--storage-driver=vfs"; do
        say "no Docker engine runs: starting dockerd $options"
        # shellcheck disable=SC2086
        dockerd $options >"$work/dockerd.log" 2>&1 &
        engine=$!
        for _ in {1..100}; do
            docker info >/dev/null 2>&1 && return
            kill -0 "$engine" 2>/dev/null || break
            sleep 0.3
        done
        kill "$engine" 2>/dev/null || true
        wait "$engine" || true
        engine=
    done
    fail "dockerd does not start: $(tail -n 1 "$work/dockerd.log")"
}

the_base() {
    local base=debian:bookworm-slim
    docker image inspect "$base" >/dev/null 2>&1 && return
    timeout 60 docker pull --quiet "$base" >/dev/null 2>&1 && return
    say "$base cannot be pulled: making it with debootstrap"
    rm -rf "$work/base"
    debootstrap --variant=minbase bookworm "$work/base" >"$work/debootstrap.log" || fail "see $work/debootstrap.log"
    tar -C "$work/base" -c . | docker import - "$base" >/dev/null
    rm -rf "$work/base"
}

# image NAME DOCKERFILE CONTEXT OPTION...
image() {
    say "building $1"
    DOCKER_BUILDKIT=0 docker build --quiet --tag "$1" --file "$2" "${@:4}" "$3" >"$work/build.log" 2>&1 ||
        fail "$1: $(tail -n 3 "$work/build.log")"
}

the_images() {
    rm -rf "$work/context"
    mkdir -p "$work/context"
    cp "$binary" "$work/context/clearmosaic"
    cp "$root/LICENSE" "$work/context"
    image "$CLEARMOSAIC_IMAGE" "$root/deploy/Dockerfile" "$work/context" --target prebuilt
    image "$ETCD_IMAGE" "$here/etcd.Dockerfile" "$here"
    local weed
    weed=$("$root/tests/s3/prepare.sh" "$work/weed")
    [[ -n $weed ]] || fail "no S3 server can be had"
    image "$S3_IMAGE" "$here/s3.Dockerfile" "$(dirname "$weed")"
}

asked() { docker exec "$client" clearmosaic "$@"; }
# Tasks that are done, all tasks, and the state of the mosaic.
progress() { asked status slovenia --json | python3 -c '
import json, sys
told = json.loads(sys.stdin.readline())
print(*(sum(kind[of] for kind in told["tasks"]) for of in ("done", "total")), told["state"])'; }
has_done() { [[ $(progress | cut -d" " -f1) -ge $1 ]]; }
leads() { compose exec -T etcd1 etcdctl get --prefix /clearmosaic/v1/leader --sort-by=CREATE --limit=1 --print-value-only; }
# killed CONTAINER: as the system would, not as someone who stops it, after which it would not be started again.
killed() { kill -KILL "$(docker inspect --format '{{.State.Pid}}' "$1")"; }
restarted() { [[ $(docker inspect --format '{{.RestartCount}} {{.State.Status}}' "$1") == [1-9]*" running" ]]; }
healthy() { [[ $(docker inspect --format '{{.State.Health.Status}}' "$1") == healthy ]]; }

an_engine
the_base
the_images
rm -rf "$SECRETS"
"$root/deploy/compose/secrets.sh" "$SECRETS"

say "up: three etcd, two coordinators, no worker yet"
compose up --detach --scale worker=0 >"$work/up.log" 2>&1 || fail "$(tail -n 3 "$work/up.log")"
for name in coordinator1 coordinator2; do
    waits_for "health of $name" healthy "$(compose ps --quiet $name)"
done
client=$(compose run --detach --entrypoint sleep client infinity 2>/dev/null)
asked submit /requests/request.yaml
compose up --detach --scale worker=2 worker >"$work/up.log" 2>&1 || fail "$(tail -n 3 "$work/up.log")"

mapfile -t workers < <(compose ps --quiet worker)
# Workers stand still whenever somebody looks: what is left to do then is left when the leader is killed.
goes_on() {
    docker unpause "${workers[@]}" >/dev/null
    sleep 0.5
    docker pause "${workers[@]}" >/dev/null
    has_done 1
}
docker pause "${workers[@]}" >/dev/null
waits_for "task that is done" goes_on
leader=$(leads | sed 's#^https://\([^:]*\):.*#\1#')
leading=$(compose ps --quiet "$leader")
read -r done_then all state < <(progress)
killed "$leading"
killed "${workers[0]}"
docker unpause "${workers[@]}" >/dev/null
say "killed $leader, which led, and a worker, with $done_then of $all tasks done"
[[ $state == running ]] && ((done_then < all)) || fail "it was all over before anything was killed: $state"

report=$(asked watch slovenia --json) || fail "the mosaic has not become complete"
say "complete; $(leads) leads now"
[[ $(leads) != *"$leader"* ]] || fail "$leader leads again: no other has stepped in"
waits_for "restart of $leader" restarted "$leading"
waits_for "restart of the worker" restarted "${workers[0]}"
waits_for "health of $leader" healthy "$leading"

say "the same by run, in one container"
rm -rf "$work/run" "$work/published"
install --directory --mode 777 "$work/run"
sed '/^profile:/d; s#^output:.*#output: /out#' "$here/request.yaml" >"$work/run/request.yaml"
docker run --rm --volume "$archive:/archive:ro" --volume "$work/run:/out" "$CLEARMOSAIC_IMAGE" run /out/request.yaml \
    >/dev/null 2>"$work/run.log" || fail "run: $(tail -n 1 "$work/run.log")"

# secret NAME: of the object store's key.
secret() { sed -n "s/^$1: //p" "$SECRETS/objects"; }
AWS_ENDPOINT=http://127.0.0.1:$S3_PORT AWS_ACCESS_KEY_ID=$(secret access_key_id) \
    AWS_SECRET_ACCESS_KEY=$(secret secret_access_key) \
    /usr/bin/python3 -B "$root/tests/s3/objects.py" mosaics download out/slovenia "$work/published"
newest=$work/published/$(python3 -c 'import json, sys; print(json.load(sys.stdin)["path"])' <"$work/published/latest.json")
count=0
while read -r raster; do
    cmp "$work/run/slovenia/$raster" "$newest/$raster" || fail "$raster is not that of run"
    count=$((count + 1))
done < <(cd "$work/run/slovenia/" && find . -name '*.tif')
((count == 10)) || fail "run made $count rasters"
say "all $count rasters are the same, byte for byte"
python3 -c 'import json, sys; told = json.load(sys.stdin); print("compose: tasks", told["tasks"])' <<<"$report" >&2
