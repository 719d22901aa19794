# Runs a PostgreSQL server for all tests of a run, until the process that runs the tests has exited:
# `shared_postgres.sh OWNER FOLDER COMMAND..`. However that process ended, the server is stopped and its folder removed.
set -u
owner=$1
folder=$2
shift 2
"$@" &
server=$!
tail --pid="$owner" --sleep-interval=0.3 -f /dev/null
kill -s QUIT "$server"
wait "$server"
rm -rf "$folder"
