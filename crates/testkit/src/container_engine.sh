# Runs a container engine in its own namespaces until stdin ends: `container_engine.sh FOLDER CGROUP`. This script is
# the first process of the process namespace: when it exits, the kernel ends all processes that the engine started, and
# removes its mounts, bridges and firewall rules. Stdin also ends when the tests are killed. Control groups belong to no
# namespace, so the script removes them at the end.
set -eu
folder=$1
group=$2
# The engine's files are in memory and end with it. Only its socket is visible outside of the namespaces.
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
