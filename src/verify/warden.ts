/**
 * The shell between this process and its server. Its standard input is a pipe that closes when this process ends,
 * however it ends; then it stops the server. When the server is gone, for whatever reason, the directory goes.
 */
export const WARDEN = `
directory=$1; shift
exec 3<&0
"$@" </dev/null 3<&- &
server=$!
{ read -r _ <&3; kill -INT $server; sleep 10; kill -QUIT $server; sleep 10; kill -KILL $server; } >/dev/null 2>&1 &
watcher=$!
wait $server
code=$?
kill $watcher 2>/dev/null
for _ in 1 2 3 4 5; do rm -rf "$directory" 2>/dev/null && break; sleep 0.2; done
exit $code
`
