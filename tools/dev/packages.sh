# Debian packages, the Kafka jars, and builds.
PACKAGES=(build-essential git cmake ninja-build pkg-config librdkafka-dev libpq-dev libmicrohttpd-dev
    libjansson-dev libjose-dev check libcurl4-openssl-dev uuid-dev libsodium-dev postgresql kcat python3
    python3-jsonschema json-schema-test-suite clang-format-14 clang-tidy-14 clang-14
    libclang-rt-14-dev wrk jq curl python3-venv)

missing_packages() {
    comm -23 <(printf '%s\n' "${PACKAGES[@]}" | sort) \
        <(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "${PACKAGES[@]}" 2>/dev/null |
            sed -n 's/^installed //p' | sort)
    command -v java >/dev/null || echo openjdk-17-jre-headless
    command -v mvn >/dev/null || echo maven
}

ensure_packages() {
    local missing
    mapfile -t missing < <(missing_packages)
    [ ${#missing[@]} -gt 0 ] || return 0
    say "installing ${missing[*]}"
    # Our PostgreSQL runs from its own directory: Debian need not make and start a cluster.
    if ! dpkg-query -W postgresql >/dev/null 2>&1; then
        as_root mkdir -p /etc/postgresql-common/createcluster.d
        echo 'create_main_cluster = false' |
            as_root tee /etc/postgresql-common/createcluster.d/foldlog.conf >/dev/null
    fi
    apt_install "${missing[@]}" >"$RUN/packages.log" 2>&1 ||
        { as_root apt-get update && apt_install "${missing[@]}"; } >>"$RUN/packages.log" 2>&1 ||
        { tail -n 20 "$RUN/packages.log" >&2; die "cannot install packages, see $RUN/packages.log"; }
}

apt_install() {
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"
}

KAFKA_VERSION=$(sed -n 's:.*<kafka.version>\(.*\)</kafka.version>.*:\1:p' deploy/kafka/pom.xml)
KAFKA_HOME=${FOLDLOG_CACHE:-${XDG_CACHE_HOME:-${HOME:-/var/tmp}/.cache}/foldlog}/kafka-$KAFKA_VERSION

# The folder appears whole or not at all, named after its version.
ensure_jars() {
    [ ! -d "$KAFKA_HOME/libs" ] || return 0
    say "fetching the jars of Kafka $KAFKA_VERSION"
    mkdir -p "$KAFKA_HOME"
    local fresh
    fresh=$(mktemp -d "$KAFKA_HOME/fetch.XXXXXX")
    mvn -q -B -f deploy/kafka/pom.xml dependency:copy-dependencies \
        "-DoutputDirectory=$fresh/libs" >"$RUN/jars.log" 2>&1 ||
        { tail -n 20 "$RUN/jars.log" >&2; rm -rf "$fresh"; die "cannot fetch the Kafka jars, see $RUN/jars.log"; }
    mv -T "$fresh/libs" "$KAFKA_HOME/libs" 2>/dev/null || [ -d "$KAFKA_HOME/libs" ] # lost a race: fine
    rm -rf "$fresh"
}

# What the examples and some tests import from PyPI, in a place of its own per list.
ensure_python() {
    local list=tools/dev/requirements.txt venv fresh
    venv=${KAFKA_HOME%/*}/python-$(cat $list examples/requirements.txt | sha256sum | cut -c 1-12)
    export FOLDLOG_TEST_PYTHON=$venv/bin/python
    [ ! -d "$venv" ] || return 0
    say "fetching what $list names"
    fresh=$(mktemp -d "${KAFKA_HOME%/*}/python.XXXXXX")
    { /usr/bin/python3 -m venv "$fresh" && "$fresh/bin/python" -m pip install -q -r $list; } >"$RUN/python.log" 2>&1 ||
        { tail -n 20 "$RUN/python.log" >&2; rm -rf "$fresh"; die "cannot install $list, see $RUN/python.log"; }
    mv -T "$fresh" "$venv" 2>/dev/null || [ -d "$venv" ] # lost a race: fine
    rm -rf "$fresh"
}

# Prometheus's checker of metrics, out of its package: installing that would start a server.
ensure_promtool() {
    local home=${KAFKA_HOME%/*}/promtool fresh
    export FOLDLOG_TEST_PROMTOOL=$home/usr/bin/promtool
    [ ! -d "$home" ] || return 0
    say "fetching promtool"
    fresh=$(mktemp -d "${KAFKA_HOME%/*}/fetch.XXXXXX")
    chmod 755 "$fresh"
    (cd "$fresh" && { apt-get download prometheus || { as_root apt-get update && apt-get download prometheus; }; } &&
        dpkg -x prometheus_*.deb . && rm prometheus_*.deb) >"$RUN/promtool.log" 2>&1 ||
        { tail -n 20 "$RUN/promtool.log" >&2; rm -rf "$fresh"; die "cannot fetch promtool, see $RUN/promtool.log"; }
    mv -T "$fresh" "$home" 2>/dev/null || [ -d "$home" ] # lost a race: fine
    rm -rf "$fresh"
}

# build PRESET [TARGET...]
build() {
    local preset=$1 log="$RUN/build-$1.log"
    shift
    if [ ! -f "build/$preset/build.ninja" ] || [ CMakePresets.json -nt "build/$preset/build.ninja" ]; then
        cmake --preset "$preset" >"$log" 2>&1 || { cat "$log" >&2; die "cannot configure $preset"; }
    fi
    say "building $preset"
    cmake --build --preset "$preset" ${1:+--target "$@"} >"$log" 2>&1 ||
        { grep -v '^\[' "$log" | tail -n 60 >&2; die "the build failed, see $log"; }
}

build_command() {
    mkdir -p "$RUN"
    ensure_packages
    build "${1:-release}"
}
