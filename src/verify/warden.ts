/**
 * The shell between this process and a program that works on a directory. Its standard input is a pipe that closes when
 * this process ends, however it ends; then it ends the program. When that is gone, for whatever reason, the directory
 * goes; with `keep`, only where it failed. A server is ended at once: what it has not written yet is of no use to anybody.
 */
export const WARDEN = `
directory=$1; keep=$2; shift 2
exec 3<&0
"$@" </dev/null 3<&- &
program=$!
{ read -r _ <&3; kill -QUIT $program; sleep 10; kill -KILL $program; } >/dev/null 2>&1 &
watcher=$!
wait $program
code=$?
kill $watcher 2>/dev/null
[ "$code$keep" = 0keep ] && exit 0
for _ in 1 2 3 4 5; do rm -rf "$directory" 2>/dev/null && break; sleep 0.2; done
exit $code
`
