# Words of the ./dev script: settings, messages, ports, and processes that are known by pid and
# start time, so that a pid which the kernel gave to somebody else is never signalled.
RUN=$FOLDLOG_RUN
PORT=${FOLDLOG_PORT:-8080}
ADMIN_PORT=${FOLDLOG_ADMIN_PORT:-9464}
SANDBOX_PORT=${FOLDLOG_SANDBOX_PORT:-8090}
KAFKA_PORT=${FOLDLOG_KAFKA_PORT:-9092}
PG_PORT=${FOLDLOG_PG_PORT:-54329}
STOP_SECONDS=15
STARTED=() # what this call started, in order

say() { printf '%s\n' "$*" >&2; }
die() {
    say "dev: $*"
    exit 1
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

port_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# require_port PORT VARIABLE WHAT: stops with a message when somebody already listens there.
require_port() {
    port_taken "$1" || return 0
    local who
    who=$(ss -ltnpH "sport = :$1" 2>/dev/null | sed -n 's/.*users:((\("[^)]*\)).*/ by \1/p' | head -n 1) || true
    die "port $1 for $3 is already taken$who; set $2 to move it"
}

# wait_until SECONDS COMMAND...: polls until the command succeeds.
wait_until() {
    local end=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.1
    done
}

# The start time of a living process in clock ticks since boot; fails for the dead and for zombies.
process_start() {
    local stat
    read -r stat 2>/dev/null <"/proc/$1/stat" || return 1
    # shellcheck disable=SC2086
    set -- ${stat##*) } # fields from 3 on: the second, a name, may hold anything
    [ "$1" != Z ] && printf '%s' "${20}"
}

is_running() {
    local pid start
    read -r pid start 2>/dev/null <"$RUN/$1.pid" || return 1
    [ "$(process_start "$pid")" = "$start" ]
}

# start NAME COMMAND...: in the background, in its own session, its output added to NAME.log.
start() {
    local name=$1 pid
    shift
    setsid "$@" >>"$RUN/$name.log" 2>&1 </dev/null 9>&- &
    pid=$!
    STARTED+=("$name")
    printf '%s %s\n' "$pid" "$(process_start "$pid")" >"$RUN/$name.pid"
}

# stop NAME SIGNAL: bounded; kills what does not go.
stop() {
    local pid
    if is_running "$1"; then
        read -r pid _ <"$RUN/$1.pid"
        kill "-$2" "$pid" 2>/dev/null || as_root kill "-$2" "$pid" || true
        if ! wait_until "$STOP_SECONDS" not_running "$1"; then
            say "$1 did not stop within $STOP_SECONDS s: killed"
            kill -KILL "$pid" 2>/dev/null || as_root kill -KILL "$pid" || true
            wait_until "$STOP_SECONDS" not_running "$1" || die "$1 (pid $pid) cannot be killed"
        fi
        say "$1 stopped"
    fi
    rm -f "$RUN/$1.pid"
}
not_running() { ! is_running "$1"; }

# wait_ready NAME SECONDS COMMAND...: until the command succeeds; fails early when NAME has died.
wait_ready() {
    local name=$1 end=$((SECONDS + $2))
    shift 2
    until "$@" >/dev/null 2>&1; do
        if ! is_running "$name" || [ $SECONDS -ge $end ]; then
            say "$name did not become ready; the end of $RUN/$name.log:"
            tail -n 25 "$RUN/$name.log" >&2 || true
            return 1
        fi
        sleep 0.1
    done
}

# One ./dev at a time per run directory; and a call that fails leaves nothing of its own behind.
lock_run() {
    mkdir -p "$RUN"
    exec 9>"$RUN/lock"
    flock -n 9 || die "another ./dev is at work in $RUN"
    trap 'undo_started $?' EXIT
    trap 'exit 130' INT TERM
}

undo_started() {
    local status=$1 i
    [ "$status" -ne 0 ] || return 0
    trap - EXIT
    for ((i = ${#STARTED[@]} - 1; i >= 0; i--)); do
        stop "${STARTED[i]}" "$(stop_signal "${STARTED[i]}")" || true
    done
    exit "$status"
}

# For PostgreSQL INT is the fast shutdown: TERM would wait for its clients to leave.
stop_signal() { if [ "$1" = postgres ]; then echo INT; else echo TERM; fi; }
