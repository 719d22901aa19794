# Runs something that all tests of a run share, until the process that runs the tests has exited, however it ended:
# `run_shared.sh OWNER FOLDER SIGNAL COMMAND..`. Then the command's stdin ends, it gets the signal, and its folder is
# removed.
set -u
owner=$1
folder=$2
signal=$3
shift 3
until_owner_exits() {
    tail --pid="$owner" --sleep-interval=0.3 -f /dev/null
}
until_owner_exits | "$@" &
process=$!
until_owner_exits
# It may have exited by itself.
kill -s "$signal" "$process" 2>/dev/null
wait
rm -rf "$folder"
