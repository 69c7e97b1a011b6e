# One PostgreSQL cluster of our own on loopback, its state under $RUN/pg.
pg_bin() { find /usr/lib/postgresql/*/bin -maxdepth 0 2>/dev/null | sort -V | tail -n 1; }

# PostgreSQL refuses to run as root: then it runs as Debian's user postgres.
as_postgres() {
    if [ "$(id -u)" -eq 0 ]; then
        exec setpriv --reuid=postgres --regid=postgres --init-groups "$@"
    fi
    exec "$@"
}

# That user may be unable to reach a checkout below a private home: then the data lies beside it,
# and $RUN/pg points there.
pg_make_home() {
    [ ! -e "$RUN/pg/" ] || return 0
    local home=$RUN/pg
    if [ "$(id -u)" -eq 0 ] && ! (as_postgres test -x "$RUN"); then
        home=/var/tmp/foldlog-pg-$(printf '%s' "$RUN" | sha256sum | cut -c 1-12)
        rm -rf "$home" # of a run directory that was deleted
        ln -sfn "$home" "$RUN/pg"
    fi
    mkdir -p "$home"
    [ "$(id -u)" -ne 0 ] || chown postgres: "$home"
    chmod 700 "$home"
}

# The administrator is let in from this machine, as whoever may start the server might as well be;
# all others, which are the services, need their password.
pg_rules() {
    printf 'host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n'
}

# `foldlog migrate` gives it to every role that has no conninfo of its own.
pg_password() {
    [ -s "$RUN/pg.password" ] || (umask 077 && od -An -v -tx1 -N16 /dev/urandom | tr -d ' \n' >"$RUN/pg.password")
    cat "$RUN/pg.password"
}

pg_conninfo() { echo "host=127.0.0.1 port=$PG_PORT user=postgres dbname=postgres password=$(pg_password)"; }

pg_prepare() {
    pg_make_home
    local data
    data=$(realpath "$RUN/pg")
    [ ! -f "$data/ready" ] || return 0
    find "$data" -mindepth 1 -delete # a creation that was cut short
    (cd / && as_postgres "$(pg_bin)/initdb" -D "$data/data" -U postgres --auth=trust \
        --encoding=UTF8 --locale=C.UTF-8) >>"$RUN/postgres.log" 2>&1 || return 1
    pg_rules | (as_postgres tee "$data/data/pg_hba.conf") >/dev/null || return 1
    (as_postgres touch "$data/ready")
}

pg_remove() {
    [ ! -e "$RUN/pg" ] || rm -rf "$(realpath "$RUN/pg")"
    rm -f "$RUN/pg" "$RUN/pg.password"
}

# The lock of a killed server: its children leave a moment later, and where nobody reaps it, it stays
# behind as a zombie, which PostgreSQL takes for alive. Nobody attached and nobody alive: no owner.
pg_clear_lock() {
    local lock pid
    lock=$(realpath "$RUN/pg")/data/postmaster.pid
    [ -f "$lock" ] || return 0
    read -r pid <"$lock"
    wait_until 10 pg_memory_free "$(awk 'NR == 7 { print $2 }' "$lock")" || return 0
    process_start "$pid" >/dev/null || rm -f "$lock"
}
pg_memory_free() { awk -v id="$1" '$2 == id && $7 > 0 { used = 1 } END { exit used }' /proc/sysvipc/shm; }

# What runs the server, each argument ended by NUL.
pg_command() {
    printf '%s\0' bash -c "cd /; $(declare -f as_postgres)
        as_postgres \"\$@\"" postgres "$(pg_bin)/postgres" -D "$(realpath "$RUN/pg")/data" -p "$PG_PORT" \
        -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=200
}

pg_start() {
    local command
    pg_clear_lock
    mapfile -d '' -t command < <(pg_command)
    start postgres "${command[@]}"
}

pg_answers() { "$(pg_bin)/pg_isready" -q -h 127.0.0.1 -p "$PG_PORT" -U postgres -d postgres; }
