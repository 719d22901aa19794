# A container engine in namespaces of its own, until stdin ends: `container_engine.sh FOLDER CGROUP`. It is the first process
# there, so with it everything ends that the engine started, and its mounts, bridges and firewall rules are gone.
# That stdin also ends when the tests are killed. What no namespace holds are the control groups: removed at the end.
set -eu
folder=$1
group=$2
# The engine's own files lie in memory and go with it; only its socket is for the world outside.
mount -t tmpfs tmpfs /run
mount -t tmpfs tmpfs "$folder/data"
ip link set lo up
dockerd --config-file "$folder/daemon.json" --data-root "$folder/data" --exec-root /run/engine \
    --pidfile /run/engine.pid --host "unix://$folder/docker.sock" --bridge none \
    --cgroup-parent "/$group" --exec-opt native.cgroupdriver=cgroupfs >"$folder/engine.log" 2>&1 </dev/null &
engine=$!
cat >/dev/null
kill "$engine"
wait "$engine" || :
find /sys/fs/cgroup -depth -type d -path "*/$group*" -exec rmdir {} + 2>/dev/null || :
