#!/bin/sh
# Who may include whom, and which files know which library. Run from the root.
set -eu
folders='core schemas commands projections saga effects api runtime app sandbox bench tests tools'

includes() { # FOLDER...: "file:line:#include ..." of the folders that exist
    for folder in "$@"; do
        [ ! -d "$folder" ] || grep -rnHE '^[[:space:]]*#[[:space:]]*include' "$folder" \
            --include='*.[ch]' || true
    done
}

# FOLDER, the folders it may include from (|).
may_include() {
    includes "$1" | grep '"' | while IFS= read -r line; do
        name=${line#*\"}
        name=${name%%\"*}
        echo "$name" | grep -Eq "^($2)/" || echo "$line  <- $1/ may include $2 only"
    done
}

# FOLDER, the folders it may not include from (|).
may_not_include() {
    includes "$1" | grep -E "\"(\./|\.\./)*($2)/" |
        while IFS= read -r line; do echo "$line  <- $1/ may not include $2"; done
}

# HEADER regex, regex of the files that may include it.
known_by() {
    # shellcheck disable=SC2086
    includes $folders | grep -E "include[[:space:]]*[<\"]($1)[>\"]" | grep -Ev "^($2):" |
        while IFS= read -r line; do echo "$line  <- only $2 may know $1"; done
}

findings=$(
    may_include core core
    may_include schemas 'core|schemas'
    for pure in commands projections saga effects api; do
        may_include $pure "core|schemas|$pure"
    done
    may_include runtime 'core|schemas|runtime'
    may_include app 'core|schemas|commands|projections|saga|effects|api|runtime|app'
    may_not_include sandbox 'core|schemas|commands|projections|saga|effects|api|runtime|app|tools'
    may_include tools 'core|tools'
    known_by 'librdkafka/.*' 'runtime/kafka_[a-z0-9_]*\.c|runtime/kafka_internal\.h|tests/.*|bench/.*'
    known_by 'runtime/kafka_internal\.h' 'runtime/kafka_[a-z0-9_]*\.c'
    known_by 'libpq-fe\.h|postgres_ext\.h|libpq/.*' 'runtime/pg(_[a-z0-9_]*)?\.c|tests/.*|bench/.*'
    known_by 'microhttpd\.h' 'runtime/http_server[a-z0-9_]*\.c|sandbox/.*\.c|tests/.*'
    known_by 'curl/.*' 'runtime/http_out[a-z0-9_]*\.c|app/demo[a-z0-9_]*\.c|tests/.*|bench/.*'
    known_by 'jose/.*' 'runtime/token\.c|tests/.*'
    known_by 'sodium\.h' 'runtime/(seal|password|principal)\.c|sandbox/.*|tests/.*'
    known_by 'jansson\.h' 'runtime/(json_dom[a-z0-9_]*|token)\.c|(tools/schemac|sandbox|app|bench|tests)/.*'
)
[ -z "$findings" ] || {
    printf '%s\n' "$findings" >&2
    exit 1
}
