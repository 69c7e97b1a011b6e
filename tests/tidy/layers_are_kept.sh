#!/usr/bin/env bash
# A tree without sin passes tools/layers.sh, and each single sin in it is found.
set -euo pipefail
layers=$(cd "$(dirname "$0")/../../tools" && pwd)/layers.sh
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
cd "$tree"
mkdir -p core schemas commands projections saga effects api runtime app sandbox tests tools/schemac

write() { printf '#include %s\n' "$2" >"$1"; }
write commands/order.c '"schemas/order.h"'
write runtime/kafka_log.c '<librdkafka/rdkafka.h>'
write runtime/kafka_internal.h '<librdkafka/rdkafka.h>'
write runtime/pg.c '<libpq-fe.h>'
write runtime/http_server.c '<microhttpd.h>'
write tools/schemac/schemac.c '<jansson.h>'
write app/main.c '"runtime/event_log.h"'
write sandbox/main.c '"ledger.h"'
"$layers"

failed=0
sin() { # FILE INCLUDE
    write "$1" "$2"
    if "$layers" >found 2>&1 || ! grep -q "^$1:" found; then
        echo "not found: $1 includes $2"
        failed=1
    fi
    rm "$1"
}
sin core/a.c '"schemas/order.h"'
sin schemas/a.h '"commands/order.h"'
sin commands/a.c '"runtime/clock.h"'
sin commands/a.c '"projections/orders.h"'
sin projections/a.c '"a.h"'
sin saga/a.c '"app/main.h"'
sin effects/a.c '"../runtime/http_out.h"'
sin api/a.c '<microhttpd.h>'
sin runtime/a.c '"commands/order.h"'
sin runtime/worker.c '<librdkafka/rdkafka.h>'
sin runtime/worker.c '"runtime/kafka_internal.h"'
sin runtime/store.h '<libpq-fe.h>'
sin runtime/kafka_log.h '<librdkafka/rdkafka.h>'
sin runtime/http_out.h '<curl/curl.h>'
sin core/a.c '<jansson.h>'
sin sandbox/a.c '"core/err.h"'
sin app/a.c '<libpq-fe.h>'
exit $failed
