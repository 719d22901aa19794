# Runs a command that all tests of a run share, until the process OWNER, which runs the tests, has exited for any
# reason: `run_shared.sh OWNER FOLDER SIGNAL COMMAND..`. Then the command's stdin is closed, the command gets SIGNAL,
# and FOLDER is removed.
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
# The command may have exited already.
kill -s "$signal" "$process" 2>/dev/null
wait
rm -rf "$folder"
