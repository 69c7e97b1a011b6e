# What runs: Kafka, PostgreSQL, the payment sandbox, Foldlog; started in this order, stopped in the
# other. Environment variables name servers of the user's own.
FOLDLOG=build/release/app/foldlog
SANDBOX=build/release/sandbox/payment-sandbox

# Not when they name ours, by the environment that `up` leaves for the verbs.
[ "${FOLDLOG_KAFKA:-}" != "${FOLDLOG_OWN_KAFKA:-}" ] || unset FOLDLOG_KAFKA
[ "${FOLDLOG_PG:-}" != "${FOLDLOG_OWN_PG:-}" ] || unset FOLDLOG_PG
FOREIGN_KAFKA=${FOLDLOG_KAFKA:-} FOREIGN_PG=${FOLDLOG_PG:-}

own_kafka() { [ -z "$FOREIGN_KAFKA" ]; }
own_pg() { [ -z "$FOREIGN_PG" ]; }

# Sets what Foldlog is to connect to.
export_addresses() {
    export FOLDLOG_PORT=$PORT FOLDLOG_ADMIN_PORT=$ADMIN_PORT
    export FOLDLOG_KAFKA=${FOLDLOG_KAFKA:-127.0.0.1:$KAFKA_PORT}
    export FOLDLOG_PG=${FOLDLOG_PG:-$(pg_conninfo)}
    export FOLDLOG_PAYMENT_URL=${FOLDLOG_PAYMENT_URL:-http://127.0.0.1:$SANDBOX_PORT}
    export FOLDLOG_DEV=${FOLDLOG_DEV:-true} # one broker, one replica
    export FOLDLOG_ADMIN_FILE=${FOLDLOG_ADMIN_FILE:-$RUN/admin.json}
    export FOLDLOG_SECRET_FILE=${FOLDLOG_SECRET_FILE:-$RUN/secrets/fingerprint}
    export FOLDLOG_EMAIL_SECRET_FILE=${FOLDLOG_EMAIL_SECRET_FILE:-$RUN/secrets/email}
    export FOLDLOG_MASTER_KEY_FILE=${FOLDLOG_MASTER_KEY_FILE:-$RUN/secrets/master-key}
    export FOLDLOG_SNAPSHOTS=${FOLDLOG_SNAPSHOTS:-$RUN/snapshots}
}

# What the verbs need to know of the system that runs here; the administrator's password is in it.
write_environment() (
    umask 077
    export_addresses
    export FOLDLOG_KAFKA_PORT=$KAFKA_PORT FOLDLOG_PG_PORT=$PG_PORT FOLDLOG_SANDBOX_PORT=$SANDBOX_PORT
    export FOLDLOG_OWN_KAFKA='' FOLDLOG_OWN_PG=''
    ! own_kafka || FOLDLOG_OWN_KAFKA=$FOLDLOG_KAFKA
    ! own_pg || FOLDLOG_OWN_PG=$FOLDLOG_PG
    declare -p FOLDLOG_OWN_KAFKA FOLDLOG_OWN_PG FOLDLOG_KAFKA_PORT FOLDLOG_PG_PORT FOLDLOG_SANDBOX_PORT FOLDLOG_PORT FOLDLOG_ADMIN_PORT FOLDLOG_KAFKA FOLDLOG_PG FOLDLOG_PAYMENT_URL FOLDLOG_DEV FOLDLOG_ADMIN_FILE \
        FOLDLOG_SECRET_FILE FOLDLOG_EMAIL_SECRET_FILE FOLDLOG_MASTER_KEY_FILE | sed 's/^declare -x/export/' >"$RUN/env"
)

# Made once and kept beside the state that depends on them: whoever loses the master key loses all
# personal data.
ensure_secrets() {
    local name
    for name in fingerprint email master-key; do
        [ ! -s "$RUN/secrets/$name" ] || continue
        (umask 077 && mkdir -p "$RUN/secrets" &&
            od -An -v -tx1 -N32 /dev/urandom | tr -d ' \n' >"$RUN/secrets/$name.new" &&
            mv "$RUN/secrets/$name.new" "$RUN/secrets/$name") || die "cannot make $RUN/secrets/$name"
    done
}

# Before anything is started: is every port that will be needed free?
require_service_ports() {
    if own_kafka && not_running kafka; then
        require_port "$KAFKA_PORT" FOLDLOG_KAFKA_PORT Kafka
        require_port "$CONTROLLER_PORT" "FOLDLOG_KAFKA_PORT (the controller has the port after it)" \
            "Kafka's controller"
    fi
    if own_pg && not_running postgres; then
        require_port "$PG_PORT" FOLDLOG_PG_PORT PostgreSQL
    fi
    if [ -x "$SANDBOX" ] && not_running sandbox; then
        require_port "$SANDBOX_PORT" FOLDLOG_SANDBOX_PORT "the payment sandbox"
    fi
}

services_up() {
    local kafka=no pg=no preparing
    if own_kafka && not_running kafka; then kafka=yes; fi
    if own_pg && not_running postgres; then pg=yes; fi
    if [ $kafka = yes ]; then
        ensure_jars
        kafka_prepare &
        preparing=$!
    fi
    if [ $pg = yes ]; then
        pg_prepare || die "cannot create the PostgreSQL cluster, see $RUN/postgres.log"
        pg_start
    fi
    if [ $kafka = yes ]; then
        wait "$preparing" || die "cannot format Kafka's storage, see $RUN/kafka.log"
        kafka_start
    fi
    [ $pg = no ] || wait_ready postgres 60 pg_answers || die "PostgreSQL did not start"
    [ $kafka = no ] || wait_ready kafka 90 kafka_answers || die "Kafka did not start"
    sandbox_up
}

sandbox_up() {
    if [ ! -x "$SANDBOX" ] || is_running sandbox; then return 0; fi
    start sandbox "$ROOT/$SANDBOX" --port "$SANDBOX_PORT" --data "$RUN/sandbox.ledger"
    wait_ready sandbox 10 port_taken "$SANDBOX_PORT" || die "the payment sandbox did not start"
}

services_down() {
    stop sandbox "$(stop_signal sandbox)"
    stop postgres "$(stop_signal postgres)"
    stop kafka "$(stop_signal kafka)"
}

services_command() {
    case ${1:-} in
    up)
        lock_run
        ensure_packages
        require_service_ports
        services_up
        (export_addresses; say "FOLDLOG_KAFKA='$FOLDLOG_KAFKA' FOLDLOG_PG='$FOLDLOG_PG'")
        ;;
    down) lock_run && services_down ;;
    *) die "usage: ./dev services up|down" ;;
    esac
}

ready_status() {
    curl -s -o /dev/null -w '%{http_code}' -m 2 "http://127.0.0.1:$ADMIN_PORT/readyz"
}
foldlog_ready() { [ "$(ready_status)" = 200 ]; }

everything_runs() {
    is_running foldlog && is_running sandbox && { ! own_kafka || is_running kafka; } &&
        { ! own_pg || is_running postgres; } && foldlog_ready
}

system_up() {
    lock_run
    if ! everything_runs; then
        ensure_packages
        if not_running foldlog; then
            require_port "$PORT" FOLDLOG_PORT Foldlog
            require_port "$ADMIN_PORT" FOLDLOG_ADMIN_PORT "Foldlog's admin port"
        fi
        build release
        require_service_ports
        services_up
        foldlog_up
    fi
    write_environment
    say "Foldlog runs: http://127.0.0.1:$PORT (admin http://127.0.0.1:$ADMIN_PORT, logs in $RUN;" \
        "administrator in ${FOLDLOG_ADMIN_FILE:-$RUN/admin.json}; verbs: . $RUN/env; $FOLDLOG doctor)"
}

foldlog_up() {
    export_addresses
    ensure_secrets
    if not_running foldlog; then
        "$FOLDLOG" topics apply >"$RUN/setup.log" 2>&1 || failed_step "topics apply"
        "$FOLDLOG" migrate >"$RUN/setup.log" 2>&1 || failed_step migrate
        start foldlog "$ROOT/$FOLDLOG" run
    fi
    wait_ready foldlog 60 foldlog_ready || {
        say "http://127.0.0.1:$ADMIN_PORT/readyz answered $(ready_status || true)"
        die "Foldlog did not become ready"
    }
    "$FOLDLOG" admin >"$RUN/setup.log" 2>&1 9>&- || {
        [ $? = 4 ] || failed_step admin
        say "warning: $(tail -n 1 "$RUN/setup.log")" # the system is none the worse
    }
}

failed_step() {
    cat "$RUN/setup.log" >&2
    die "foldlog $1 failed, see $RUN/setup.log"
}

system_down() {
    lock_run
    stop foldlog "$(stop_signal foldlog)"
    services_down
}

system_demo() {
    system_up
    export_addresses
    local status=0
    "$FOLDLOG" demo "$@" 9>&- || status=$?
    say "API     http://127.0.0.1:$PORT/v1"
    say "log in  POST /v1/sessions with $FOLDLOG_ADMIN_FILE"
    say "admin   http://127.0.0.1:$ADMIN_PORT/readyz?verbose, /metrics"
    say "sandbox http://127.0.0.1:$SANDBOX_PORT/ledger"
    say "./dev down stops it all"
    trap - EXIT # the system is up, whatever the demo says of it
    exit $status
}
