# The suites. A suite is a ctest label; a test that needs Kafka, PostgreSQL and the sandbox says
# RESOURCE_LOCK, and gets a fresh set of them on ports of its own.
SHIPPED='tidy|sim|e2e|chaos|long' # run as what ships; all others run under the sanitizers
NEED_BROKER='integration|e2e|chaos'

tests_run() {
    local tier=default suites=()
    while [ $# -gt 0 ]; do
        case $1 in
        --quick) tier=quick ;;
        --full) tier=full ;;
        -*) die "usage: ./dev test [--quick|--full] [SUITE...]" ;;
        *) suites+=("$1") ;;
        esac
        shift
    done
    local only=() without=never
    [ ${#suites[@]} -eq 0 ] || only=(-L "^($(IFS='|' && echo "${suites[*]}"))\$")
    [ $tier != quick ] || without+="|$NEED_BROKER"
    local suite
    for suite in long sim_sanitized; do
        [ $tier = full ] || [[ " ${suites[*]} " == *" $suite "* ]] || without+="|$suite"
    done

    RUN=$RUN/test # beside a system that is up, not in its way
    lock_run
    trap 'tests_end $?' EXIT
    services_fresh
    ensure_packages
    build asan
    build release
    [ ! -f tests/fuzz/CMakeLists.txt ] || build fuzz
    local races=no # by name, or as part of everything
    [[ " ${suites[*]} " != *" races "* ]] || races=yes
    [ $tier != full ] || [ ${#suites[@]} -gt 0 ] || races=yes
    [ $races = no ] || build tsan
    if [ $races = yes ] || tests_selected "${only[@]}" -LE "^($without)\$" | jq -e 'any(.tests[].properties[]?;
            .name == "RESOURCE_LOCK")' >/dev/null; then
        tests_services
    fi
    local failed=0 # several -LE would exclude only what all of them match, so there is one
    tests_preset asan "${only[@]}" -LE "^($SHIPPED|$without)\$" || failed=1
    tests_preset release "${only[@]}" -L "^($SHIPPED)\$" -LE "^($without)\$" || failed=1
    if [ -f build/fuzz/build.ninja ]; then
        tests_preset fuzz "${only[@]}" -L '^fuzz$' -LE "^($without)\$" || failed=1
    fi
    if [ $races = yes ]; then
        tests_preset tsan "${only[@]}" -L '^races$' || failed=1
    fi
    python3 tools/dev/junit_sum.py "$RUN"/*.junit.xml >"$RUN/summary" || failed=1
    services_down
    cat "$RUN/summary"
    exit $failed
}

# Stops and forgets what an earlier run left.
services_fresh() {
    services_down
    pg_remove
    find "$RUN" -mindepth 1 ! -name lock -delete
}

# The selected tests, as ctest's JSON; both builds have the same.
tests_selected() { ctest --test-dir build/release --show-only=json-v1 "$@"; }

tests_preset() {
    local preset=$1
    shift
    ctest --test-dir "build/$preset" -j "$(nproc)" --output-on-failure --timeout 600 \
        --output-junit "$RUN/$preset.junit.xml" "$@" >&2 9>&-
}

# Below the ports that the system gives to outgoing connections (32768 and up), which come and go.
free_port() { # FIRST: the first free port from there on, the one after it free too
    local port=$1
    while port_taken "$port" || port_taken $((port + 1)); do port=$((port + 2)); done
    echo "$port"
}

tests_services() {
    KAFKA_PORT=$(free_port 19092) CONTROLLER_PORT=$((KAFKA_PORT + 1))
    PG_PORT=$(free_port 15432)
    SANDBOX_PORT=$(free_port 18090)
    unset FOLDLOG_KAFKA FOLDLOG_PG # a user's servers are not for tests
    FOREIGN_KAFKA='' FOREIGN_PG=''
    services_up
    ensure_python
    ensure_promtool
    export FOLDLOG_TEST_KAFKA=127.0.0.1:$KAFKA_PORT
    FOLDLOG_TEST_PG=$(pg_conninfo)
    export FOLDLOG_TEST_PG
    export FOLDLOG_TEST_SANDBOX=http://127.0.0.1:$SANDBOX_PORT
}

tests_end() {
    trap - EXIT
    services_down
    exit "$1"
}

# A program of its own, on services of its own.
bench_run() { KAFKA_JIT='' own_program bench bench/bench.py "$@"; }

own_program() {
    local name=$1 program=$2
    shift 2
    RUN=$RUN/$name
    lock_run
    trap 'tests_end $?' EXIT
    services_fresh
    ensure_packages
    build release
    [ -x "$program" ] || die "this version has no $name program ($program)"
    tests_services
    FOLDLOG_RUN=$RUN "$program" "$@" 9>&-
}

# Starts its services itself, so that it may kill them: it is given what runs them.
chaos_run() {
    RUN=$RUN/chaos
    lock_run
    trap 'chaos_end $?' EXIT
    services_fresh
    ensure_packages
    build release
    ensure_jars
    KAFKA_PORT=$(free_port 19292) CONTROLLER_PORT=$((KAFKA_PORT + 1))
    PG_PORT=$(free_port 15632)
    SANDBOX_PORT=$(free_port 18290)
    kafka_prepare || die "cannot format Kafka's storage, see $RUN/kafka.log"
    pg_prepare || die "cannot create the PostgreSQL cluster, see $RUN/postgres.log"
    kafka_command >"$RUN/kafka.argv"
    pg_command >"$RUN/postgres.argv"
    FOLDLOG_RUN=$RUN CHAOS_KAFKA=127.0.0.1:$KAFKA_PORT CHAOS_PG_PORT=$PG_PORT \
        CHAOS_PG=$(pg_conninfo) \
        CHAOS_SANDBOX_PORT=$SANDBOX_PORT CHAOS_SANDBOX=$ROOT/$SANDBOX CHAOS_FOLDLOG=$ROOT/$FOLDLOG \
        PYTHONDONTWRITEBYTECODE=1 python3 tests/chaos/chaos.py "$@" 9>&-
}

chaos_end() {
    trap - EXIT
    local pid
    for pid in "$RUN"/foldlog-*.pid; do
        [ ! -e "$pid" ] || stop "$(basename "$pid" .pid)" TERM
    done
    services_down
    exit "$1"
}
